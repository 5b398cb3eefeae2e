"""The UK index of ONS as training and judging data, fold by fold, with three kinds of material."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from scipy.stats import betabinom
from sklearn.feature_extraction.text import TfidfVectorizer

from autonoe_nace.data import Dataset, read_table
from autonoe_nace.data.conditions import Condition
from autonoe_nace.evaluation import calibration_error
from autonoe_nace.model import NaceModel
from autonoe_nace.model.conformal import has_own_limit
from autonoe_nace.nomenclature import load_nomenclature

Material = Literal["notes", "strict", "alone"]
"""With the English notes of NACE Rev. 2; without those that are like a text to judge; with none."""

NEAR = 0.75
"""Cosine of character 3- to 5-grams from which a note is too like a text, in the strict reading."""

COVERAGE = 0.9


def fold_of(folder: Path, fold: str, material: Material) -> tuple[Dataset, Dataset, list[Dataset]]:
    """Return (texts to learn from, texts to judge, extra material) of a fold at class level."""
    tree = load_nomenclature("uksic2007")
    labelled = folder / "data" / "labelled"
    learned, judged = (
        read_table(
            str(labelled / "uksic2007_en_train.parquet"),
            nomenclature=tree,
            code_column="nace_class",
            where=[Condition("fold", fold, equal)],
        )
        for equal in (False, True)
    )
    assert not set(learned.rows) & set(judged.rows)
    if material == "alone":
        return learned, judged, []
    notes = read_table(
        str(labelled / "nace_rev2_notes_en_fr_de_train.parquet"),
        nomenclature=tree,
        where=[Condition("lang", "en")],
    )
    return learned, judged, [notes if material == "notes" else _unlike(notes, judged)]


def _unlike(notes: Dataset, judged: Dataset) -> Dataset:
    """Return ``notes`` without those whose cosine with a text to be judged reaches ``NEAR``."""
    vectors = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    rows = vectors.fit_transform([*notes.texts, *judged.texts])
    nearest = (rows[: len(notes)] @ rows[len(notes) :].T).max(axis=1).toarray().ravel()
    kept = notes.subset(np.flatnonzero(nearest < NEAR).tolist())
    assert len(kept) < len(notes)
    return kept


@dataclass
class Figures:
    """What a model answered, summed over folds."""

    n: int = 0
    right: list[bool] = field(default_factory=list)
    among_five: int = 0
    division: int = 0
    division_five: int = 0
    given: list[float] = field(default_factory=list)
    covered: list[bool] = field(default_factory=list)
    sections: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    seconds: float = 0.0
    limits: dict[str, list[tuple[int, list[bool]]]] = field(default_factory=dict)
    """By section with limits of its own, a fold's calibration texts and which texts it covered."""

    def add(self, model: NaceModel, judged: Dataset) -> None:
        """Let ``model`` answer ``judged`` and count."""
        tree = judged.nomenclature
        began = time.process_time()
        answers = model.predict(judged.texts)
        self.seconds += time.process_time() - began
        sets = model.predict(judged.texts, 1, coverage=COVERAGE)
        outcomes: dict[str, list[bool]] = {}
        broad = model.predict(judged.texts, level=2)
        for code, found, wide, above in zip(judged.codes, answers, sets, broad, strict=True):
            codes = [c.code for c in found.candidates]
            divisions = [c.code for c in above.candidates]
            self.n += 1
            self.right.append(codes[0] == code)
            self.among_five += code in codes
            self.division += divisions[0] == tree.ancestor(code, 2)
            self.division_five += tree.ancestor(code, 2) in divisions
            self.given.append(found.candidates[0].probability)
            self.covered.append(code in (wide.conformal or ()))
            outcomes.setdefault(tree.ancestor(code, 1) or "", []).append(self.covered[-1])
            self.sizes.append(len(wide.conformal or ()))
            self.sections.append(tree.ancestor(code, 1) or "")
        assert model.conformal is not None
        for section, calibrated in model.conformal.sections().items():
            if has_own_limit(calibrated, COVERAGE) and section in outcomes:
                self.limits.setdefault(section, []).append((calibrated, outcomes[section]))

    def table(self) -> dict[str, Any]:
        """Return the figures as proportions, and the time in milliseconds a text."""
        return {
            "n": self.n,
            "top1": sum(self.right) / self.n,
            "top5": self.among_five / self.n,
            "division1": self.division / self.n,
            "division5": self.division_five / self.n,
            "ece": calibration_error(self.given, self.right),
            "coverage": sum(self.covered) / self.n,
            "set_size": sum(self.sizes) / self.n,
            "ms": 1000 * self.seconds / self.n,
        }

    def by_section(self) -> dict[str, tuple[int, float]]:
        """Return the number of texts and the coverage of each section."""
        places: dict[str, list[bool]] = {}
        for section, covered in zip(self.sections, self.covered, strict=True):
            places.setdefault(section, []).append(covered)
        return {s: (len(found), sum(found) / len(found)) for s, found in sorted(places.items())}

    def too_rarely_covered(self, level: float = 0.05) -> dict[str, float]:
        """Return sections covered too rarely for chance, with the probability of as few.

        ``level`` is the probability of naming any section although all are well covered.

        The sets' limits come from a few dozen texts of a section, so that the coverage itself is a
        draw from a beta distribution (Vovk, 2012): texts covered are beta-binomial, not binomial.
        Folds are added up as if independent. Sections without limits of their own are left to
        the coverage of all texts: nothing more is promised of them.
        """
        found = {}
        for section, parts in self.limits.items():
            chances, covered = np.ones(1), 0
            for calibrated, outcomes in parts:
                rank = math.ceil((calibrated + 1) * COVERAGE - 1e-9)
                n = len(outcomes)
                law = betabinom(n, rank, calibrated + 1 - rank)
                chances = np.convolve(chances, law.pmf(np.arange(n + 1)))
                covered += sum(outcomes)
            found[section] = float(chances[: covered + 1].sum())
        return {s: round(p, 6) for s, p in found.items() if p < level / len(found)}
