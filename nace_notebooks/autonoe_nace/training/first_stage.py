"""The rules engine of a model: made from its texts, and judged on texts held out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autonoe.errors import InvalidInputError
from autonoe_nace.data import Dataset
from autonoe_nace.evaluation import wilson
from autonoe_nace.lookup import LookupIndex, load_synonyms
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.text import Banding, RuleSet
from autonoe_nace.training.held_out import Round
from autonoe_nace.training.material import Material
from autonoe_nace.training.params import TrainingParams


@dataclass(frozen=True)
class LookupMaker:
    """Makes the rules engine of a training run, with or without some of its texts.

    Attributes
    ----------
    data, extra : Dataset, sequence of Dataset
        Coded texts.
    nomenclature, rules, params, bands
        As in training.
    material : Material
        Where each sample stands in ``data``.
    """

    data: Dataset
    extra: Sequence[Dataset]
    nomenclature: Nomenclature
    rules: RuleSet
    params: TrainingParams
    bands: Mapping[str, Banding] | None
    material: Material

    def build(self, without: Iterable[int] = ()) -> LookupIndex:
        """Return the engine of all texts but the samples ``without``."""
        hidden = {self.material.rows[i] for i in without}
        return LookupIndex.build(
            self.data.subset(i for i in range(len(self.data)) if i not in hidden),
            self.nomenclature,
            self.rules,
            load_synonyms(self.rules.language),
            extra=self.extra,
            titles=self.params.titles,
            level=self.material.level,
            bands=self.bands,
        )

    def attempt(self, without: Iterable[int]) -> LookupIndex | None:
        """Return the engine as :meth:`build` does; None where no text has a code of its level."""
        try:
            return self.build(without)
        except InvalidInputError:
            if self.params.lookup:
                raise
            return None

    def answers(self, index: LookupIndex, held: Sequence[int]) -> tuple[str | None, ...]:
        """Return the code that the engine is sure of for each of the samples ``held``."""
        part = self.data.subset(self.material.rows[i] for i in held)
        return tuple(answer.code for answer in index.code_all(part.texts, part.feature_rows()))


def rates(rounds: Iterable[Round], nomenclature: Nomenclature, level: int) -> dict[str, Any]:
    """Return what the engine alone does with the rounds' texts: the floor for the model beside it.

    Returns
    -------
    dict
        ``n`` texts with a code of ``level``, ``n_auto`` answered, ``n_right`` of those;
        ``auto_rate`` and ``accuracy`` (of the answered, None without one) as ``{"value", "low",
        "high"}`` with Wilson's interval. Empty when no engine could be made.
    """
    judged = [
        (code, true)
        for part in rounds
        for code, true in zip(part.looked_up, part.truth, strict=bool(part.looked_up))
        if nomenclature.level(true) == level
    ]
    if not judged:
        return {}
    right = [code == true for code, true in judged if code is not None]
    return {
        "n": len(judged),
        "n_auto": len(right),
        "n_right": sum(right),
        "auto_rate": wilson(len(right), len(judged)),
        "accuracy": wilson(sum(right), len(right)) if right else None,
    }


def worth(rounds: Iterable[Round]) -> float:
    """Return the share of right answers, drawn to one half where there are few (Laplace)."""
    right = [
        code == true
        for part in rounds
        for code, true in zip(part.looked_up, part.truth, strict=True)
        if code is not None
    ]
    return round((sum(right) + 1) / (len(right) + 2), 6)
