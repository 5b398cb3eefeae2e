"""The model as one object: preparation, fastText, calibration, hierarchy."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import ConflictError, InvalidInputError
from autonoe_nace.model.canary import check_in_child
from autonoe_nace.model.card import write_card
from autonoe_nace.model.hierarchy import Hierarchy
from autonoe_nace.model.manifest import (
    DATA_FILES,
    MANIFEST_FILE,
    MODEL_FILE,
    NOMENCLATURE_FILE,
    RULES_FILE,
    Manifest,
    damaged,
)
from autonoe_nace.model.scores import Scorer, softmax
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.text import Preparation, RuleSet

Floats = NDArray[np.float32]

_BLOCK = 4_096
"""Texts scored at once: bounds the memory of a large batch to a few tens of MiB."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """A code with its title and its calibrated probability in [0, 1]."""

    code: str
    title: str
    probability: float


@dataclass(frozen=True, slots=True)
class Prediction:
    """The answer for one text.

    Attributes
    ----------
    candidates : tuple of Candidate
        The most probable codes, the best first; empty when the text holds no usable word.
    confidence : float
        Probability of the first minus that of the second, in [0, 1]: the one index that tuning,
        serving and monitoring share.
    text_prepared : str
        The words that the model saw.
    """

    candidates: tuple[Candidate, ...]
    confidence: float
    text_prepared: str


class NaceModel:
    """A trained model, ready to answer; make one with :meth:`load` or ``training.train``.

    Parameters
    ----------
    folder : Path
        Where its files lie; they must stay there as long as the object is used.
    manifest : Manifest
        The content of its ``model.json``.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.nomenclature = Nomenclature.from_dict(_read_json(folder / NOMENCLATURE_FILE))
        self.prepare = Preparation(RuleSet.from_dict(_read_json(folder / RULES_FILE)))
        self._scorer = Scorer(folder / MODEL_FILE)
        self._hierarchy = Hierarchy(self._scorer.labels, self.nomenclature, manifest.level)
        self._keep: tempfile.TemporaryDirectory[str] | None = None

    @classmethod
    def load(cls, path: str | Path, *, check: bool = True) -> NaceModel:
        """Return the model in the folder ``path``, after it has proved itself.

        Size and SHA-256 of each file are compared with the manifest, then a child process loads
        the model and answers the canary texts, so that a bad file cannot take this process along.

        Parameters
        ----------
        path : str or Path
            A folder that :meth:`save` or ``autonoe nace train`` wrote.
        check : bool
            False skips the child process: for a folder that this very process just checked.

        Raises
        ------
        AutonoeError
            ``model_missing``, ``model_damaged`` or ``model_format``.
        """
        folder = Path(path)
        manifest = Manifest.read(folder)
        manifest.check_files(folder)
        if check:
            check_in_child(folder)
        return cls(folder, manifest)

    def save(self, path: str | Path) -> Path:
        """Write the model's files into the folder ``path`` and return it.

        The folder appears whole or not at all; a model that stood there is replaced.

        Raises
        ------
        ConflictError
            If ``path`` exists and holds anything but a model.
        """
        target = Path(path)
        check_target(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".nace-") as scratch:
            fresh = Path(scratch) / "model"
            fresh.mkdir()
            for name in DATA_FILES:
                shutil.copyfile(self.folder / name, fresh / name)
            self.manifest.write(fresh)
            write_card(fresh, self.manifest, self.nomenclature)
            if target.exists():
                target.rename(Path(scratch) / "old")
            fresh.rename(target)
        return target

    def keep(self, folder: tempfile.TemporaryDirectory[str]) -> None:
        """Tie the life of a temporary ``folder`` of files to that of this object."""
        self._keep = folder

    @property
    def id(self) -> str:
        """The model's id, by which any answer can be traced to it."""
        return self.manifest.id

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes that the model can answer with, in the order of :meth:`probabilities`."""
        return self._hierarchy.codes

    def probabilities(self, prepared: Sequence[str]) -> Floats:
        """Return calibrated probabilities, one row per prepared text, one column per code."""
        scores = softmax(self._scorer.logits(prepared), self.manifest.calibration.temperature)
        return self._hierarchy.candidates(scores)

    def roll_up(self, probabilities: Floats, level: int) -> tuple[tuple[str, ...], Floats]:
        """Return the codes of a broader ``level`` and their probabilities (sums)."""
        if level == self.manifest.level:
            return self.codes, probabilities
        return self._hierarchy.roll_up(probabilities, level)

    def predict(
        self, texts: Sequence[str], k: int = 5, *, level: int | None = None
    ) -> list[Prediction]:
        """Return the ``k`` most probable codes of each text.

        Parameters
        ----------
        texts : sequence of str
            As people typed them.
        k : int
            Candidates per text, at least 1; a model that knows fewer codes gives all of them.
        level : int, optional
            A broader level than the model's own: 2 for divisions, for example.

        Raises
        ------
        InvalidInputError
            If ``k`` is below 1, a text is no string, or the model has no such level.
        """
        if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
            raise InvalidInputError(
                "predict() takes a sequence of texts.", hint='For one text: predict(["..."]).'
            )
        if k < 1:
            raise InvalidInputError(f"k is {k}; it must be at least 1.", hint="Ask for k=5.")
        level = self.manifest.level if level is None else level
        if level > self.manifest.level or level not in self.nomenclature.levels:
            raise InvalidInputError(
                f"The model answers down to level {self.manifest.level}; {level} was asked for.",
                hint="1 section, 2 division, 3 group, 4 class, 5 national subclass.",
            )
        out: list[Prediction] = []
        for start in range(0, len(texts), _BLOCK):
            out += self._predict_block(texts[start : start + _BLOCK], k, level)
        return out

    def _predict_block(self, texts: Sequence[str], k: int, level: int) -> list[Prediction]:
        prepared = self.prepare.all(texts)
        usable = [i for i, text in enumerate(prepared) if text]
        out = [Prediction((), 0.0, "")] * len(texts)
        if not usable:
            return out
        probabilities = self.probabilities([prepared[i] for i in usable])
        codes, probabilities = self.roll_up(probabilities, level)
        order = best(probabilities, max(k, 2))
        title = self.nomenclature.title
        for i, columns, values in zip(usable, order, probabilities, strict=True):
            top = [float(values[j]) for j in columns]
            candidates = tuple(
                Candidate(codes[j], title(codes[j]), p)
                for j, p in zip(columns[:k], top, strict=False)
            )
            second = top[1] if len(top) > 1 else 0.0
            out[i] = Prediction(candidates, max(0.0, top[0] - second), prepared[i])
        return out


def check_target(target: Path) -> None:
    """Refuse a folder that a model cannot be written to.

    Raises
    ------
    ConflictError
        If ``target`` exists and holds anything but a model.
    """
    if not target.exists():
        return
    if not target.is_dir() or (any(target.iterdir()) and not (target / MANIFEST_FILE).is_file()):
        raise ConflictError(
            f"{target} exists and holds something other than a model.",
            hint="Choose an empty or new folder.",
        )


def best(probabilities: Floats, k: int) -> NDArray[np.intp]:
    """Return the columns of the ``k`` largest values of each row, the largest first.

    Ties go to the first code in alphabetical order, so that equal scores give equal answers.
    """
    k = min(k, probabilities.shape[1])
    if k < probabilities.shape[1]:
        few = np.sort(np.argpartition(-probabilities, k - 1, axis=1)[:, :k], axis=1)
    else:
        few = np.broadcast_to(np.arange(k), probabilities.shape).copy()
    values = np.take_along_axis(probabilities, few, axis=1)
    return np.take_along_axis(few, np.argsort(-values, axis=1, kind="stable"), axis=1)


def _read_json(path: Path) -> object:
    try:
        document: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(f"{path.name} cannot be read") from error
    return document
