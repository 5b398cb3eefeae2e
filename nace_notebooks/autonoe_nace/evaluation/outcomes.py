"""What a model answered to each labelled text, at each level: all figures are made from this."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import InvalidInputError
from autonoe_nace.data import Dataset
from autonoe_nace.evaluation.sets import SetBook, SetOutcomes
from autonoe_nace.model import NaceModel
from autonoe_nace.model.nace_model import best

TOP = 5
_BLOCK = 4_096

Floats = NDArray[np.float64]
Places = NDArray[np.intp]


@dataclass(frozen=True)
class LevelOutcomes:
    """The answers at one level, for the texts whose code reaches it.

    Attributes
    ----------
    level : int
        1 section to 6.
    codes : tuple of str
        The codes that the model can answer with, then those that only the texts have.
    known : int
        How many of ``codes`` the model can answer with.
    rows : array of int, shape (n,)
        Positions of the texts in the data set.
    truth : array of int, shape (n,)
        Position of each true code in ``codes``.
    top : array of int, shape (n, k)
        Positions of the up to five most probable codes, the best first.
    probability : array of float, shape (n,)
        Of the first code.
    confidence : array of float, shape (n,)
        Probability of the first minus that of the second.
    brier : array of float, shape (n,)
        Squared distance of the probabilities from the truth, in [0, 2].
    probabilities : array of float, shape (known,)
        Sum over the texts, weighted: the counts that calibrated probabilities expect.
    """

    level: int
    codes: tuple[str, ...]
    known: int
    rows: Places
    truth: Places
    top: Places
    probability: Floats
    confidence: Floats
    brier: Floats
    probabilities: Floats

    @property
    def first(self) -> Places:
        """Position of the most probable code of each text."""
        return np.asarray(self.top[:, 0], dtype=np.intp)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether the most probable code is the true one."""
        return np.asarray(self.first == self.truth)

    @property
    def rank(self) -> Places:
        """Place of the true code among the first five, from 0; 5 when it is not among them."""
        hits = self.top == self.truth[:, None]
        return np.where(hits.any(axis=1), hits.argmax(axis=1), TOP).astype(np.intp)


@dataclass(frozen=True)
class Outcomes:
    """The answers of one model to one data set, with the weight of each text.

    Attributes
    ----------
    model, n : str, int
        The model's id; the number of texts.
    weights : array of float, shape (n,)
        Positive; ones unless the texts are a sample with unequal inclusion probabilities.
    levels : dict of int to LevelOutcomes
        From the broadest level to that of the model; levels without a text are missing.
    sets : SetOutcomes or None
        The conformal sets of the texts of the finest level, if they were asked for and it is the
        model's own.
    """

    model: str
    n: int
    weights: Floats
    levels: dict[int, LevelOutcomes]
    sets: SetOutcomes | None = None

    @property
    def finest(self) -> LevelOutcomes:
        """The answers at the finest level."""
        return self.levels[max(self.levels)]


def observe(
    model: NaceModel,
    data: Dataset,
    *,
    weights: Sequence[float] | None = None,
    coverage: float | None = None,
) -> Outcomes:
    """Let ``model`` answer all texts of ``data`` and keep what evaluation needs of it.

    The answers are those of ``predict``: where the model has a rules engine, it answers first.

    A text whose code is broader than a level does not count there. A code that the model has
    never seen counts as wrong.

    Parameters
    ----------
    model : NaceModel
        The model to judge.
    data : Dataset
        Labelled texts that it did not learn from.
    weights : sequence of float, optional
        One per text: the inverse of its inclusion probability. All the same when left out.
    coverage : float, optional
        In (0, 1): keep the conformal sets with this coverage too, where the model knows them.

    Raises
    ------
    InvalidInputError
        If there is no text, or the weights do not fit.
    """
    if not len(data):
        raise InvalidInputError("There is no text to evaluate on.", hint="Check the input report.")
    weight = check_weights(weights, len(data))
    parsed = [model.nomenclature.parse(code) for code in data.codes]
    ancestor = model.nomenclature.ancestor
    levels = [n for n in model.nomenclature.levels if n <= model.manifest.level]
    truth = {n: [ancestor(code, n) if code else None for code in parsed] for n in levels}
    features = data.feature_rows() if data.features else None
    sets = SetBook.of(model, coverage)
    books = {level: _Book(level) for level in levels if any(truth[level])}
    for start in range(0, len(data), _BLOCK):
        part = slice(start, start + _BLOCK)
        texts, beside = data.texts[part], features[part] if features else None
        probabilities, _ = model.decided(model.prepare.all(texts, beside), texts, beside)
        if sets is not None:
            sets.add(truth[model.manifest.level][part], probabilities)
        for level, book in books.items():
            codes, rolled = model.roll_up(probabilities, level)
            book.add(start, truth[level][part], codes, np.asarray(rolled), weight[part])
    if not books:
        raise InvalidInputError(
            f"No text has a code of {model.nomenclature.name}.",
            hint="Check the column of the codes.",
        )
    return Outcomes(
        model=model.id,
        n=len(data),
        weights=weight,
        levels={level: book.close() for level, book in books.items()},
        sets=sets.close() if sets is not None else None,
    )


def check_weights(weights: Sequence[float] | None, n: int) -> Floats:
    """Return the weights as an array, ones when there are none.

    Raises
    ------
    InvalidInputError
        If there are not ``n``, or one is not a positive number.
    """
    if weights is None:
        return np.ones(n)
    found = np.asarray(weights, dtype=float)
    if found.shape != (n,) or not np.isfinite(found).all() or (found <= 0).any():
        raise InvalidInputError(
            f"{n} positive weights are wanted, one per text; {found.size} were given.",
            hint="A weight is the inverse of the text's probability to be in the sample.",
        )
    return found


class _Book:
    """Collects the answers at one level, block by block."""

    def __init__(self, level: int) -> None:
        self.level = level
        self._codes: tuple[str, ...] = ()
        self._place: dict[str, int] = {}
        self._sums: Floats = np.zeros(0)
        self._parts: list[tuple[NDArray[np.generic], ...]] = []

    def add(
        self,
        start: int,
        truth: Sequence[str | None],
        codes: tuple[str, ...],
        values: NDArray[np.float32],
        weight: Floats,
    ) -> None:
        """Keep the answers to the texts from position ``start`` on."""
        if not self._codes:
            self._codes = codes
            self._place = {code: i for i, code in enumerate(codes)}
            self._sums = np.zeros(len(codes))
        rows = np.array([i for i, true in enumerate(truth) if true is not None], dtype=np.intp)
        true = [self._place.setdefault(c, len(self._place)) for c in truth if c is not None]
        places = np.array(true, dtype=np.intp)
        values = values[rows]
        order = best(values, TOP)
        top = np.take_along_axis(values, order, axis=1).astype(float)
        second = top[:, 1] if top.shape[1] > 1 else np.zeros(len(top))
        seen = places < len(codes)
        of_truth = np.zeros(len(rows))
        of_truth[seen] = values[np.flatnonzero(seen), places[seen]]
        squares = np.einsum("ij,ij->i", values, values, dtype=float)
        self._sums += weight[rows] @ values.astype(float)
        brier = 1 - 2 * of_truth + squares
        confidence = np.maximum(top[:, 0] - second, 0)
        self._parts.append((rows + start, places, order, top[:, 0], confidence, brier))

    def close(self) -> LevelOutcomes:
        """Return what was collected."""
        rows, truth, top, probability, confidence, brier = (
            np.concatenate(column) for column in zip(*self._parts, strict=True)
        )
        return LevelOutcomes(
            level=self.level,
            codes=tuple(self._place),
            known=len(self._codes),
            rows=rows.astype(np.intp),
            truth=truth.astype(np.intp),
            top=top.astype(np.intp),
            probability=probability.astype(float),
            confidence=confidence.astype(float),
            brier=brier.astype(float),
            probabilities=self._sums,
        )
