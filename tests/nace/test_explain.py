"""Explanations are exact: whatever the text, the shares add up to the difference of the logits."""

from __future__ import annotations

import html
import json
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autonoe.cli import cli
from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.data import ateco
from autonoe_nace.model import NaceModel
from autonoe_nace.model.explain_html import render
from autonoe_nace.model.explain_notes import Note, NotesBook
from autonoe_nace.text import Preparation, load_rules
from autonoe_nace.training import TrainingParams, train

WORDS = ["coltivazione", "di", "riso", "mele", "commercio", "scarpe", "zqx", "é", "日本", "legno"]


def _params(**more: object) -> TrainingParams:
    small = {"dim": 10, "bucket": 2_000, "calibration_share": 0, "titles": False, "epoch": 8}
    return TrainingParams.of(**{**small, **more})


@pytest.fixture(scope="module", params=["words", "letters", "full"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> NaceModel:
    """Return models of all kinds of features; one with side variables, one with all parts."""
    data = ateco().subset(range(0, 6_000, 10))
    kinds = ["A" if i % 3 else "B" for i in range(len(data))]
    data = replace(data, features={"kind": tuple(kinds)})
    params = {
        "words": _params(minn=0, maxn=0, word_ngrams=3),
        "letters": _params(minn=2, maxn=4, word_ngrams=2),
        "full": _params(preset="full"),
    }[request.param]
    return train(data, params)


def _logit_difference(model: NaceModel, prepared: str, labels: tuple[str, str]) -> float:
    """Return the difference as the model itself computes it."""
    calibration = model.manifest.calibration
    logits = model.ensemble.logits([prepared], calibration.weights)[0] / calibration.temperature
    one, other = (model.ensemble.labels.index(label) for label in labels)
    return float(logits[one] - logits[other])


@settings(max_examples=60, deadline=None)
@given(
    words=st.lists(st.sampled_from(WORDS) | st.text(min_size=1, max_size=8), max_size=6),
    kind=st.sampled_from(["A", "B", "", "unknown"]),
    top=st.none() | st.integers(0, 40),
)
def test_shares_add_up(model: NaceModel, words: list[str], kind: str, top: int | None) -> None:
    text = " ".join(["riso", *words])
    found = model.explain(text, {"kind": kind}, top=top)
    expected = _logit_difference(model, found.text_prepared, found.labels)
    close = {"abs": 1e-4}
    assert found.logit_difference == pytest.approx(expected, **close)
    assert sum(c.value for c in found.contributions) + found.rest == pytest.approx(
        found.logit_difference, **close
    )
    assert sum(w.value for w in found.words) + found.other == pytest.approx(
        found.logit_difference, **close
    )
    assert sum(found.parts.values()) == pytest.approx(found.logit_difference, **close)
    assert len(found.words) == len(found.text_prepared.split())
    assert top is None or len(found.contributions) <= top
    sizes = [abs(c.value) for c in found.contributions]
    assert sizes == sorted(sizes, reverse=True)


def test_by_default_the_first_code_is_set_against_the_second(model: NaceModel) -> None:
    text = "coltivazione di riso"
    candidates = model.predict([text], 2)[0].candidates
    found = model.explain(text)
    assert (found.code, found.against) == tuple(c.code for c in candidates)
    assert found.probability == pytest.approx(candidates[0].probability)
    assert found.log_odds == pytest.approx(
        np.log(candidates[0].probability / candidates[1].probability), abs=1e-4
    )
    turned = model.explain(text, code=found.against, against=found.code)
    assert turned.logit_difference == pytest.approx(-found.logit_difference, abs=1e-4)
    assert turned.contributions[0].value == pytest.approx(-found.contributions[0].value, abs=1e-4)


def test_a_side_variable_is_named(model: NaceModel) -> None:
    found = model.explain("coltivazione di riso", {"kind": "B"}, top=None)
    names = {c.text for c in found.contributions if c.kind == "feature"}
    assert names == {"kind=b"}
    assert found.words[-1].word == "kind=b"
    assert "\U000f0000" not in render(found)


def test_broader_codes_can_be_compared(model: NaceModel) -> None:
    found = model.explain("coltivazione di riso", code="A", against="C")
    assert (found.code, found.against) == ("A", "C")
    assert model.nomenclature.ancestor(found.labels[0], 1) == "A"
    assert found.probability > 0


@pytest.mark.parametrize(
    ("text", "codes"),
    [("...", {}), ("riso", {"code": "nothing"}), ("riso", {"code": "A", "against": "01.11"})],
)
def test_what_cannot_be_explained_is_said(
    model: NaceModel, text: str, codes: dict[str, str]
) -> None:
    with pytest.raises(InvalidInputError):
        model.explain(text, **codes)


def test_a_code_that_was_never_learned_cannot_be_explained(model: NaceModel) -> None:
    unknown = next(c for c in model.nomenclature.at_level(4) if c not in model.codes)
    for asked in ({"code": unknown}, {"against": unknown}):
        with pytest.raises(InvalidInputError, match="cannot answer"):
            model.explain("coltivazione di riso", **asked)


def test_the_full_model_shows_the_share_of_each_part(model: NaceModel) -> None:
    found = model.explain("coltivazione di riso", top=None)
    assert set(found.parts) == set(model.ensemble.parts)
    assert len(found.parts) in {1, 3}
    if len(found.parts) == 3:
        share = [c.value for c in found.contributions if c.kind == "neighbours"]
        assert share == [found.parts["neighbours"]]
        assert "neighbours" in str(found)


def test_it_is_quick_enough_for_a_queue(model: NaceModel) -> None:
    text = "commercio al dettaglio di calzature e accessori in esercizi specializzati"
    model.explain(text)
    spent = []
    for _ in range(100):
        began = time.thread_time()
        model.explain(text)
        spent.append(time.thread_time() - began)
    # processor time: what other tests do meanwhile is not the explanation's fault
    assert float(np.median(spent)) < 0.005


class _Text(HTMLParser):
    """Collects what a reader without colours gets, and the tags."""

    def __init__(self) -> None:
        super().__init__()
        self.text, self.tags = "", set[str]()

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_safe_and_readable_without_colours(model: NaceModel) -> None:
    found = model.explain("riso mele")
    hostile = "<script>alert('x')</script>\"&"
    found = replace(
        found,
        title=hostile,
        note=hostile,
        words=tuple(replace(word, word=hostile) for word in found.words),
        contributions=tuple(replace(c, text=hostile) for c in found.contributions),
    )
    page = found._repr_html_()
    assert "<script" not in page
    reader = _Text()
    reader.feed(page)
    assert "script" not in reader.tags
    assert reader.text.count(hostile) >= 2 + len(found.words)
    assert f"{found.logit_difference:+.3f}" in reader.text
    assert {"table", "th"} <= reader.tags
    assert 'aria-label="' in page
    assert html.escape(hostile, quote=True) in page
    assert f"{found.words[0].value:+.3f}" in str(found)


def test_notes_are_excerpted_by_the_words_of_the_text() -> None:
    book = NotesBook(
        {
            "01.11": Note(
                includes="growing of wheat; growing of maize; growing of sorghum; growing of oats",
                excludes="growing of rice, see 01.12",
            )
        }
    )
    english = Preparation(load_rules("en"))
    assert book.excerpt("01.11", english("rice"), english) == "Not here: growing of rice, see 01.12"
    assert book.excerpt("01.11").startswith("growing of wheat; growing of maize")
    assert book.excerpt("99.99") == ""
    long = NotesBook({"a": Note(includes="word " * 1_000)})
    assert len(long.excerpt("a")) <= 600


def test_the_command_explains_and_writes_a_page(
    model: NaceModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, page = model.save(tmp_path / "model"), tmp_path / "page.html"
    arguments = ["nace", "explain", "--model", str(folder), "--feature", "kind=A"]
    cli.main([*arguments, "--json", "--html", str(page), "riso", "mele"], standalone_mode=False)
    document = json.loads(capsys.readouterr().out)
    assert [e["text"] for e in document["explanations"]] == ["riso", "mele"]
    assert page.read_text(encoding="utf-8").count('class="autonoe-explanation"') == 2
    cli.main([*arguments, "riso"], standalone_mode=False)
    assert "Why " in capsys.readouterr().out
    with pytest.raises(AutonoeError):
        cli.main([*arguments, "--feature", "nonsense", "riso"], standalone_mode=False)
