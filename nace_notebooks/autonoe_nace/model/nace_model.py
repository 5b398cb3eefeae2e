"""The model as one object: preparation, fastText, calibration, hierarchy."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from autonoe.errors import ConflictError, InvalidInputError
from autonoe_nace.lookup import LookupIndex
from autonoe_nace.model.answering import NOTHING, Asked, answer, best
from autonoe_nace.model.answers import Prediction
from autonoe_nace.model.canary import check_in_child
from autonoe_nace.model.card import write_card
from autonoe_nace.model.conformal import Conformal
from autonoe_nace.model.ensemble import Ensemble
from autonoe_nace.model.explain import Explainer
from autonoe_nace.model.explain_result import Explanation
from autonoe_nace.model.explain_texts import NearText
from autonoe_nace.model.first_stage import FirstStage, Stage
from autonoe_nace.model.hierarchy import Hierarchy, LevelsAbove
from autonoe_nace.model.manifest import (
    CONFORMAL_FILE,
    LOOKUP_FILE,
    MANIFEST_FILE,
    NOMENCLATURE_FILE,
    RULES_FILE,
    Manifest,
    damaged,
)
from autonoe_nace.model.scores import softmax
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.text import Preparation

__all__ = ["NaceModel", "best", "check_target"]

Floats = NDArray[np.float32]

_BLOCK = 512
"""Texts scored at once: scores of 700 codes then stay in the processor's cache. Blocks of 4,096
take more than twice the time a text."""

_KEPT = 8
"""Coverages whose limits are remembered."""


class NaceModel:
    """A trained model, ready to answer; make one with :meth:`load` or ``training.train``.

    Parameters
    ----------
    folder : Path
        Where its files lie; they must stay there as long as the object is used.
    manifest : Manifest
        The content of its ``model.json``.

    Attributes
    ----------
    prepare : Preparation
        From a typed text to the words that the parts see.
    ensemble : Ensemble
        fastText and what the preset adds.
    conformal : Conformal or None
        Scores for sets with a coverage; None when the model was trained on too few texts.
    first_stage : FirstStage or None
        The rules engine that is asked before the model, if it was trained with one.
    """

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest
        self.nomenclature = Nomenclature.from_dict(_read_json(folder / NOMENCLATURE_FILE))
        self.prepare = Preparation.from_dict(_read_json(folder / RULES_FILE))
        self.ensemble = Ensemble(folder, manifest.files)
        self.conformal: Conformal | None = None
        if CONFORMAL_FILE in manifest.files:
            document = _read_json(folder / CONFORMAL_FILE)
            self.conformal = Conformal.from_dict(document, self.nomenclature)
        self._hierarchy = Hierarchy(self.ensemble.labels, self.nomenclature, manifest.level)
        self.first_stage: FirstStage | None = None
        worth = manifest.calibration.lookup
        if LOOKUP_FILE in manifest.files and worth is not None:
            path = folder / LOOKUP_FILE
            self.first_stage = FirstStage.load(path, worth, self.codes, manifest.level)
        self._titles: dict[int, tuple[str, ...]] = {}
        self._least: dict[float, Floats] = {}
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
            for name in self.manifest.files:
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
    def lookup(self) -> LookupIndex | None:
        """The rules engine that is asked first, or None."""
        return self.first_stage.index if self.first_stage is not None else None

    @property
    def codes(self) -> tuple[str, ...]:
        """Codes that the model can answer with, in the order of :meth:`probabilities`."""
        return self._hierarchy.codes

    def probabilities(self, prepared: Sequence[str]) -> Floats:
        """Return the parts' calibrated probabilities, prepared texts x codes; no rules engine."""
        if len(prepared) > _BLOCK:
            starts = range(0, len(prepared), _BLOCK)
            return np.concatenate([self.probabilities(prepared[i : i + _BLOCK]) for i in starts])
        calibration = self.manifest.calibration
        logits = self.ensemble.logits(prepared, calibration.weights)
        values = softmax(logits, calibration.temperature, calibration.adapt)
        return self._hierarchy.candidates(values)

    def decided(
        self,
        prepared: Sequence[str],
        texts: Sequence[str],
        features: Sequence[Mapping[str, str]] | None,
    ) -> tuple[Floats, list[Stage] | None]:
        """Return the probabilities behind the answers, and who decided (None without an engine).

        Parameters
        ----------
        prepared, texts : sequence of str
            The same texts, as the parts and as the rules engine read them.
        features : sequence of mapping, optional
            Their side variables.
        """
        probabilities = self.probabilities(prepared)
        if self.first_stage is None:
            return probabilities, None
        return probabilities, self.first_stage.decide(probabilities, texts, features)

    def titles(self, level: int) -> tuple[str, ...]:
        """Return the titles of the codes of ``level``, in the order of :meth:`roll_up`."""
        if level not in self._titles:
            codes, _ = self.roll_up(np.empty((0, len(self.codes)), dtype=np.float32), level)
            self._titles[level] = tuple(map(self.nomenclature.title, codes))
        return self._titles[level]

    def roll_up(self, probabilities: Floats, level: int) -> tuple[tuple[str, ...], Floats]:
        """Return the codes of a broader ``level`` and their probabilities (sums)."""
        if level == self.manifest.level:
            return self.codes, probabilities
        return self._hierarchy.roll_up(probabilities, level)

    def levels_above(self, level: int) -> LevelsAbove:
        """Return the sums of all levels above ``level``, for fallbacks."""
        return self._hierarchy.levels_above(level)

    def predict(
        self,
        texts: Sequence[str],
        k: int = 5,
        *,
        level: int | None = None,
        features: Sequence[Mapping[str, str]] | None = None,
        coverage: float | None = None,
        fallback_at: float | None = None,
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
        features : sequence of mapping, optional
            Side variables of each text, ``{column: value}``. Those that the model does not know,
            and missing ones, do not count.
        coverage : float, optional
            In (0, 1). Adds the set of codes that holds the right one so often.
        fallback_at : float, optional
            In [0, 1]. Adds the best code of the deepest level, from ``level`` up, whose confidence
            reaches this.

        Raises
        ------
        InvalidInputError
            If ``k`` is below 1, a text is no string, the model has no such level, features and
            texts differ in number, or the coverage cannot be had.
        """
        asked = self._asked(texts, k, level, features, fallback_at)
        if coverage is not None:
            asked = replace(asked, least=self._least_probabilities(coverage))
        out: list[Prediction] = []
        for start in range(0, len(texts), _BLOCK):
            block = slice(start, start + _BLOCK)
            out += self._predict_block(
                texts[block], features[block] if features is not None else None, asked
            )
        return out

    def _asked(
        self,
        texts: Sequence[str],
        k: int,
        level: int | None,
        features: Sequence[Mapping[str, str]] | None,
        fallback_at: float | None,
    ) -> Asked:
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
        if features is not None and len(features) != len(texts):
            raise InvalidInputError(
                f"There are {len(texts)} texts and side variables for {len(features)}.",
                hint="Give one mapping a text; {} where there is none.",
            )
        if fallback_at is not None and not 0 <= fallback_at <= 1:
            raise InvalidInputError(
                f"The confidence to reach is {fallback_at}; it lies between 0 and 1.",
                hint="0.8 is a common choice.",
            )
        return Asked(k, level, fallback_at)

    def explain(
        self,
        text: str,
        features: Mapping[str, str] | None = None,
        code: str | None = None,
        against: str | None = None,
        top: int | None = 10,
        *,
        nearest: int = 3,
    ) -> Explanation:
        """Return why ``text`` has ``code`` rather than ``against``.

        Parameters
        ----------
        text : str
            As typed.
        features : mapping, optional
            Its side variables, ``{column: value}``.
        code, against : str, optional
            Codes of one level; by default the most probable one and the next.
        top : int, optional
            Contributions to list; None for all.
        nearest : int
            Training texts to show, if the model keeps any.

        Returns
        -------
        Explanation
            The contributions of words and n-grams add up to the difference of the two logits.

        Raises
        ------
        InvalidInputError
            If the text holds no usable word, or a code is none that the model can give.
        """
        return self._explainer.explain(text, features, code, against, top, nearest=nearest)

    def nearest(self, text: str, n: int = 5) -> tuple[NearText, ...]:
        """Return the ``n`` training texts most like ``text``; none when the model keeps none."""
        return self._explainer.nearest(self.prepare(text), n)

    def note(self, code: str, text: str = "") -> str:
        """Return what the explanatory note of ``code`` says about ``text``; empty without notes."""
        known = self.nomenclature.parse(code)
        return self._explainer.note(known, self.prepare(text)) if known else ""

    @cached_property
    def _explainer(self) -> Explainer:
        return Explainer(self)

    def _least_probabilities(self, coverage: float) -> Floats:
        if self.conformal is None:
            raise InvalidInputError(
                "The model was not calibrated for sets with a coverage.",
                hint="It was trained on too few texts, or by an older version; train it again.",
                code="coverage_unknown",
            )
        if coverage not in self._least:
            found = self.conformal.least_probabilities(self.codes, coverage)
            self._least = {**dict(list(self._least.items())[-_KEPT:]), coverage: found}
        return self._least[coverage]

    def _predict_block(
        self,
        texts: Sequence[str],
        features: Sequence[Mapping[str, str]] | None,
        asked: Asked,
    ) -> list[Prediction]:
        prepared = self.prepare.all(texts, features)
        usable = [i for i, text in enumerate(prepared) if text]
        out = [NOTHING] * len(texts)
        if not usable:
            return out
        words, typed, beside = prepared, texts, features
        if len(usable) < len(texts):
            words, typed = [prepared[i] for i in usable], [texts[i] for i in usable]
            beside = [features[i] for i in usable] if features is not None else None
        probabilities, stages = self.decided(words, typed, beside)
        found = answer(self, probabilities, words, asked, stages)
        for i, prediction in zip(usable, found, strict=True):
            out[i] = prediction
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


def _read_json(path: Path) -> object:
    try:
        document: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise damaged(f"{path.name} cannot be read") from error
    return document
