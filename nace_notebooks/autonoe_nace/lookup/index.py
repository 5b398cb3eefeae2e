"""The rules engine: look a text up among texts whose codes are known; answer only when sure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from autonoe.errors import AutonoeError, InvalidInputError
from autonoe_nace.lookup.entry import NOTHING, Entry, LookupAnswer
from autonoe_nace.lookup.synonyms import Canon, SynonymSet
from autonoe_nace.text import Banding, Preparation, RuleSet
from autonoe_nace.text.features import feature_key

if TYPE_CHECKING:
    from autonoe_nace.data import Dataset
    from autonoe_nace.nomenclature import Nomenclature

LOOKUP_FILE = "lookup.json"
"""Its name in a model's folder."""

FORMAT = 1
MIN_SCORE = 0.8
"""Share of the evidence that one code must have before the engine answers."""

RULES = ("exact", "normalised", "within")
"""The rules in their order: the surest first."""

KEPT = RULES[:2]
"""The rules that have entries of their own; ``within`` searches those of ``normalised``."""

FEWEST_WORDS = 2
"""Words of a text that is looked for within entries: one word is in too many."""

_MOST_ENTRIES = 2_000
"""Entries that share a text's rarest word and are compared, at most; more cannot agree anyway."""


class LookupIndex:
    """Texts with known codes, found again exactly, normalised, or within longer ones.

    Three rules in order; the first that finds a sure code answers. ``exact``: the same letters,
    case aside. ``normalised``: the same words after preparation and synonyms, in any order.
    ``within``: two words or more that all stand in longer entries, when those agree on the code.
    Where entries have several codes, the side variables score them (naive Bayes with the counts of
    those entries alone); below ``min_score`` there is no answer.

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
        using: Sequence[str] = RULES,
    ) -> None:
        unknown = sorted(set(using) - set(RULES))
        if unknown or not using:
            raise InvalidInputError(
                f"The look-up knows no rule {', '.join(unknown) or '(none was named)'}.",
                hint=f"Choose among {', '.join(RULES)}.",
            )
        if not 0.5 < min_score <= 1:
            raise InvalidInputError(
                f"The least score is {min_score}; it must be above 0.5 and at most 1.",
                hint="0.8 asks for four fifths of the evidence.",
            )
        self.prepare = prepare
        self.synonyms = synonyms
        self.entries = entries
        self.nomenclature = nomenclature
        self.level = level
        self.min_score = min_score
        self.bands = dict(bands or {})
        self.sources = list(sources)
        self.using = tuple(rule for rule in RULES if rule in using)
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
        using: Sequence[str] = RULES,
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
        using : sequence of str
            The rules that answer. ``exact`` and ``normalised`` are right more often than
            ``within``, which finds three times as many.

        Raises
        ------
        InvalidInputError
            If a rule is unknown, ``min_score`` is out of range or no text has a code at the level.
        """
        from autonoe_nace.lookup.build import gather_entries

        prepare = Preparation(rules)
        index = cls(
            prepare,
            synonyms or SynonymSet(),
            {rule: {} for rule in KEPT},
            nomenclature=nomenclature.name,
            level=1,
            min_score=min_score,
            bands=bands,
            using=using,
        )
        gather_entries(index, [dataset, *extra], nomenclature, titles=titles, level=level)
        return index

    def code(self, text: str, features: Mapping[str, str] | None = None) -> LookupAnswer:
        """Return the answer for ``text`` with its side variables."""
        unsure = NOTHING
        given = features or {}
        known = {c: v for c in given if (v := self.value(c, given[c]))}
        for rule, entry in self._found(text):
            answer = entry.judge(rule, known, self.min_score)
            if answer.code is not None:
                return answer
            unsure = unsure if unsure.rule else answer
        return unsure

    def _found(self, text: str) -> Iterator[tuple[str, Entry]]:
        """Yield (rule, entry) for each rule that finds something, the surest rule first."""
        using = self.using
        entry = self.entries["exact"].get(exact_form(text)) if "exact" in using else None
        if entry is not None:
            yield "exact", entry
        words = frozenset(self._canon.words(self.prepare(text)))
        entry = self.entries["normalised"].get(_bag(words)) if "normalised" in using else None
        if entry is not None:
            yield "normalised", entry
        if "within" in using and len(words) >= FEWEST_WORDS:
            entry = self._within(words)
            if entry is not None:
                yield "within", entry

    def _within(self, words: frozenset[str]) -> Entry | None:
        """Return the sum of the entries that hold all of ``words`` and more."""
        postings = self._postings
        lists = [postings.get(word, ()) for word in words]
        fewest = min(lists, key=len)
        if len(fewest) > _MOST_ENTRIES:
            return None
        found: Entry | None = None
        for held, entry in fewest:
            if words < held:
                found = found or Entry()
                found.add(entry)
        return found

    @cached_property
    def _postings(self) -> dict[str, list[tuple[frozenset[str], Entry]]]:
        """The normalised entries by each of their words."""
        postings: dict[str, list[tuple[frozenset[str], Entry]]] = {}
        for key, entry in self.entries["normalised"].items():
            held = frozenset(key.split())
            for word in held:
                postings.setdefault(word, []).append((held, entry))
        return postings

    def code_all(
        self, texts: Sequence[str], features: Sequence[Mapping[str, str]] | None = None
    ) -> list[LookupAnswer]:
        """Return the answers for ``texts``, in the same order."""
        given: Iterable[Mapping[str, str]] = features if features is not None else [{}] * len(texts)
        return [self.code(text, row) for text, row in zip(texts, given, strict=True)]

    def keys(self, text: str) -> dict[str, str]:
        """Return the key under which each rule in :data:`KEPT` keeps ``text``."""
        words = self._canon.words(self.prepare(text))
        keys = {"exact": exact_form(text), "normalised": _bag(words)}
        # A text that says nothing ("see extract") is no entry, however often it was coded.
        return keys if words else {}

    def value(self, column: str, raw: str) -> str:
        """Return the form in which the values of a side variable are compared."""
        return feature_key(raw, self.bands.get(column))

    def to_dict(self) -> dict[str, Any]:
        """Return the document that travels with a model; :meth:`from_dict` reads it."""
        return {
            "format": FORMAT,
            "nomenclature": self.nomenclature,
            "level": self.level,
            "min_score": self.min_score,
            "using": list(self.using),
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
                {
                    rule: {k: Entry.of(e) for k, e in document["entries"][rule].items()}
                    for rule in KEPT
                },
                nomenclature=str(document["nomenclature"]),
                level=int(document["level"]),
                min_score=float(document["min_score"]),
                bands={n: Banding.model_validate(b) for n, b in document["bands"].items()},
                sources=list(document["sources"]),
                using=list(document["using"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _damaged("it has not the form of an index") from error


def exact_form(text: str) -> str:
    """Return ``text`` without case and with single blanks between words."""
    if not text.isascii():  # a lone surrogate could not be written to a file
        text = text.encode("utf-8", "ignore").decode("utf-8")
    return " ".join(text.casefold().split())


def _bag(words: Iterable[str]) -> str:
    return " ".join(sorted(set(words)))


def _damaged(what: str) -> AutonoeError:
    return AutonoeError(
        f"The look-up index is damaged: {what}.",
        hint="Build it again with `autonoe nace lookup build`, or fetch the model again.",
        code="lookup_damaged",
    )
