"""A set of labelled texts and the account of what was wrong with its source."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.text import Preparation, rules_for

MANY_UNKNOWN = 0.1
"""Share of unknown codes from which the nomenclature itself is in doubt."""

EXAMPLES = 10
"""Row numbers shown for each finding, at most."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One kind of oddity: how many rows, which ones for example, and what was done with them.

    Attributes
    ----------
    count : int
        Number of rows.
    examples : tuple of int
        The first row numbers; the first row after the header is 1.
    treatment : str
        ``left out`` or how the rows were used all the same.
    """

    count: int
    examples: tuple[int, ...]
    treatment: str


@dataclass(frozen=True)
class DataReport:
    """What was read, what was used, and every oddity by name.

    Attributes
    ----------
    read, used : int
        Rows of the source, and rows that became part of the data set.
    findings : dict of str to Finding
        ``empty_text``, ``no_information``, ``unknown_code``, ``coarsened_code``,
        ``padded_code``, ``duplicate``, ``conflicting_label``, ``missing_feature``,
        ``ragged_row``; absent when none.
    notes : tuple of str
        Sentences about the whole file, such as an encoding that was guessed.
    """

    read: int
    used: int
    findings: dict[str, Finding]
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a plain document."""
        return {
            "read": self.read,
            "used": self.used,
            "findings": {
                name: {
                    "count": found.count,
                    "rows": list(found.examples),
                    "treatment": found.treatment,
                }
                for name, found in self.findings.items()
            },
            "notes": list(self.notes),
        }

    def lines(self) -> list[str]:
        """Return the report as sentences for a person."""
        lines = [f"{self.used:,} of {self.read:,} rows used."]
        for name, found in self.findings.items():
            rows = ", ".join(map(str, found.examples))
            more = ", ..." if found.count > len(found.examples) else ""
            lines.append(
                f"{name.replace('_', ' ')}: {found.count:,} rows ({found.treatment}), "
                f"for example rows {rows}{more}"
            )
        return [*lines, *self.notes]


@dataclass(frozen=True)
class Dataset:
    """Texts with codes in their nomenclature's own form.

    Attributes
    ----------
    texts, codes : tuple of str
        Same length and order.
    rows : tuple of int
        Row numbers in the source.
    nomenclature : Nomenclature
        What the codes belong to.
    report : DataReport
        What was read, left out and doubtful.
    source : str
        Where the texts come from, for the model's card.
    features : mapping of str to tuple of str
        Side variables by column name, one value a row in the order of ``texts``; ``""`` where the
        source has none. Empty when no column was asked for.
    public : bool
        Whether the texts are published reference material: a model may keep and show them.
    """

    texts: tuple[str, ...]
    codes: tuple[str, ...]
    rows: tuple[int, ...]
    nomenclature: Nomenclature
    report: DataReport
    source: str = ""
    features: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    public: bool = False

    def __len__(self) -> int:
        """Return the number of labelled texts."""
        return len(self.texts)

    def subset(self, indices: Iterable[int]) -> Dataset:
        """Return the data set of the texts at ``indices``; its report stays that of the source."""
        chosen = list(indices)
        return replace(
            self,
            texts=tuple(self.texts[i] for i in chosen),
            codes=tuple(self.codes[i] for i in chosen),
            rows=tuple(self.rows[i] for i in chosen),
            features={
                name: tuple(values[i] for i in chosen) for name, values in self.features.items()
            },
        )

    def feature_rows(self) -> list[dict[str, str]]:
        """Return the side variables of each text as ``{column: value}``, in the order of texts."""
        if not self.features:
            return [{} for _ in self.texts]
        rows = zip(*self.features.values(), strict=True)
        return [dict(zip(self.features, row, strict=True)) for row in rows]

    @property
    def sha256(self) -> str:
        """Hash of texts, codes and side variables in their order."""
        digest = hashlib.sha256()
        columns: list[Sequence[str]] = [self.texts, self.codes]
        for name in sorted(self.features):
            digest.update(f"{name}\0".encode("utf-8", "surrogatepass"))
            columns.append(self.features[name])
        for row in zip(*columns, strict=True):
            for value in row:
                raw = value.encode("utf-8", "surrogatepass")
                digest.update(len(raw).to_bytes(8, "big") + raw)
        return digest.hexdigest()


_TREATMENT = {
    "empty_text": "left out",
    "no_information": "left out: the text holds no word that says something",
    "unknown_code": "left out: not in the nomenclature",
    "coarsened_code": "used with the deepest known code that it begins with",
    "padded_code": "used with the leading zero that the file's number format lost",
    "duplicate": "used: same text, side variables and code as an earlier row",
    "conflicting_label": "used: same text and side variables as another row with another code",
    "missing_feature": "used: a side variable is empty",
    "ragged_row": "used: more or fewer fields than the header",
}


def examine(
    texts: Sequence[str],
    codes: Sequence[str],
    nomenclature: Nomenclature,
    *,
    numbers: Sequence[int] = (),
    numeric_codes: bool = False,
    ragged: Sequence[int] = (),
    notes: Sequence[str] = (),
    source: str = "",
    language: str = "",
    features: Mapping[str, Sequence[str]] | None = None,
) -> Dataset:
    """Return the usable rows of ``texts`` and ``codes`` with the report on all of them.

    Parameters
    ----------
    texts, codes : sequence of str
        Same length and order.
    nomenclature : Nomenclature
        What the codes must belong to.
    numbers : sequence of int, optional
        Row numbers; 1, 2, ... by default.
    numeric_codes : bool
        Whether the source kept codes as numbers, so that leading zeros are lost.
    ragged : sequence of int
        Row numbers with a wrong number of fields.
    notes : sequence of str
        Sentences to hand on in the report.
    source : str
        Where the rows come from.
    language : str, optional
        Rules by which a text says something or nothing; those of the nomenclature by default.
    features : mapping of str to sequence of str, optional
        Side variables by column name, one value a row; ``""`` where there is none.
    """
    columns = {name: list(values) for name, values in (features or {}).items()}
    sieve = _Sieve(nomenclature, language or nomenclature.language)
    sieve.found["ragged_row"] = list(ragged)
    width = max((len(code.strip()) for code in codes), default=0) if numeric_codes else 0
    beside = zip(*columns.values(), strict=True) if columns else [()] * len(texts)
    rows = numbers or range(1, len(texts) + 1)
    for row, text, raw, values in zip(rows, texts, codes, beside, strict=True):
        code = raw.strip()
        if numeric_codes and len(code) == width - 1:
            code = f"0{code}"
            sieve.found["padded_code"].append(row)
        sieve.add(row, text, code, tuple(value.strip() for value in values))
    sieve.compare()
    unknown = len(sieve.found["unknown_code"])
    if unknown > MANY_UNKNOWN * len(texts):
        notes = [
            *notes,
            f"{unknown / len(texts):.0%} of the codes are not in {nomenclature.name}: "
            "check --nomenclature and --code-column.",
        ]
    return Dataset(
        texts=tuple(kept.text for kept in sieve.kept),
        codes=tuple(kept.code for kept in sieve.kept),
        rows=tuple(kept.row for kept in sieve.kept),
        nomenclature=nomenclature,
        report=DataReport(len(texts), len(sieve.kept), sieve.findings(), tuple(notes)),
        source=source,
        features={
            name: tuple(kept.features[i] for kept in sieve.kept) for i, name in enumerate(columns)
        },
    )


class _Kept(NamedTuple):
    row: int
    text: str
    code: str
    prepared: str
    features: tuple[str, ...]


class _Sieve:
    """Sorts rows into those that can be used and findings."""

    def __init__(self, nomenclature: Nomenclature, language: str) -> None:
        self.kept: list[_Kept] = []
        self.found: defaultdict[str, list[int]] = defaultdict(list)
        self._nomenclature = nomenclature
        self._prepare = Preparation(rules_for(language))

    def add(self, row: int, text: str, code: str, features: tuple[str, ...]) -> None:
        """Judge one row by itself."""
        known = self._nomenclature.parse(code) if code else None
        if known is None and code:
            known = self._nomenclature.nearest(code)
            if known is not None:
                self.found["coarsened_code"].append(row)
        prepared = self._prepare(text)
        if not text.strip():
            self.found["empty_text"].append(row)
        elif not prepared:
            self.found["no_information"].append(row)
        if known is None:
            self.found["unknown_code"].append(row)
        elif prepared:
            self.kept.append(_Kept(row, text, known, prepared, features))
            if not all(features):
                self.found["missing_feature"].append(row)

    def compare(self) -> None:
        """Find the rows that repeat or contradict another, by prepared text and side variables."""
        codes: defaultdict[tuple[str, ...], set[str]] = defaultdict(set)
        for kept in self.kept:
            said = (kept.prepared, *kept.features)
            if kept.code in codes[said]:
                self.found["duplicate"].append(kept.row)
            codes[said].add(kept.code)
        torn = {
            said
            for said, given in codes.items()
            if len(given) > 1 and not self._nomenclature.on_one_path(given)
        }
        self.found["conflicting_label"] = [
            kept.row for kept in self.kept if (kept.prepared, *kept.features) in torn
        ]

    def findings(self) -> dict[str, Finding]:
        """Return what was found, in a fixed order."""
        return {
            name: Finding(len(self.found[name]), tuple(self.found[name][:EXAMPLES]), treatment)
            for name, treatment in _TREATMENT.items()
            if self.found[name]
        }
