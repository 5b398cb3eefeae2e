"""What is said of a document that pydantic refuses."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from autonoe.validation import mistakes


class Inner(BaseModel):
    n: int


class Form(BaseModel):
    model_config = ConfigDict(extra="forbid")
    rows: list[Inner] = []
    secret: int = 0

    @model_validator(mode="after")
    def _together(self) -> Form:
        if len(self.rows) > 10:
            raise ValueError("too many rows")
        return self


def refused(document: object) -> ValidationError:
    with pytest.raises(ValidationError) as caught:
        Form.model_validate(document)
    return caught.value


def test_each_mistake_has_its_place_and_reason() -> None:
    said = mistakes(refused({"rows": [{"n": 1}, {"n": "x"}], "other": 1}))
    assert said.startswith("rows.1.n: Input should be a valid integer")
    assert "; other: Extra inputs are not permitted" in said


def test_what_was_given_is_not_repeated() -> None:
    assert "hunter2" not in mistakes(refused({"secret": "hunter2"}))


def test_a_mistake_of_the_whole_has_its_name() -> None:
    error = refused({"rows": [{"n": i} for i in range(11)]})
    assert mistakes(error, whole="the form") == "the form: Value error, too many rows"


def test_a_long_list_is_cut_and_counted() -> None:
    error = refused({"rows": [{"n": "x"} for _ in range(9)]})
    assert mistakes(error, most=2).endswith("; and 7 more")
