"""The rules engine of a model: made from its texts, and judged on texts held out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from autonoe_nace.data import Dataset
from autonoe_nace.lookup import LookupIndex, load_synonyms
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.text import Banding, RuleSet
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

    def judge(self, index: LookupIndex, held: Sequence[int]) -> tuple[int, int]:
        """Return how many of the samples ``held`` the engine answers, and how many rightly."""
        part = self.data.subset(self.material.rows[i] for i in held)
        answers = index.code_all(part.texts, part.feature_rows())
        truth = [self.material.samples[i][1] for i in held]
        judged = [a.code == t for a, t in zip(answers, truth, strict=True) if a.code is not None]
        return len(judged), sum(judged)


def worth(answered: int, right: int) -> float:
    """Return the share of right answers, drawn to one half where there are few (Laplace)."""
    return round((right + 1) / (answered + 2), 6)
