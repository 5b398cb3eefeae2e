"""A search as data: what is tried on what, judged how. It holds no credentials and travels."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe.validation import mistakes
from autonoe_nace.training import TrainingParams

MOST_CANDIDATES = 10_000
_FIXED = ("level", "language")
LOWER_IS_BETTER = ("ece", "brier")
Metric = Literal["top1", "top2", "top3", "top4", "top5", "macro_f1", "ece", "brier"]


class Material(BaseModel):
    """Which rows and columns of which files are learned from.

    Attributes
    ----------
    data : str
        CSV or Parquet with labelled texts, path or ``s3://``.
    text_column, code_column, feature_columns, where
        As in ``autonoe nace train``.
    nomenclature : str
        Name or file of the nomenclature.
    language : str
        Rules of preparation; that of the nomenclature when empty.
    extra, extra_text_column, extra_code_column, extra_where
        More material, in every fold's training part and in none's test part.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    data: str
    text_column: str = "text"
    code_column: str = "code"
    feature_columns: tuple[str, ...] = ()
    where: tuple[str, ...] = ()
    nomenclature: str
    extra: tuple[str, ...] = ()
    extra_text_column: str = "text"
    extra_code_column: str = "code"
    extra_where: tuple[str, ...] = ()

    @field_validator("data", "extra", "nomenclature")
    @classmethod
    def _no_secret(cls, value: Any) -> Any:
        for address in (value,) if isinstance(value, str) else value:
            head, _, rest = address.partition("://")
            if rest and ("@" in rest.partition("/")[0] or "?" in rest):
                raise ValueError(f"an {head} address may hold no password and no signature")
        return value


class SearchPlan(BaseModel):
    """One search.

    Attributes
    ----------
    kind : {"grid", "random"}
        How the candidates came about.
    material : Material
        What is learned from.
    fold_column : str
        Column that tells each text's fold; empty for folds of near-duplicate groups.
    folds : int
        Number of such folds, when there is no column.
    base : dict
        Parameters that all candidates share.
    candidates : tuple of dict
        What each changes.
    metric : str
        What the best candidate is best in, at the finest level.
    seed : int
        Of the folds, and of random candidates.
    experiment : str
        MLflow experiment; empty for ``nace-<account>``.
    sha256 : dict of str to str
        Of the data and the extra material, in their order: a search that goes on with other texts
        would compare what cannot be compared.
    compared : {"characters", "words", ""}
        By what near-duplicates were found; empty with a column of folds, or when not known.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    kind: Literal["grid", "random"]
    material: Material
    fold_column: str = ""
    folds: int = Field(default=5, ge=2, le=100)
    base: dict[str, Any] = {}
    candidates: tuple[dict[str, Any], ...] = Field(min_length=1, max_length=MOST_CANDIDATES)
    metric: Metric = "top1"
    seed: int = Field(default=1, ge=0)
    experiment: str = ""
    sha256: dict[str, str] = {}
    compared: Literal["characters", "words", ""] = ""

    @property
    def id(self) -> str:
        """Name of the search by its content: the same search has the same name everywhere."""
        # The data's hash says which texts; where they lie is not part of what is searched.
        # How near-duplicates are found follows from it.
        content = self.model_dump(
            mode="json", exclude={"material": {"data", "extra"}, "compared": True}
        )
        text = json.dumps(content, sort_keys=True)
        return f"search-{hashlib.sha256(text.encode()).hexdigest()[:12]}"

    def params(self, candidate: int) -> TrainingParams:
        """Return all parameters of a candidate.

        Raises
        ------
        InvalidInputError
            If there is no such candidate or its parameters are not usable.
        """
        if not 0 <= candidate < len(self.candidates):
            raise InvalidInputError(
                f"There is no candidate {candidate}; the search has {len(self.candidates)}.",
                hint="Candidates are counted from 0.",
            )
        return TrainingParams.of(**{**self.base, **self.candidates[candidate]})

    def better(self, value: float, than: float) -> bool:
        """Tell whether a value of the metric is better than another."""
        return value < than if self.metric in LOWER_IS_BETTER else value > than

    @classmethod
    def of(cls, **values: Any) -> SearchPlan:
        """Return the plan with ``values``, after looking at every candidate.

        Raises
        ------
        InvalidInputError
            If a value, or a candidate's parameters, are not usable.
        """
        try:
            plan = cls(**values)
        except ValidationError as error:
            raise InvalidInputError(
                f"The search is not usable: {mistakes(error, whole='together')}.",
                hint="See autonoe nace search grid --help.",
            ) from error
        fixed = {name for candidate in plan.candidates for name in candidate} & set(_FIXED)
        if fixed:
            raise InvalidInputError(
                f"{', '.join(sorted(fixed))} must be the same for all candidates.",
                hint="Set it once with --set; figures of different levels cannot be compared.",
            )
        for candidate in range(len(plan.candidates)):
            plan.params(candidate)
        return plan

    @classmethod
    def read(cls, path: str | Path) -> SearchPlan:
        """Return the plan of a file that :meth:`text` wrote.

        Raises
        ------
        AutonoeError
            ``not_found`` when the file is missing; ``invalid_input`` when it is no plan.
        """
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise AutonoeError(
                f"There is no search in {path}.",
                hint="Start one with autonoe nace search grid.",
                code="not_found",
            ) from error
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"{path} holds no search.", hint="Start a new one.") from error
        if not isinstance(document, dict):
            raise InvalidInputError(f"{path} holds no search.", hint="Start a new one.")
        return cls.of(**document)

    def text(self) -> str:
        """Return the plan as JSON."""
        return self.model_dump_json(indent=1)
