"""The gate: a challenger must be better than the champion on gold, beyond what chance explains."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from autonoe.errors import InvalidInputError
from autonoe_nace.data import Dataset
from autonoe_nace.model import NaceModel
from autonoe_nace.registry.paired import Estimate, paired_bootstrap

FEWEST = 100
"""Gold texts below which no interval is worth a decision."""


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
        Gold texts whose code reaches that level.
    against : str
        The champion's id, or ``most frequent code`` while there is no champion: the first model
        must beat the answer that needs no model.
    challenger, champion, difference : Estimate
        Top-1 accuracy of each, and the first minus the second, with 95 % intervals of a bootstrap
        that resamples texts.
    gained, lost : int
        Texts that only the challenger, and only the champion, codes rightly.
    worse_sections : tuple of str
        Sections where the whole interval of the difference lies below zero. They do not close the
        gate: with 22 sections one or two can be such by chance; a person should look.
    gold_sha256 : str
        Of the gold texts and codes.
    """

    passed: bool
    level: int
    n: int
    challenger_id: str
    against: str
    challenger: Estimate
    champion: Estimate
    difference: Estimate
    gained: int
    lost: int
    worse_sections: tuple[str, ...]
    gold_sha256: str
    replicates: int
    seed: int

    def to_dict(self) -> dict[str, Any]:
        """Return the report as a plain document."""
        return asdict(self)

    def sentence(self) -> str:
        """Return the verdict in one line for a person."""
        d = self.difference
        verdict = "is better" if self.passed else "is not shown to be better"
        return (
            f"{self.challenger_id} {verdict} than {self.against}: top-1 {d.value:+.3f} "
            f"({d.low:+.3f} to {d.high:+.3f}) on {self.n:,} gold texts."
        )


def gate(
    challenger: NaceModel,
    champion: NaceModel | None,
    gold: Dataset,
    *,
    weights: Sequence[float] | None = None,
    replicates: int = 4_000,
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
        Labelled texts that neither learned from.
    weights : sequence of float, optional
        One per text, positive: inverse inclusion probabilities when gold is a sample.
    replicates : int
        Bootstrap samples.
    seed : int
        Of the bootstrap: the same models and gold give the same verdict.

    Raises
    ------
    InvalidInputError
        If there are fewer than :data:`FEWEST` gold texts at the level, the models code to
        different nomenclatures, weights do not fit, or the challenger learned from ``gold``.
    """
    level = _common_level(challenger, champion)
    _check_not_learned(challenger, gold)
    codes = [_at(challenger, code, level) for code in gold.codes]
    used = [i for i, code in enumerate(codes) if code is not None]
    if len(used) < FEWEST:
        raise InvalidInputError(
            f"Gold holds {len(used)} texts with a code of level {level}; the gate needs {FEWEST}.",
            hint="Annotate more texts, or force the promotion with a reason.",
        )
    truth = [str(codes[i]) for i in used]
    texts = gold.subset(used)
    mine = _right(challenger, texts, truth, level)
    theirs = _right(champion, texts, truth, level) if champion else _constant(truth)
    weight = _weights(weights, len(gold))[used]
    values = np.column_stack([mine, theirs, mine - theirs])
    found = paired_bootstrap(values, weight, replicates=replicates, seed=seed)
    return GateReport(
        passed=found[2].low > 0,
        level=level,
        n=len(used),
        challenger_id=challenger.id,
        against=champion.id if champion else "most frequent code",
        challenger=found[0],
        champion=found[1],
        difference=found[2],
        gained=int((mine > theirs).sum()),
        lost=int((mine < theirs).sum()),
        worse_sections=_worse(challenger, truth, mine - theirs, weight, replicates, seed),
        gold_sha256=gold.sha256,
        replicates=replicates,
        seed=seed,
    )


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


def _weights(given: Sequence[float] | None, n: int) -> np.ndarray:
    weights = np.ones(n) if given is None else np.asarray(given, dtype=np.float64)
    if weights.shape != (n,) or not np.all(np.isfinite(weights)) or not np.all(weights > 0):
        raise InvalidInputError(
            f"Weights must be {n} positive numbers, one per gold text.",
            hint="They are the inverse inclusion probabilities of the sample.",
        )
    return weights


def _at(model: NaceModel, code: str, level: int) -> str | None:
    known = model.nomenclature.parse(code)
    return model.nomenclature.ancestor(known, level) if known else None


def _right(model: NaceModel, gold: Dataset, truth: Sequence[str], level: int) -> np.ndarray:
    """Return 1.0 where the model's first code is the true one; no answer is a wrong one."""
    with_features = {"features": gold.feature_rows()} if gold.features else {}
    found = model.predict(gold.texts, 1, level=level, **with_features)
    return np.array(
        [
            bool(p.candidates) and p.candidates[0].code == t
            for p, t in zip(found, truth, strict=True)
        ],
        dtype=np.float64,
    )


def _constant(truth: Sequence[str]) -> np.ndarray:
    most = min(Counter(truth).items(), key=lambda item: (-item[1], item[0]))[0]
    return np.array([code == most for code in truth], dtype=np.float64)


def _worse(
    model: NaceModel,
    truth: Sequence[str],
    difference: np.ndarray,
    weight: np.ndarray,
    replicates: int,
    seed: int,
) -> tuple[str, ...]:
    sections = np.array([model.nomenclature.ancestor(code, 1) or "" for code in truth])
    worse = []
    for section in sorted(set(sections) - {""}):
        rows = np.flatnonzero(sections == section)
        if len(rows) < FEWEST // 4:
            continue
        values = difference[rows][:, None]
        found = paired_bootstrap(values, weight[rows], replicates=replicates, seed=seed)[0]
        if found.high < 0:
            worse.append(str(section))
    return tuple(worse)
