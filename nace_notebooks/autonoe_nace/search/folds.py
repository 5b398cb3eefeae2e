"""Reading the material of a search and cutting it into folds, the same on every machine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from autonoe.errors import InvalidInputError
from autonoe_nace.data import Dataset, read_table
from autonoe_nace.data.conditions import Condition
from autonoe_nace.nomenclature import load_nomenclature
from autonoe_nace.search.plan import SearchPlan
from autonoe_nace.splitting import Compared, compared_by, folds, near_duplicate_groups
from autonoe_nace.tables import read_columns
from autonoe_nace.text import Preparation, load_rules, rules_for


@dataclass(frozen=True)
class Folded:
    """Texts, more material and the fold of each text.

    Attributes
    ----------
    data : Dataset
        Labelled texts.
    extra : tuple of Dataset
        Material for every training part.
    fold : tuple of int
        One per text, 0 to ``k`` - 1.
    k : int
        Number of folds.
    compared : {"characters", "words", ""}
        By what near-duplicates were found; empty when a column names the folds.
    """

    data: Dataset
    extra: tuple[Dataset, ...]
    fold: tuple[int, ...]
    k: int
    compared: Compared | Literal[""] = ""

    @property
    def sha256(self) -> dict[str, str]:
        """Hashes of the texts, for the plan."""
        parts = {f"extra{i}": part.sha256 for i, part in enumerate(self.extra)}
        return {"data": self.data.sha256, **parts}

    def split(self, fold: int) -> tuple[Dataset, Dataset]:
        """Return what is learned and what is judged in ``fold``."""
        learned = [i for i, mine in enumerate(self.fold) if mine != fold]
        judged = [i for i, mine in enumerate(self.fold) if mine == fold]
        return self.data.subset(learned), self.data.subset(judged)


def gather(plan: SearchPlan) -> Folded:
    """Read what the plan names.

    Raises
    ------
    InvalidInputError
        If a file or column cannot be used, or (``data_changed``) the texts are not those that the
        search began with.
    """
    m = plan.material
    language = str(plan.base.get("language", ""))
    tree = load_nomenclature(m.nomenclature, language=language)
    data = read_table(
        m.data,
        nomenclature=tree,
        text_column=m.text_column,
        code_column=m.code_column,
        feature_columns=m.feature_columns,
        where=[Condition.parse(text) for text in m.where],
        language=language,
    )
    extra = tuple(
        read_table(
            uri,
            nomenclature=tree,
            text_column=m.extra_text_column,
            code_column=m.extra_code_column,
            where=[Condition.parse(text) for text in m.extra_where],
            language=language,
        )
        for uri in m.extra
    )
    compared: Compared | Literal[""] = ""
    if plan.fold_column:
        fold = _by_column(plan, data.rows)
    else:
        fold, compared = _by_group(plan, data, language)
    found = Folded(data, extra, tuple(fold), max(fold) + 1, compared)
    if plan.sha256 and found.sha256 != plan.sha256:
        raise InvalidInputError(
            f"{m.data} or the extra material holds other texts than when this search began.",
            hint="Bring the old file back, or start a new search.",
            code="data_changed",
        )
    return found


def _by_column(plan: SearchPlan, rows: Sequence[int]) -> list[int]:
    column = read_columns(plan.material.data, [plan.fold_column]).columns[plan.fold_column]
    values = [column[row - 1].strip() for row in rows]
    names = sorted(set(values), key=lambda name: (len(name), name))
    if len(names) < 2 or len(names) > 100:
        raise InvalidInputError(
            f"The column {plan.fold_column!r} names {len(names)} folds; 2 to 100 are usable.",
            hint="Leave out --fold-column for folds of near-duplicate groups.",
        )
    place = {name: i for i, name in enumerate(names)}
    return [place[value] for value in values]


def _by_group(plan: SearchPlan, data: Dataset, language: str) -> tuple[list[int], Compared]:
    rules = load_rules(language) if language else rules_for(data.nomenclature.language)
    prepared = Preparation(rules).all(data.texts)
    groups = near_duplicate_groups(prepared)
    return folds(groups, k=plan.folds, seed=plan.seed), compared_by(prepared)
