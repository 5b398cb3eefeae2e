"""Why this code and not the other: the exact share of each word and n-gram of the text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import InvalidInputError
from autonoe_nace.model.answers import Candidate
from autonoe_nace.model.ensemble import FASTTEXT
from autonoe_nace.model.explain_fasttext import FastTextFeatures, Kind, Summand
from autonoe_nace.model.explain_linear import linear_summands
from autonoe_nace.model.explain_notes import NOTES_FILE, NotesBook
from autonoe_nace.model.explain_result import Contribution, Explanation, WordShare
from autonoe_nace.model.explain_texts import TEXTS_FILE, KeptTexts, NearText
from autonoe_nace.model.parts import LINEAR, NEIGHBOURS
from autonoe_nace.model.scores import temperatures

if TYPE_CHECKING:
    from autonoe_nace.model.nace_model import NaceModel

Floats = NDArray[np.float32]

_CLASS = 4
"""Notes above the class say what classes share: too broad to explain one of them."""


class Explainer:
    """Explains the answers of one model; what it needs is found once.

    Parameters
    ----------
    model : NaceModel
        The model.
    """

    def __init__(self, model: NaceModel) -> None:
        self._model = model
        self._fasttext = FastTextFeatures(model.ensemble.fasttext.network)
        self._labels = model.ensemble.labels
        self._columns: dict[str, list[int]] = {}
        self._texts: KeptTexts | None = None
        self._notes: NotesBook | None = None

    def explain(
        self,
        text: str,
        features: Mapping[str, str] | None = None,
        code: str | None = None,
        against: str | None = None,
        top: int | None = 10,
        *,
        nearest: int = 3,
    ) -> Explanation:
        """Return why ``text`` has ``code`` rather than ``against``; see ``NaceModel.explain``.

        Raises
        ------
        InvalidInputError
            If the text holds no usable word, or a code is none that the model can give.
        """
        model = self._model
        rows = [features] if features else None
        prepared = model.prepare.all([text], rows)[0]
        if not prepared:
            raise InvalidInputError(
                "The text holds no usable word; there is nothing to explain.",
                hint="Give a text that says what is done, made or sold.",
            )
        answer = model.predict([text], 2, features=rows)[0]
        scores = {name: found[0] for name, found in model.ensemble.scores([prepared]).items()}
        weights = self._weights(scores)
        logits = sum(scores[name].astype(np.float64) * weights[name] for name in scores)
        one, other = self._codes(prepared, answer.candidates, code, against)
        columns = [self._strongest(chosen, np.asarray(logits)) for chosen, _ in (one, other)]
        first, second = columns
        parts = {
            name: float(values[first] - values[second]) * weights[name]
            for name, values in scores.items()
        }
        summands = self._summands(prepared, first, second, parts, weights)
        listed = self._listed(summands, prepared)
        shown = listed if top is None else listed[: max(0, top)]
        words, rest = self._words(summands, prepared)
        title = model.nomenclature.title
        return Explanation(
            text=text,
            text_prepared=prepared,
            code=one[0],
            title=title(one[0]),
            probability=one[1],
            against=other[0],
            against_title=title(other[0]),
            against_probability=other[1],
            labels=(self._labels[first], self._labels[second]),
            logit_difference=sum(s.value for s in summands),
            log_odds=float(np.log(max(one[1], 1e-12) / max(other[1], 1e-12))),
            contributions=tuple(shown),
            rest=sum(c.value for c in listed[len(shown) :]),
            words=words,
            other=rest,
            parts=parts,
            stage=answer.stage if answer.candidates[0].code == one[0] else "model",
            nearest=self.nearest(prepared, nearest),
            note=self.note(one[0], prepared),
        )

    def nearest(self, prepared: str, n: int) -> tuple[NearText, ...]:
        """Return the ``n`` kept training texts most like a prepared text."""
        if self._texts is None and TEXTS_FILE in self._model.manifest.files:
            self._texts = KeptTexts(self._model)
        return self._texts.nearest(prepared, n) if self._texts else ()

    def note(self, code: str, prepared: str = "") -> str:
        """Return what the note of ``code``, or of a code that says the same, says about a text."""
        if self._notes is None and NOTES_FILE in self._model.manifest.files:
            self._notes = NotesBook.load(self._model.folder)
        if self._notes is None:
            return ""
        tree, notes = self._model.nomenclature, self._notes.notes
        level = tree.level(code)
        above = [tree.ancestor(code, n) for n in reversed(tree.levels) if _CLASS <= n < level]
        # a code with a single one under it means the same as that one
        below = [only[0] for n in tree.levels if len(only := tree.descendants(code, n)) == 1]
        for known in (code, *above, *below):
            if known in notes:
                return self._notes.excerpt(known, prepared, self._model.prepare)
        return ""

    def _weights(self, scores: Mapping[str, Floats]) -> dict[str, float]:
        """Return what the scores of each part are multiplied with, the text's temperature in it."""
        given = self._model.manifest.calibration
        weights = {name: given.weights.get(name, 1.0) for name in scores}
        logits = np.sum([scores[name] * np.float32(w) for name, w in weights.items()], axis=0)
        own = float(temperatures(logits[None, :], given.temperature, given.adapt)[0])
        return {name: weight / own for name, weight in weights.items()}

    def _codes(
        self,
        prepared: str,
        candidates: Sequence[Candidate],
        code: str | None,
        against: str | None,
    ) -> tuple[tuple[str, float], tuple[str, float]]:
        """Return the two codes with their probabilities; both of one level."""
        tree = self._model.nomenclature
        if code is None and against is None and len(candidates) > 1:
            one, other = candidates[:2]
            return (one.code, one.probability), (other.code, other.probability)
        best = candidates[0].code
        wanted = [self._known(given) for given in (code, against) if given]
        levels = {tree.level(found) for found in wanted} or {tree.level(best)}
        if len(levels) > 1:
            raise InvalidInputError(
                "The two codes are of different levels.", hint="Compare two classes, for example."
            )
        level = min(levels.pop(), self._model.manifest.level)
        codes, values = self._model.roll_up(self._model.probabilities([prepared]), level)
        row = dict(zip(codes, map(float, values[0]), strict=True))
        first = self._known(code) if code else (tree.ancestor(best, level) or best)
        if first not in row and not code:
            first = max(row, key=lambda c: row[c])  # the model's level lies below a gap in the tree
        second = self._known(against) if against else ""
        if not second:
            second = max((c for c in row if c != first), key=lambda c: row[c])
        for chosen in (first, second):
            if chosen not in row:
                raise InvalidInputError(
                    f"The model cannot answer with {chosen}.",
                    hint="It knows only codes that it saw; see its README.md.",
                )
        return (first, row[first]), (second, row[second])

    def _known(self, code: str | None) -> str:
        found = self._model.nomenclature.parse(code or "")
        if found is None or self._model.nomenclature.level(found) > self._model.manifest.level:
            raise InvalidInputError(
                f"The model's nomenclature has no such code down to level "
                f"{self._model.manifest.level}.",
                hint=f"Give a code of {self._model.nomenclature.name}.",
            )
        return found

    def _strongest(self, code: str, logits: NDArray[np.float64]) -> int:
        """Return the label that decides on ``code``: the highest under it, or the one above it."""
        columns = self._columns.get(code)
        if columns is None:
            tree = self._model.nomenclature
            level = tree.level(code)
            columns = [i for i, x in enumerate(self._labels) if tree.ancestor(x, level) == code]
            if not columns:
                above = {tree.ancestor(code, n) for n in tree.levels if n < level}
                columns = [i for i, label in enumerate(self._labels) if label in above]
            self._columns[code] = columns
        return max(columns, key=lambda i: (logits[i], -i))

    def _summands(
        self,
        prepared: str,
        first: int,
        second: int,
        parts: Mapping[str, float],
        weights: Mapping[str, float],
    ) -> list[Summand]:
        ensemble = self._model.ensemble
        direction = ensemble.fasttext.output[first] - ensemble.fasttext.output[second]
        found = [
            s._replace(value=s.value * weights[FASTTEXT])
            for s in self._fasttext.summands(prepared, direction)
        ]
        if ensemble.vectors is not None and ensemble.linear is not None:
            linear = linear_summands(ensemble.vectors, ensemble.linear, prepared, first, second)
            found += [s._replace(value=s.value * weights[LINEAR]) for s in linear]
        if NEIGHBOURS in parts:
            found.append(Summand("neighbours", "", -1, -1, parts[NEIGHBOURS]))
        return found

    def _listed(self, summands: list[Summand], prepared: str) -> list[Contribution]:
        """Return one contribution a feature and place, whichever parts know it."""
        sums: defaultdict[tuple[Kind, str, int, int], float] = defaultdict(float)
        for kind, text, first, last, value in summands:
            sums[kind, text, first, last] += value
        found = [
            Contribution(*self._shown(kind, text), value)
            for (kind, text, _, _), value in sums.items()
        ]
        return sorted(found, key=lambda c: -abs(c.value))

    def _shown(self, kind: Kind, text: str) -> tuple[Kind, str]:
        describe = self._model.prepare.features.describe
        variable = describe(text.strip("<>"))
        if variable is not None:
            return "feature", "=".join(variable)
        if kind != "words":
            return kind, text
        named = (describe(word) for word in text.split())
        words = text.split()
        return kind, " ".join(
            "=".join(found) if found else word for found, word in zip(named, words, strict=True)
        )

    def _words(self, summands: list[Summand], prepared: str) -> tuple[tuple[WordShare, ...], float]:
        words = prepared.split()
        values = [0.0] * len(words)
        other = 0.0
        for summand in summands:
            covered = range(summand.first, summand.last + 1) if summand.first >= 0 else ()
            for place in covered:
                values[place] += summand.value / len(covered)
            if not covered:
                other += summand.value
        shown = [self._shown("word", word)[1] for word in words]
        return tuple(WordShare(*pair) for pair in zip(shown, values, strict=True)), other
