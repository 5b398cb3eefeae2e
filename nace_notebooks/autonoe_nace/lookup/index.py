"""The rules engine: look a text up among texts whose codes are known; answer only when sure."""

from __future__ import annotations

import hashlib
import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.lookup.synonyms import Canon, SynonymSet
from autonoe_nace.text import Banding, Preparation, RuleSet

if TYPE_CHECKING:
    from autonoe_nace.data import Dataset
    from autonoe_nace.nomenclature import Nomenclature

LOOKUP_FILE = "lookup.json"
"""Its name in a model's folder."""

FORMAT = 1
MIN_SCORE = 0.8
"""Share of the evidence that one code must have before the engine answers."""

_SMOOTHING = 0.5
"""Added to the count of each value of a qualifier, so that one unseen value does not forbid."""

RULES = ("exact", "normalised", "head")


@dataclass(frozen=True, slots=True)
class LookupAnswer:
    """What the engine says of one text.

    Attributes
    ----------
    code : str or None
        None when it is not sure: no entry, or several codes and nothing that tells them apart.
    score : float
        Share of the evidence for the best code, in [0, 1]; 0 when there is no entry.
    rule : str
        The rule that found the entry: ``exact``, ``normalised`` or ``head``; empty when none.
    qualifiers : tuple of str
        Side variables, ``column=value``, that had a say.
    candidates : tuple of (str, float)
        The codes of the entry with their scores, the best first.
    """

    code: str | None
    score: float
    rule: str
    qualifiers: tuple[str, ...] = ()
    candidates: tuple[tuple[str, float], ...] = ()


_NOTHING = LookupAnswer(None, 0.0, "")


@dataclass
class Entry:
    """How often each code was given to a key, and with which values of the side variables."""

    codes: Counter[str] = field(default_factory=Counter)
    qualifiers: dict[str, dict[str, Counter[str]]] = field(default_factory=dict)
    """Column, value, code: how often. Only for keys with several codes: others need none."""

    def to_list(self) -> list[Any]:
        """Return the form in which it is written."""
        return [dict(self.codes), self.qualifiers] if self.qualifiers else [dict(self.codes)]


class LookupIndex:
    """Texts with known codes, found again exactly, normalised, or without their qualifiers.

    Three rules in order; the first that finds a sure code answers. ``exact``: the same letters,
    case and accents aside. ``normalised``: the same words after preparation and synonyms, in any
    order. ``head``: the same words once those that only qualify ("wholesale") are left out of the
    entry, when the text has none of them. Where an entry has several codes, the side variables
    score them (naive Bayes with counts of that entry alone); below ``min_score`` there is no
    answer.

    Make one with :meth:`build` or :meth:`load`.
    """

    def __init__(
        self,
        prepare: Preparation,
        synonyms: SynonymSet,
        entries: Mapping[str, dict[str, Entry]],
        *,
        nomenclature: str,
        level: int,
        min_score: float = MIN_SCORE,
        bands: Mapping[str, Banding] | None = None,
        sources: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        self.prepare = prepare
        self.synonyms = synonyms
        self.entries = entries
        self.nomenclature = nomenclature
        self.level = level
        self.min_score = min_score
        self.bands = dict(bands or {})
        self.sources = list(sources)
        self._canon = Canon(synonyms, prepare)

    @classmethod
    def build(
        cls,
        dataset: Dataset,
        nomenclature: Nomenclature,
        rules: RuleSet,
        synonyms: SynonymSet | None = None,
        *,
        extra: Sequence[Dataset] = (),
        titles: bool = True,
        level: int | None = None,
        min_score: float = MIN_SCORE,
        bands: Mapping[str, Banding] | None = None,
    ) -> LookupIndex:
        """Return the index of ``dataset``, ``extra`` and the titles of ``nomenclature``.

        Parameters
        ----------
        dataset : Dataset
            Coded texts, with side variables if they have any.
        nomenclature : Nomenclature
            What the codes belong to.
        rules : RuleSet
            How texts are prepared.
        synonyms : SynonymSet, optional
            None by default.
        extra : sequence of Dataset
            More coded texts, such as explanatory notes.
        titles : bool
            Whether the titles of the codes are entries too, when they are in the rules' language.
        level : int, optional
            Level of the answers; that of most codes by default.
        min_score : float
            In (0.5, 1].
        bands : mapping of str to Banding, optional
            How side variables that are numbers are cut.

        Raises
        ------
        InvalidInputError
            If ``min_score`` is out of range or no text has a code at the level.
        """
        from autonoe_nace.lookup.build import gather_entries

        if not 0.5 < min_score <= 1:
            raise InvalidInputError(
                f"The least score is {min_score}; it must be above 0.5 and at most 1.",
                hint="0.8 asks for four fifths of the evidence.",
            )
        prepare = Preparation(rules)
        index = cls(
            prepare,
            synonyms or SynonymSet(),
            {rule: {} for rule in RULES},
            nomenclature=nomenclature.name,
            level=1,
            min_score=min_score,
            bands=bands,
        )
        gather_entries(index, [dataset, *extra], nomenclature, titles=titles, level=level)
        return index

    def code(self, text: str, features: Mapping[str, str] | None = None) -> LookupAnswer:
        """Return the answer for ``text`` with its side variables."""
        unsure = _NOTHING
        for rule, key in self.keys(text):
            entry = self.entries[rule].get(key)
            if entry is None:
                continue
            answer = self._judge(rule, entry, features or {})
            if answer.code is not None:
                return answer
            unsure = unsure if unsure.rule else answer
        return unsure

    def code_all(
        self, texts: Sequence[str], features: Sequence[Mapping[str, str]] | None = None
    ) -> list[LookupAnswer]:
        """Return the answers for ``texts``, in the same order."""
        given: Iterable[Mapping[str, str]] = features if features is not None else [{}] * len(texts)
        return [self.code(text, row) for text, row in zip(texts, given, strict=True)]

    def keys(self, text: str) -> Iterable[tuple[str, str]]:
        """Yield (rule, key) under which ``text`` is looked up, the surest rule first."""
        exact = exact_form(text)
        if exact:
            yield "exact", exact
        words = self._canon.words(self.prepare(text))
        if words:
            yield "normalised", _bag(words)
            if self._canon.qualifiers.isdisjoint(words):
                yield "head", _bag(words)

    def entry_keys(self, text: str) -> Iterable[tuple[str, str]]:
        """Yield (rule, key) under which a text with a known code is kept."""
        exact = exact_form(text)
        if exact:
            yield "exact", exact
        words = self._canon.words(self.prepare(text))
        if words:
            yield "normalised", _bag(words)
            head = [word for word in words if word not in self._canon.qualifiers]
            if head and self._canon.qualifiers:
                yield "head", _bag(head)

    def value(self, column: str, raw: str) -> str:
        """Return the form in which the values of a side variable are compared."""
        bare = " ".join(raw.casefold().split())
        band = self.bands.get(column)
        return band.classify(bare) if band is not None else bare

    def _judge(self, rule: str, entry: Entry, features: Mapping[str, str]) -> LookupAnswer:
        if len(entry.codes) == 1:
            (code,) = entry.codes
            return LookupAnswer(code, 1.0, rule, (), ((code, 1.0),))
        weights = {code: math.log(n) for code, n in entry.codes.items()}
        used = []
        for column, values in entry.qualifiers.items():
            value = self.value(column, features.get(column, ""))
            seen = values.get(value)
            if not value or seen is None:
                continue
            used.append(f"{column}={value}")
            for code, n in entry.codes.items():
                share = (seen[code] + _SMOOTHING) / (n + _SMOOTHING * len(values))
                weights[code] += math.log(share)
        largest = max(weights.values())
        odds = {code: math.exp(weight - largest) for code, weight in weights.items()}
        total = sum(odds.values())
        ranked = sorted(((c, o / total) for c, o in odds.items()), key=lambda x: (-x[1], x[0]))
        best, score = ranked[0]
        sure = score >= self.min_score
        return LookupAnswer(best if sure else None, score, rule, tuple(used), tuple(ranked))

    def to_dict(self) -> dict[str, Any]:
        """Return the document that travels with a model; :meth:`from_dict` reads it."""
        return {
            "format": FORMAT,
            "nomenclature": self.nomenclature,
            "level": self.level,
            "min_score": self.min_score,
            "preparation": self.prepare.rules.to_dict(),
            "synonyms": self.synonyms.model_dump(mode="json"),
            "bands": {name: band.model_dump(mode="json") for name, band in self.bands.items()},
            "sources": self.sources,
            "entries": {
                rule: {key: found[key].to_list() for key in sorted(found)}
                for rule, found in self.entries.items()
            },
        }

    @cached_property
    def sha256(self) -> str:
        """Hash of the content; equal hashes give equal answers."""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()

    def save(self, path: str | Path) -> Path:
        """Write the index to the file ``path`` and return it."""
        target = Path(path)
        target.write_text(json.dumps(self.to_dict(), ensure_ascii=False) + "\n", encoding="utf-8")
        return target

    @classmethod
    def load(cls, path: str | Path) -> LookupIndex:
        """Return the index in the file ``path``.

        Raises
        ------
        AutonoeError
            ``lookup_missing`` or ``lookup_damaged``.
        """
        try:
            document = json.loads(Path(path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise AutonoeError(
                f"There is no look-up index {path}.",
                hint="Make one with `autonoe nace lookup build`.",
                code="lookup_missing",
            ) from error
        except (OSError, ValueError, RecursionError) as error:
            raise _damaged("it is no JSON") from error
        return cls.from_dict(document)

    @classmethod
    def from_dict(cls, document: Any) -> LookupIndex:
        """Return the index of a document written by :meth:`to_dict`.

        Raises
        ------
        AutonoeError
            ``lookup_damaged`` if it has another form.
        """
        try:
            if document["format"] != FORMAT:
                raise _damaged(f"it has the format {document['format']!r}, {FORMAT} is expected")
            return cls(
                Preparation(RuleSet.from_dict(document["preparation"])),
                SynonymSet.from_dict(document["synonyms"]),
                {rule: _entries(document["entries"][rule]) for rule in RULES},
                nomenclature=str(document["nomenclature"]),
                level=int(document["level"]),
                min_score=float(document["min_score"]),
                bands={n: Banding.model_validate(b) for n, b in document["bands"].items()},
                sources=list(document["sources"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged("it has not the form of an index") from error


def exact_form(text: str) -> str:
    """Return ``text`` without case and with single blanks between words."""
    return " ".join(text.casefold().split())


def _bag(words: Iterable[str]) -> str:
    return " ".join(sorted(set(words)))


def _entries(document: Mapping[str, Any]) -> dict[str, Entry]:
    found = {}
    for key, (codes, *rest) in document.items():
        entry = Entry(Counter({str(code): int(n) for code, n in codes.items()}))
        for column, values in (rest[0] if rest else {}).items():
            entry.qualifiers[column] = {v: Counter(counts) for v, counts in values.items()}
        if not entry.codes or min(entry.codes.values()) < 1:
            raise ValueError("an entry without codes")
        found[key] = entry
    return found


def _damaged(what: str) -> AutonoeError:
    return AutonoeError(
        f"The look-up index is damaged: {what}.",
        hint="Build it again with `autonoe nace lookup build`, or fetch the model again.",
        code="lookup_damaged",
    )
