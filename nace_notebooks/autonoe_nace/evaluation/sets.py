"""How often conformal sets hold the right code, and how large they are: overall and by section."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import InvalidInputError
from autonoe_nace.evaluation.bootstrap import Bootstrap, Columns, bounds, ratio
from autonoe_nace.evaluation.measures import wilson

if TYPE_CHECKING:
    from autonoe_nace.evaluation.outcomes import Outcomes
    from autonoe_nace.model import NaceModel
    from autonoe_nace.nomenclature import Nomenclature

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class SetOutcomes:
    """The sets of the texts whose code reaches the model's level, in the order of its outcomes.

    Attributes
    ----------
    wanted : float
        The coverage that was asked for, in (0, 1).
    covered : array of bool, shape (n,)
        Whether the right code is in the set.
    size : array of int, shape (n,)
        Codes in the set, at least 1.
    """

    wanted: float
    covered: NDArray[np.bool_]
    size: NDArray[np.intp]


class SetBook:
    """Collects the sets of one model, block by block.

    Parameters
    ----------
    codes : sequence of str
        Codes of the columns of the model's probabilities.
    least : array, codes
        Probability from which each joins a set.
    wanted : float
        The coverage behind ``least``.
    """

    def __init__(self, codes: Sequence[str], least: NDArray[np.float32], wanted: float) -> None:
        self.wanted = wanted
        self._least = least
        self._place = {code: i for i, code in enumerate(codes)}
        self._covered: list[NDArray[np.bool_]] = []
        self._size: list[NDArray[np.intp]] = []

    @classmethod
    def of(cls, model: NaceModel, wanted: float | None) -> SetBook | None:
        """Return an empty book; None where no set is wanted or the model knows none so wide."""
        if wanted is None or model.conformal is None:
            return None
        try:
            least = model.conformal.least_probabilities(model.codes, wanted)
        except InvalidInputError as error:
            if error.code != "coverage_unknown":
                raise
            return None
        return cls(model.codes, least, wanted)

    def add(self, truth: Sequence[str | None], probabilities: NDArray[np.float32]) -> None:
        """Keep the sets of texts with the right codes ``truth``; those with None do not count."""
        rows = [i for i, code in enumerate(truth) if code is not None]
        if not rows:
            return
        values = probabilities[rows]
        inside = values >= self._least
        inside[np.arange(len(rows)), values.argmax(axis=1)] = True  # a set is never empty
        places = [self._place.get(truth[i] or "", -1) for i in rows]
        held = [place >= 0 and bool(inside[n, place]) for n, place in enumerate(places)]
        self._covered.append(np.array(held))
        self._size.append(inside.sum(axis=1).astype(np.intp))

    def close(self) -> SetOutcomes | None:
        """Return what was collected; None when no text counted."""
        if not self._size:
            return None
        covered, size = np.concatenate(self._covered), np.concatenate(self._size)
        return SetOutcomes(self.wanted, covered, size)


def set_figures(found: Outcomes, tree: Nomenclature, draws: Bootstrap) -> dict[str, Any] | None:
    """Return coverage and mean size of the sets, with intervals.

    Returns
    -------
    dict or None
        ``wanted`` (the coverage that was asked for), ``level``, ``n``, ``coverage`` and ``size``
        (mean number of codes), each ``{"value", "low", "high"}`` and weighted; ``sections``: the
        same by section of the right code (``section``, ``title``, ``n``). Where all sets hold the
        right code, or none does, the interval of the coverage is Wilson's. None without sets.
    """
    sets = found.sets
    if sets is None:
        return None
    level = found.finest
    above = [tree.ancestor(code, tree.levels[0]) or code for code in level.codes]
    names, place = np.unique(above, return_inverse=True)
    section = place[level.truth].astype(np.intp)
    weight = found.weights[level.rows]
    columns = Columns(found.n)
    for prefix, groups, width in (("", None, 1), ("section_", section, len(names))):
        for name, values in (("weight", 1.0), ("covered", sets.covered), ("size", sets.size)):
            columns.add(f"{prefix}{name}", level.rows, weight * values, groups, width)
    point, drawn = draws.totals(columns)

    def cells(name: str, prefix: str) -> list[dict[str, float]]:
        value = ratio(point[f"{prefix}{name}"], point[f"{prefix}weight"])
        replicates = ratio(drawn[f"{prefix}{name}"], drawn[f"{prefix}weight"])
        return [
            {"value": float(v), "low": float(low), "high": float(high)}
            for v, low, high in zip(value, *bounds(value, replicates), strict=True)
        ]

    def row(i: int, n: int, prefix: str) -> dict[str, Any]:
        coverage, size = (cells(name, prefix)[i] for name in ("covered", "size"))
        return {
            "n": n,
            "coverage": _shown(coverage, n),
            "size": {**size, "low": max(1.0, size["low"])},
        }

    texts = np.bincount(section, minlength=len(names)).tolist()
    return {
        "wanted": sets.wanted,
        "level": level.level,
        **row(0, len(level.rows), ""),
        "sections": [
            {"section": str(name), "title": tree.title(str(name)), **row(i, n, "section_")}
            for i, (name, n) in enumerate(zip(names, texts, strict=True))
            if n
        ],
    }


def _shown(cell: dict[str, float], n: int) -> dict[str, float]:
    """Return ``cell`` within [0, 1]; with Wilson's interval where all replicates agree."""
    if cell["low"] == cell["high"]:
        return wilson(cell["value"] * n, n)
    return {name: min(1.0, max(0.0, value)) for name, value in cell.items()}
