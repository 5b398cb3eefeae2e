"""One text, one answer in two versions of a classification, consistent with the table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autonoe.errors import InvalidInputError
from autonoe_nace.model import Candidate, NaceModel, Prediction
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.recoding.answers import NOTHING, Ambiguity, CodePair, DualPrediction
from autonoe_nace.recoding.correspondence import Correspondence, Link, Relation
from autonoe_nace.recoding.joint import NONE, Floats, PairSpace

_BLOCK = 2_048
"""Texts at once: 2,048 x 1,200 pairs in double precision are 20 MiB."""


class DualCoder:
    """Answers in the version of a model and in another one, within a correspondence.

    Parameters
    ----------
    model : NaceModel
        A model of the source version.
    correspondence : Correspondence
        From the model's version to the other.
    second : NaceModel, optional
        A model of the target version, to choose among several targets and to correct the first.
    shares : mapping of (str, str) to float, optional
        How often a target follows a source code, used when there is no second model.
    k : int
        Codes and pairs in an answer.

    Raises
    ------
    InvalidInputError
        If a model's codes are not those of the correspondence.
    """

    def __init__(
        self,
        model: NaceModel,
        correspondence: Correspondence,
        *,
        second: NaceModel | None = None,
        shares: Mapping[Link, float] | None = None,
        k: int = 5,
    ) -> None:
        level = model.manifest.level
        other = second.manifest.level if second else _closest(correspondence, level)
        self.correspondence = correspondence.at(level, other)
        check_version(model, correspondence.source.name, self.correspondence.targets)
        if second:
            check_version(second, correspondence.target.name, self.correspondence.sources)
        self.model, self.second, self.k = model, second, k
        self.space = PairSpace(self.correspondence, model.codes, shares)
        self._place = {code: i for i, code in enumerate(self.space.sources)}
        self._basis = "second model" if second else "shares" if shares else "equal"

    def answer(
        self, predictions: Sequence[Prediction], second: Sequence[Prediction] | None = None
    ) -> list[DualPrediction]:
        """Return the answers that follow from single-version predictions of the first model.

        Parameters
        ----------
        predictions : sequence of Prediction
            At the model's own level. Only their candidates can be shared out, so that the
            probabilities add up to less than 1; ask for many candidates.
        second : sequence of Prediction, optional
            Of the second model for the same texts. None uses one model's answers only.

        Raises
        ------
        InvalidInputError
            If a candidate is not of the model's level.
        """
        first = _matrix(predictions, self._place, len(self.space.sources))
        if second is None:
            return self.of_probabilities(first, None)
        places = {code: i for i, code in enumerate(self.space.targets)}
        known = _matrix(second, places, len(self.space.targets), strict=False)
        return self.of_probabilities(first, known)

    def predict(
        self,
        texts: Sequence[str],
        features: Sequence[Mapping[str, str]] | None = None,
        *,
        k: int | None = None,
    ) -> list[DualPrediction]:
        """Return the answers for ``texts``.

        Parameters
        ----------
        texts : sequence of str
            As people typed them.
        features : sequence of mapping, optional
            Side variables of each text.
        k : int, optional
            Codes and pairs in an answer, in place of the coder's own number.
        """
        out: list[DualPrediction] = []
        for start in range(0, len(texts), _BLOCK):
            block = slice(start, start + _BLOCK)
            known = features[block] if features is not None else None
            first = probabilities(self.model, texts[block], known)
            second = None
            if self.second:
                found = probabilities(self.second, texts[block], known)
                second = self.space.of_targets(self.second.codes, found)
            out += self.of_probabilities(first, second, k=k)
        return out

    def of_probabilities(
        self, first: Floats, second: Floats | None, *, k: int | None = None
    ) -> list[DualPrediction]:
        """Return the answers for rows of probabilities; a row of zeros gets an empty answer.

        Parameters
        ----------
        first : array (texts, source codes of the space)
            Probabilities of the source codes.
        second : array (texts, target codes of the space), optional
            Probabilities of the target codes.
        k : int, optional
            As for :meth:`predict`.
        """
        joint = self.space.joint(first, second)
        sources = self.space.source_marginal(joint)
        targets = self.space.target_marginal(joint)
        usable = first.sum(axis=1) > 0
        return [
            self._one(joint[i], sources[i], targets[i], k or self.k, led=second is None)
            if usable[i]
            else NOTHING
            for i in range(len(first))
        ]

    def _one(
        self, joint: Floats, sources: Floats, targets: Floats, k: int, *, led: bool
    ) -> DualPrediction:
        space = self.space
        best = int(joint.argmax())
        if led:  # one model: nothing that is known speaks against its first code
            places = space.pairs_of(int(sources.argmax()))
            best = places[int(joint[places.start : places.stop].argmax())]
        source, target = int(space.source_of[best]), int(space.target_of[best])
        few = _largest(joint, k)
        return DualPrediction(
            source=self._codes(space.sources, sources, self.correspondence.source, k),
            target=self._codes(space.targets, targets, self.correspondence.target, k),
            pair=self._pair(best, joint),
            pairs=tuple(self._pair(pair, joint) for pair in few),
            source_confidence=_lead(sources, source),
            target_confidence=0.0 if target == NONE else _lead(targets, target),
            ambiguity=self._ambiguity(source, joint),
        )

    def _codes(
        self, codes: Sequence[str], values: Floats, version: Nomenclature, k: int
    ) -> tuple[Candidate, ...]:
        few = _largest(values, k)
        return tuple(_candidate(version, codes[i], float(values[i])) for i in few)

    def _pair(self, pair: int, joint: Floats) -> CodePair:
        target = int(self.space.target_of[pair])
        return CodePair(
            self.space.sources[int(self.space.source_of[pair])],
            None if target == NONE else self.space.targets[target],
            float(joint[pair]),
        )

    def _ambiguity(self, source: int, joint: Floats) -> Ambiguity | None:
        places = self.space.pairs_of(source)
        if len(places) < 2:
            return None
        code = self.space.sources[source]
        values = joint[places.start : places.stop]
        shares = values / values.sum()
        named = [self.space.targets[int(self.space.target_of[pair])] for pair in places]
        version = self.correspondence.target
        candidates = [_candidate(version, c, float(p)) for c, p in zip(named, shares, strict=True)]
        candidates.sort(key=lambda candidate: (-candidate.probability, candidate.code))
        relation = self.correspondence.relation(code) or Relation.ONE_TO_MANY
        return Ambiguity(code, relation, tuple(candidates), self._basis)


def dual_predict(
    model: NaceModel,
    texts: Sequence[str],
    correspondence: Correspondence,
    *,
    second: NaceModel | None = None,
    shares: Mapping[Link, float] | None = None,
    k: int = 5,
    features: Sequence[Mapping[str, str]] | None = None,
) -> list[DualPrediction]:
    """Return one answer per text, in the version of ``model`` and in the one it corresponds to.

    Parameters
    ----------
    model : NaceModel
        A model of the source version of ``correspondence``.
    texts : sequence of str
        As people typed them.
    correspondence : Correspondence
        What may follow what.
    second, shares, k
        As for :class:`DualCoder`.
    features : sequence of mapping, optional
        Side variables of each text, as for :meth:`NaceModel.predict`.

    Raises
    ------
    InvalidInputError
        If a model's codes are not those of the correspondence.
    """
    coder = DualCoder(model, correspondence, second=second, shares=shares, k=k)
    return coder.predict(texts, features)


def probabilities(
    model: NaceModel,
    texts: Sequence[str],
    features: Sequence[Mapping[str, str]] | None = None,
) -> Floats:
    """Return the probabilities behind a model's answers, a row a text; zeros without a usable word.

    Where the model has a rules engine, it answers first, as in ``predict``.
    """
    prepared = model.prepare.all(texts, features)
    usable = [i for i, text in enumerate(prepared) if text]
    out = np.zeros((len(prepared), len(model.codes)))
    if usable:
        out[usable], _ = model.decided(
            [prepared[i] for i in usable],
            [texts[i] for i in usable],
            [features[i] for i in usable] if features is not None else None,
        )
    return out


def of_prepared(model: NaceModel, prepared: Sequence[str]) -> Floats:
    """Return the probabilities of a model's parts for prepared texts; zeros for an empty one."""
    usable = [i for i, text in enumerate(prepared) if text]
    out = np.zeros((len(prepared), len(model.codes)))
    if usable:
        out[usable] = model.probabilities([prepared[i] for i in usable])
    return out


def check_version(model: NaceModel, version: str, known: Any) -> None:
    """Refuse a model most of whose codes are not in the correspondence.

    Raises
    ------
    InvalidInputError
        If fewer than half of its codes are.
    """
    there = sum(bool(known(code)) for code in model.codes)
    if 2 * there < len(model.codes):
        raise InvalidInputError(
            f"The model {model.id} answers with codes of {model.nomenclature.name}: "
            f"{there} of its {len(model.codes)} codes are in the correspondence's {version}.",
            hint="Give a model of that version, or the correspondence in the other direction.",
            code="other_version",
        )


def _candidate(version: Nomenclature, code: str, probability: float) -> Candidate:
    return Candidate(code, version.title(code), probability, version.level(code))


def _closest(correspondence: Correspondence, level: int) -> int:
    """Return the target level to answer at: the model's own, or the broader one the table has."""
    return min(level, max(correspondence.target.levels))


def _matrix(
    predictions: Sequence[Prediction], place: Mapping[str, int], size: int, *, strict: bool = True
) -> Floats:
    out = np.zeros((len(predictions), size))
    for row, prediction in zip(out, predictions, strict=True):
        for candidate in prediction.candidates:
            column = place.get(candidate.code)
            if column is not None:
                row[column] = candidate.probability
            elif strict:
                raise InvalidInputError(
                    f"The code {candidate.code} is not of the level of this model's answers.",
                    hint="Predict without `level`.",
                )
    return out


def _largest(values: Floats, k: int) -> list[int]:
    """Return the places of the ``k`` largest positive values; ties in the order of the codes."""
    k = min(k, len(values))
    few = np.sort(np.argpartition(-values, k - 1)[:k]) if k else np.array([], dtype=np.intp)
    ordered = few[np.argsort(-values[few], kind="stable")]
    return [int(i) for i in ordered if values[i] > 0]


def _lead(values: Floats, place: int) -> float:
    others = np.delete(values, place)
    return max(0.0, float(values[place] - (others.max() if len(others) else 0.0)))
