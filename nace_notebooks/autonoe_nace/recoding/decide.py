"""For each row of a register: which new code, who decided, and how sure that is."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from autonoe.errors import InvalidInputError
from autonoe_nace.model import NaceModel
from autonoe_nace.recoding.correspondence import Correspondence, Link
from autonoe_nace.recoding.dual import check_version, of_prepared
from autonoe_nace.recoding.joint import NONE, Floats, PairSpace
from autonoe_nace.recoding.register import FEATURE

_BLOCK = 2_048

SCHEMA = pa.schema(
    [
        ("row", pa.int64()),
        ("id", pa.string()),
        ("text", pa.string()),
        ("period", pa.string()),
        ("weight", pa.float64()),
        ("source", pa.string()),
        ("target", pa.string()),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("probability", pa.float64()),
        ("confidence", pa.float64()),
        ("support", pa.float64()),
        ("candidates", pa.list_(pa.string())),
        ("probabilities", pa.list_(pa.float64())),
        ("item", pa.string()),
    ]
)
"""Columns of a recoded register; docs/guides/nace-recoding.md explains each."""


@dataclass(frozen=True)
class Rules:
    """When a row is recoded without a person.

    Attributes
    ----------
    threshold : float
        Least confidence (first minus second probability among the candidates) for the model.
    min_support : float
        Least probability that the model gives to all candidates together: below it the text does
        not fit the old code, which may be wrong.
    sharpness : float
        Power taken of the model's probabilities before they are shared among the candidates of a
        code. Below 1 since the model is right more often over all codes than among neighbours.
    """

    threshold: float = 0.8
    min_support: float = 0.05
    sharpness: float = 0.5

    def __post_init__(self) -> None:
        limits = {"threshold": self.threshold, "min_support": self.min_support}
        for name, value in {**limits, "sharpness": self.sharpness / 10}.items():
            if not 0 <= value <= 1:
                raise InvalidInputError(
                    f"The {name} is out of range.",
                    hint="Threshold and support lie between 0 and 1, sharpness between 0 and 10.",
                )


@dataclass(frozen=True, slots=True)
class _Answer:
    """What is known about one pair of old code and words."""

    target: str
    status: str
    reason: str
    probability: float
    confidence: float
    support: float | None
    candidates: tuple[str, ...]
    probabilities: tuple[float, ...]


class Decider:
    """Decides on the rows of a register.

    Parameters
    ----------
    correspondence : Correspondence
        From the register's version to the new one, at the levels of the codes.
    model : NaceModel, optional
        A model of the new version; without it only unambiguous codes are recoded.
    rules : Rules
        When a row is recoded without a person.
    shares : mapping of (str, str) to float, optional
        Prior shares of the targets of a code, multiplied into the model's probabilities.

    Raises
    ------
    InvalidInputError
        If the model's codes are not those of the new version.
    """

    def __init__(
        self,
        correspondence: Correspondence,
        model: NaceModel | None,
        rules: Rules,
        shares: Mapping[Link, float] | None = None,
    ) -> None:
        if model:
            check_version(model, correspondence.target.name, correspondence.sources)
        self.correspondence, self.model, self.rules = correspondence, model, rules
        sources = tuple(dict.fromkeys(source for source, _ in correspondence.links))
        self._space = PairSpace(correspondence, sources, shares)
        self._place = {code: i for i, code in enumerate(sources)}
        self._informed = bool(shares)
        self._known = set(model.codes) if model else set()
        self._resolved: dict[str, str | None] = {}

    def decide(self, chunk: pa.Table, first_row: int) -> pa.Table:
        """Return the recoded rows of ``chunk``, whose first row has the number ``first_row``."""
        raws: list[str] = chunk.column("code").to_pylist()
        sources = [self._resolve(raw) for raw in raws]
        open_rows = [i for i, s in enumerate(sources) if len(self._targets(s)) != 1]
        words = dict(zip(open_rows, self._words(chunk.take(open_rows)), strict=True))
        judged = self._judge(
            {(s, words[i]) for i in open_rows if (s := sources[i]) and self._targets(s)}
        )
        answers = [
            judged.get((source or "", words.get(i, ""))) or self._by_table(source)
            for i, source in enumerate(sources)
        ]
        keys = [
            item_key(source or raw, words.get(i, ""))
            for i, (source, raw) in enumerate(zip(sources, raws, strict=True))
        ]
        rows = range(first_row, first_row + len(chunk))
        return _table(
            chunk, rows, [s or raw for s, raw in zip(sources, raws, strict=True)], answers, keys
        )

    def _resolve(self, raw: str) -> str | None:
        if raw not in self._resolved:
            code = self.correspondence.resolve(raw)
            known = code or self.correspondence.source.parse(raw)
            self._resolved[raw] = known if known and raw.strip() else None
        return self._resolved[raw]

    def _targets(self, source: str | None) -> tuple[str, ...]:
        return self.correspondence.targets(source) if source else ()

    def _by_table(self, source: str | None) -> _Answer:
        targets = self._targets(source)
        if len(targets) == 1:
            return _Answer(targets[0], "table", "", 1.0, 1.0, None, targets, (1.0,))
        reason = "no_candidate" if source else "unknown_code"
        return _Answer("", "review", reason, 0.0, 0.0, None, (), ())

    def _words(self, chunk: pa.Table) -> list[str]:
        """Return what the model sees of each row, side variables included."""
        texts: list[str] = chunk.column("text").to_pylist()
        if self.model is None:
            return [" ".join(text.casefold().split()) for text in texts]
        names = [name for name in chunk.column_names if name.startswith(FEATURE)]
        if not names:
            return self.model.prepare.all(texts)
        short = [name.removeprefix(FEATURE) for name in names]
        given = chunk.select(names).rename_columns(short).to_pylist()
        return self.model.prepare.all(texts, given)

    def _judge(self, wanted: set[tuple[str, str]]) -> dict[tuple[str, str], _Answer]:
        """Return the answers for distinct pairs of old code and words."""
        found: dict[tuple[str, str], _Answer] = {}
        ordered = sorted(wanted)
        for start in range(0, len(ordered), _BLOCK):
            block = ordered[start : start + _BLOCK]
            given = self._probabilities([words for _, words in block])
            shared = self._space.conditional(given, sharpness=self.rules.sharpness)
            if self._informed:
                shared = shared * self._space.prior
            shared[given.sum(axis=1) == 0] = self._space.prior
            for i, (source, words) in enumerate(block):
                found[(source, words)] = self._answer(source, words, given[i], shared[i])
        return found

    def _probabilities(self, words: Sequence[str]) -> Floats:
        if self.model is None:
            return np.zeros((len(words), len(self._space.targets)))
        return self._space.of_targets(self.model.codes, of_prepared(self.model, words))

    def _answer(self, source: str, words: str, given: Floats, shared: Floats) -> _Answer:
        places = self._space.pairs_of(self._place[source])
        values = shared[places.start : places.stop]
        values = values / values.sum()
        order = np.argsort(-values, kind="stable")
        columns = [int(self._space.target_of[places[int(i)]]) for i in order]
        candidates = tuple(self._space.targets[c] for c in columns if c != NONE)
        ranked = tuple(float(values[i]) for i in order)
        support = float(sum(given[c] for c in columns))
        confidence = ranked[0] - ranked[1]
        reason = self._reason(words, candidates, support, confidence)
        status = "review" if reason else "model"
        return _Answer(
            candidates[0], status, reason, ranked[0], confidence, support, candidates, ranked
        )

    def _reason(
        self, words: str, candidates: Sequence[str], support: float, confidence: float
    ) -> str:
        """Return why a person must look, or nothing."""
        if self.model is None:
            return "no_model"
        if not words:
            return "no_usable_word"
        if not self._known.issuperset(candidates):
            return "unknown_to_model"
        if support < self.rules.min_support:
            return "misfit"
        return "unsure" if confidence < self.rules.threshold else ""


def item_key(source: str, words: str) -> str:
    """Return the name of a case: rows with the same old code and words are one decision."""
    return hashlib.sha256(f"{source}\n{words}".encode()).hexdigest()[:16]


def _weights(raw: Sequence[str] | None, size: int) -> list[float]:
    """Return weights as numbers; one that is none, negative or missing counts as 0."""
    if raw is None:
        return [1.0] * size
    out = []
    for text in raw:
        try:
            value = float(text)
        except ValueError:
            value = 0.0
        out.append(value if math.isfinite(value) and value >= 0 else 0.0)
    return out


def _table(
    chunk: pa.Table,
    rows: range,
    sources: Sequence[str],
    answers: Sequence[_Answer],
    keys: Sequence[str],
) -> pa.Table:
    given = {name: chunk.column(name).to_pylist() for name in chunk.column_names}
    empty = [""] * len(rows)
    columns: dict[str, Any] = {
        "row": list(rows),
        "id": given.get("id", empty),
        "text": given["text"],
        "period": given.get("period", empty),
        "weight": _weights(given.get("weight"), len(rows)),
        "source": list(sources),
        "item": list(keys),
    }
    for name in ("target", "status", "reason", "probability", "confidence", "support"):
        columns[name] = [getattr(answer, name) for answer in answers]
    columns["candidates"] = [list(answer.candidates) for answer in answers]
    columns["probabilities"] = [list(answer.probabilities) for answer in answers]
    return pa.table({name: columns[name] for name in SCHEMA.names}, schema=SCHEMA)
