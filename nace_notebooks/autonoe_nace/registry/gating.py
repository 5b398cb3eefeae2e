"""The gate: a challenger must be better than the champion on gold, beyond what chance explains.

The figures are those of :func:`autonoe_nace.evaluation.compare`: the same draws of texts for both
models. The gate adds what a decision needs: a yardstick for the first model, the sections, and gold
without the texts that either model is known to have learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import InvalidInputError
from autonoe_nace.data import Dataset
from autonoe_nace.evaluation import observe
from autonoe_nace.evaluation.bootstrap import Bootstrap, Columns, bounds, ratio
from autonoe_nace.evaluation.outcomes import LevelOutcomes
from autonoe_nace.model import NaceModel
from autonoe_nace.registry.overlap import Overlap
from autonoe_nace.splitting import near_duplicate_groups

Floats = NDArray[np.float64]

FEWEST = 100
"""Gold texts below which no interval is worth a decision."""
_FEWEST_IN_SECTION = 25
_ALL = "all"


@dataclass(frozen=True)
class Estimate:
    """A difference with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class GateReport:
    """The comparison of a challenger with the champion on the same gold texts.

    Attributes
    ----------
    passed : bool
        Whether the whole interval of ``difference`` lies above zero.
    level : int
        Level of the codes compared: the finest that both models have.
    n : int
        Gold texts compared: those whose code reaches that level and that neither model is known to
        have learned.
    against : str
        The champion's id, or ``most frequent code`` while there is no champion: the first model
        must beat the answer that needs no model.
    challenger, champion : float
        Top-1 accuracy of each, in [0, 1].
    difference : Estimate
        The first minus the second. The bootstrap draws groups of near-duplicate texts, the same
        ones for both: that is what makes the comparison paired.
    gained, lost : int
        Texts that only the challenger, and only the champion, codes rightly.
    worse_sections : tuple of str
        Sections where the whole interval of the difference lies below zero. They do not close the
        gate: with 22 sections one or two can be such by chance; a person should look.
    groups : int
        Groups of near-duplicates among the gold texts: what is drawn.
    gold_sha256 : str
        Of the gold texts and codes, those left out included.
    learned_by_challenger, learned_by_champion : int or None
        Gold texts that are, after preparation, a text that the model carries and learned from.
        None for a model that carries no texts: then nobody can tell.
    left_out : int
        Gold texts that at least one of the models learned so; they are not compared.
    """

    passed: bool
    level: int
    n: int
    challenger_id: str
    against: str
    challenger: float
    champion: float
    difference: Estimate
    gained: int
    lost: int
    worse_sections: tuple[str, ...]
    groups: int
    gold_sha256: str
    replicates: int
    seed: int
    learned_by_challenger: int | None = None
    learned_by_champion: int | None = None
    left_out: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a plain document."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the verdict in one line for a person."""
        d = self.difference
        verdict = "is better" if self.passed else "is not shown to be better"
        note = ""
        if self.left_out:
            learned = _learned(self.learned_by_challenger, self.learned_by_champion)
            note = f" {self.left_out:,} gold texts were left out: {learned}."
        return (
            f"{self.challenger_id} {verdict} than {self.against}: top-1 {d.value:+.3f} "
            f"({d.low:+.3f} to {d.high:+.3f}) on {self.n:,} gold texts.{note}"
        )


def gate(
    challenger: NaceModel,
    champion: NaceModel | None,
    gold: Dataset,
    *,
    weights: Sequence[float] | None = None,
    replicates: int = 2_000,
    seed: int = 1,
) -> GateReport:
    """Compare ``challenger`` with ``champion`` on the same texts.

    Parameters
    ----------
    challenger : NaceModel
        The model that wants the alias.
    champion : NaceModel or None
        The model that has it; None when there is none yet.
    gold : Dataset
        Labelled texts that neither learned from; those that one is known to have learned are left
        out.
    weights : sequence of float, optional
        One per text, positive: inverse inclusion probabilities when gold is a sample.
    replicates : int
        Bootstrap samples.
    seed : int
        Of the bootstrap: the same models and gold give the same verdict.

    Raises
    ------
    InvalidInputError
        If fewer than :data:`FEWEST` gold texts at the level are left, the models code to
        different nomenclatures, weights do not fit, or the challenger learned from ``gold``.
    """
    level = _common_level(challenger, champion)
    _check_not_learned(challenger, gold)
    overlap = Overlap.of(challenger, champion, gold)
    fresh, weights = overlap.without(gold, weights)
    seen = observe(challenger, fresh, weights=weights) if len(fresh) else None
    mine = seen.levels.get(level) if seen else None
    if seen is None or mine is None or len(mine.rows) < FEWEST:
        raise _too_few(len(mine.rows) if mine else 0, level, overlap)
    theirs = _most_frequent(mine)
    if champion is not None:
        theirs = observe(champion, fresh, weights=weights).levels[level].right
    groups = near_duplicate_groups(challenger.prepare.all(fresh.texts))
    draws = Bootstrap(len(fresh), replicates=replicates, seed=seed, clusters=groups)
    sections = [challenger.nomenclature.ancestor(mine.codes[i], 1) or "" for i in mine.truth]
    found = _differences(draws, mine, theirs, seen.weights[mine.rows], sections)
    overall = found.pop(_ALL)
    return GateReport(
        passed=overall[2].low > 0,
        level=level,
        n=len(mine.rows),
        challenger_id=challenger.id,
        against=champion.id if champion else "the most frequent code",
        challenger=overall[0],
        champion=overall[1],
        difference=overall[2],
        gained=int((mine.right & ~theirs).sum()),
        lost=int((~mine.right & theirs).sum()),
        worse_sections=tuple(name for name, (_, _, d) in found.items() if d.high < 0),
        groups=len(set(groups)),
        gold_sha256=gold.sha256,
        replicates=replicates,
        seed=seed,
        learned_by_challenger=overlap.counts[0],
        learned_by_champion=overlap.counts[1],
        left_out=int(overlap.either.sum()),
    )


def _differences(
    draws: Bootstrap,
    mine: LevelOutcomes,
    theirs: NDArray[np.bool_],
    weights: Floats,
    sections: Sequence[str],
) -> dict[str, tuple[float, float, Estimate]]:
    """Return both accuracies and their difference, of all texts and of each larger section."""
    names = [s for s in sorted(set(sections) - {""}) if sections.count(s) >= _FEWEST_IN_SECTION]
    masks = {_ALL: np.ones(len(mine.rows), bool)}
    masks |= {name: np.array([s == name for s in sections]) for name in names}
    columns = Columns(draws.n)
    for name, mask in masks.items():
        rows, weight = mine.rows[mask], weights[mask]
        columns.add(f"{name} n", rows, weight)
        columns.add(f"{name} mine", rows, weight * mine.right[mask])
        columns.add(f"{name} theirs", rows, weight * theirs[mask])
    point, drawn = draws.totals(columns)
    found = {}
    for name in masks:
        n, replicate_n = point[f"{name} n"], drawn[f"{name} n"]
        one, other = (ratio(point[f"{name} {who}"], n) for who in ("mine", "theirs"))
        replicates = ratio(drawn[f"{name} mine"] - drawn[f"{name} theirs"], replicate_n)
        low, high = bounds(one - other, replicates)
        estimate = Estimate(float(one[0] - other[0]), float(low[0]), float(high[0]))
        found[name] = (float(one[0]), float(other[0]), estimate)
    return found


def _most_frequent(mine: LevelOutcomes) -> NDArray[np.bool_]:
    """Return where the commonest code of gold would be right: the answer that needs no model."""
    right: NDArray[np.bool_] = mine.truth == np.bincount(mine.truth).argmax()
    return right


def _common_level(challenger: NaceModel, champion: NaceModel | None) -> int:
    if champion is None:
        return challenger.manifest.level
    names = challenger.nomenclature.name, champion.nomenclature.name
    if names[0] != names[1]:
        raise InvalidInputError(
            f"The challenger codes to {names[0]} and the champion to {names[1]}.",
            hint="Register models of another nomenclature under a name of their own.",
        )
    return min(challenger.manifest.level, champion.manifest.level)


def _check_not_learned(challenger: NaceModel, gold: Dataset) -> None:
    learned = {source.get("sha256") for source in challenger.manifest.training.get("sources", ())}
    if gold.sha256 in learned:
        raise InvalidInputError(
            "The challenger learned from these very gold texts.",
            hint="Keep gold out of training, or split it and compare on the other part.",
        )


def _too_few(n: int, level: int, overlap: Overlap) -> InvalidInputError:
    which, left_out = "", ""
    if out := int(overlap.either.sum()):
        which = " that no model learned"
        left_out = f" {out} others were left out: {_learned(*overlap.counts)}."
    return InvalidInputError(
        f"Gold holds {n} texts with a code of level {level}{which}; the gate needs {FEWEST}."
        f"{left_out}",
        hint="Annotate more texts, or force the promotion with a reason.",
    )


def _learned(challenger: int | None, champion: int | None) -> str:
    """Return in words how many gold texts each model learned; nothing of one that cannot tell."""
    known = (("challenger", challenger), ("champion", champion))
    parts = [f"the {who} learned {n:,} of them" for who, n in known if n is not None]
    return " and ".join(parts)
