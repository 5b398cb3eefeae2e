"""The training run: calibrate on texts held out, then learn from all of them."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from autonoe_nace.data import DataReport, Dataset
from autonoe_nace.evaluation import evaluate
from autonoe_nace.model import NaceModel
from autonoe_nace.model.hierarchy import Hierarchy
from autonoe_nace.model.manifest import MODEL_FILE, Calibration
from autonoe_nace.model.scores import Scorer
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.splitting import hold_out, near_duplicate_groups
from autonoe_nace.text import Preparation, load_rules, rules_for
from autonoe_nace.training.assemble import assemble
from autonoe_nace.training.calibrate import choose_temperature
from autonoe_nace.training.fit import fit
from autonoe_nace.training.material import Material, gather
from autonoe_nace.training.params import TrainingParams

FEWEST = 200
"""Texts below which nothing is held out for calibration: an estimate from 30 texts is noise."""

_PLAIN = Calibration(temperature=1.0, n=0, ece_before=0.0, ece_after=0.0)


class Progress(Protocol):
    """Gets the name of the stage and the share of it that is done, in [0, 1]."""

    def __call__(self, stage: str, share: float, /) -> None:
        """Show it."""


def _quiet(stage: str, share: float, /) -> None:
    """Show nothing."""


def train(
    data: Dataset,
    params: TrainingParams | None = None,
    nomenclature: Nomenclature | None = None,
    *,
    extra: Sequence[Dataset] = (),
    progress: Progress = _quiet,
) -> NaceModel:
    """Return a calibrated model of ``data``.

    The same data, extra material, parameters and environment give the same bits and the same id.

    Parameters
    ----------
    data : Dataset
        Labelled texts.
    params : TrainingParams, optional
        How to train; the defaults otherwise.
    nomenclature : Nomenclature, optional
        What the codes belong to; that of ``data`` otherwise.
    extra : sequence of Dataset
        More material, such as explanatory notes; never used to judge or to calibrate.
    progress : Progress
        Called with the stage and its share done.

    Raises
    ------
    InvalidInputError
        If there is nothing to learn, the level or language is unknown, or the training diverges.
    """
    params = params or TrainingParams()
    nomenclature = nomenclature or data.nomenclature
    rules = load_rules(params.language) if params.language else rules_for(nomenclature.language)
    prepare = Preparation(rules)
    progress("preparing", 0.0)
    material = gather(data, extra, nomenclature, params, prepare)
    build = partial(
        assemble, nomenclature=nomenclature, rules=rules, params=params, material=material
    )
    keep = tempfile.TemporaryDirectory(prefix="autonoe-nace-")
    folder = Path(keep.name)
    calibration, held_out = _PLAIN, dict[str, Any]()
    if params.calibration_share and material.own >= FEWEST:
        calibration, held_out = _calibrate(material, data, params, build, folder, progress)
    file = folder / MODEL_FILE
    fit(material.samples, params, file, partial(progress, "learning"))
    progress("finishing", 0.0)
    model = build(folder, calibration=calibration, held_out=held_out)
    model.keep(keep)
    progress("finishing", 1.0)
    return model


def _calibrate(
    material: Material,
    data: Dataset,
    params: TrainingParams,
    build: partial[NaceModel],
    folder: Path,
    progress: Progress,
) -> tuple[Calibration, dict[str, Any]]:
    """Learn without some groups of near-duplicates, and choose the temperature on those."""
    progress("grouping near-duplicates", 0.0)
    groups = near_duplicate_groups([text for text, _ in material.samples])
    own_groups = groups[: material.own]
    _, held = hold_out(own_groups, share=params.calibration_share, seed=params.seed)
    hidden = {groups[i] for i in held}
    seen = [s for s, group in zip(material.samples, groups, strict=True) if group not in hidden]
    scratch = folder / "calibration"
    scratch.mkdir()
    fit(seen, params, scratch / MODEL_FILE, partial(progress, "learning for calibration"))
    progress("calibrating", 0.0)
    scorer = Scorer(scratch / MODEL_FILE)
    nomenclature: Nomenclature = build.keywords["nomenclature"]
    hierarchy = Hierarchy(scorer.labels, nomenclature, material.level)
    place = {code: i for i, code in enumerate(hierarchy.codes)}
    samples = [material.samples[i] for i in held]
    temperature = choose_temperature(
        scorer.logits([text for text, _ in samples]),
        hierarchy.candidates,
        [place.get(code) for _, code in samples],
    )
    judged = Dataset(
        texts=tuple(text for text, _ in samples),
        codes=tuple(code for _, code in samples),
        rows=tuple(range(1, len(samples) + 1)),
        nomenclature=nomenclature,
        report=DataReport(len(samples), len(samples), {}),
        source=data.source,
    )
    results = {}
    for t in (1.0, temperature):
        found = Calibration(temperature=t, n=len(samples), ece_before=0.0, ece_after=0.0)
        results[t] = evaluate(build(scratch, calibration=found, held_out={}), judged, prepared=True)
    level = str(material.level)
    before, after = (results[t]["levels"][level]["ece"] for t in (1.0, temperature))
    found = Calibration(temperature=temperature, n=len(samples), ece_before=before, ece_after=after)
    progress("calibrating", 1.0)
    return found, results[temperature]["levels"]
