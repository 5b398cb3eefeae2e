"""The training run: calibrate on texts held out, then learn from all of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from autonoe_nace.data import Dataset
from autonoe_nace.model import NaceModel
from autonoe_nace.model.conformal import Conformal
from autonoe_nace.model.ensemble import Ensemble
from autonoe_nace.model.hierarchy import Hierarchy
from autonoe_nace.model.manifest import LOOKUP_FILE, MODEL_FILE, Calibration
from autonoe_nace.model.scores import Scorer
from autonoe_nace.nomenclature import Nomenclature
from autonoe_nace.nomenclature.notes import Note
from autonoe_nace.splitting import compared_by, near_duplicate_groups
from autonoe_nace.text import Banding, FeatureTokens, Preparation, load_rules, rules_for
from autonoe_nace.training.assemble import assemble
from autonoe_nace.training.calibrate import choose_temperature, choose_weights
from autonoe_nace.training.first_stage import LookupMaker, rates, worth
from autonoe_nace.training.fit import fit
from autonoe_nace.training.held_out import Round, Scale, judge, split
from autonoe_nace.training.keep import keep_for_explanations
from autonoe_nace.training.linear import fit_parts
from autonoe_nace.training.material import Material, gather
from autonoe_nace.training.params import TrainingParams

FEWEST = 200
"""Texts below which nothing is held out for calibration: an estimate from 30 texts is noise."""

_PLAIN = Calibration(temperature=1.0, n=0, ece_before=0.0, ece_after=0.0)

Samples = Sequence[tuple[str, str]]


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
    bands: Mapping[str, Banding] | None = None,
    notes: Mapping[str, Note] | None = None,
    progress: Progress = _quiet,
) -> NaceModel:
    """Return a calibrated model of ``data``.

    The same data, extra material, parameters and environment give the same bits and the same id.

    Parameters
    ----------
    data : Dataset
        Labelled texts; its ``features`` are learned too.
    params : TrainingParams, optional
        How to train; the defaults otherwise.
    nomenclature : Nomenclature, optional
        What the codes belong to; that of ``data`` otherwise.
    extra : sequence of Dataset
        More material, such as explanatory notes; never used to judge or to calibrate.
    bands : mapping of str to Banding, optional
        How side variables that are numbers are cut into classes, by column.
    notes : mapping of str to Note, optional
        Explanatory notes by code that travel with the model for explanations; not learned.
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
    prepare = Preparation(rules, FeatureTokens.learn(data.features, bands=bands))
    progress("preparing", 0.0)
    material = gather(data, extra, nomenclature, params, prepare)
    maker = LookupMaker(data, extra, nomenclature, rules, params, bands, material)
    keep = tempfile.TemporaryDirectory(prefix="autonoe-nace-")
    folder = Path(keep.name)
    calibration, conformal = _PLAIN, None
    measured: dict[str, Any] = {"held_out": {}, "lookup_held_out": {}}
    if params.held_share and material.own >= FEWEST:
        calibration, conformal, measured = _calibrate(
            material, nomenclature, params, folder, progress, maker
        )
    _learn(material.samples, params, folder, progress, "")
    progress("finishing", 0.0)
    if calibration.lookup is not None:
        maker.build().save(folder / LOOKUP_FILE)
    keep_for_explanations(folder, data, extra, nomenclature, params, notes)
    model = assemble(
        folder,
        nomenclature=nomenclature,
        prepare=prepare,
        params=params,
        material=material,
        calibration=calibration,
        conformal=conformal,
        measured=measured,
    )
    model.keep(keep)
    progress("finishing", 1.0)
    return model


def _learn(
    samples: Samples, params: TrainingParams, folder: Path, progress: Progress, why: str
) -> None:
    """Write fastText's file and those of the other parts into ``folder``."""
    fit(samples, params, folder / MODEL_FILE, partial(progress, f"learning{why}"))
    if params.with_linear or params.with_neighbours:
        stage = partial(progress, f"learning n-grams{why}")
        fit_parts(samples, Scorer(folder / MODEL_FILE).labels, params, folder, stage)


def _calibrate(
    material: Material,
    nomenclature: Nomenclature,
    params: TrainingParams,
    folder: Path,
    progress: Progress,
    maker: LookupMaker,
) -> tuple[Calibration, Conformal | None, dict[str, Any]]:
    """Learn without some groups of near-duplicates, and calibrate on those.

    One half of them gives weights, temperature and the worth of the rules engine, the other the
    scores for conformal sets and the accuracy that the card states, with the engine where there is
    one; an engine alone is judged there too. The calibrating models see neither; the model itself
    then learns from both.
    """
    progress("grouping near-duplicates", 0.0)
    groups = near_duplicate_groups(material.words)
    tuning: list[Round] = []
    judging: list[Round] = []
    places = split(
        groups[: material.own],
        share=params.held_share,
        rounds=params.rounds,
        seed=params.seed,
    )
    for for_tuning, for_judging in places:
        hidden = {groups[i] for i in (*for_tuning, *for_judging)}
        seen = [s for s, group in zip(material.samples, groups, strict=True) if group not in hidden]
        scratch = folder / "calibration"
        scratch.mkdir()
        _learn(seen, params, scratch, progress, " for calibration")
        ensemble = Ensemble(scratch, [file.name for file in scratch.iterdir()])
        hierarchy = Hierarchy(ensemble.labels, nomenclature, material.level)
        engine = maker.attempt((*for_tuning, *for_judging))
        for rounds, held in ((tuning, for_tuning), (judging, for_judging)):
            samples = [material.samples[i] for i in held]
            looked_up = maker.answers(engine, held) if engine is not None else ()
            rounds.append(Round.of(ensemble, hierarchy, samples, looked_up))
        shutil.rmtree(scratch)
    progress("calibrating", 0.0)
    first = worth(tuning) if params.lookup else None
    scale = replace(choose_temperature(tuning, choose_weights(tuning)), lookup=first)
    conformal = Conformal.learn(
        [(part.probabilities(scale), part.hierarchy.codes, part.truth) for part in judging],
        nomenclature,
    )
    level = str(material.level)
    before = judge(judging, Scale(scale.weights, lookup=first), nomenclature)
    after = judge(judging, scale, nomenclature)
    calibration = Calibration(
        temperature=scale.temperature,
        adapt=scale.adapt,
        n=sum(len(part.truth) for part in tuning),
        ece_before=before[level]["ece"] if level in before else 0.0,
        ece_after=after[level]["ece"] if level in after else 0.0,
        weights=scale.weights,
        conformal_n=conformal.n,
        lookup=first,
    )
    progress("calibrating", 1.0)
    alone = rates(judging, nomenclature, material.level)
    measured = {"held_out": after, "lookup_held_out": alone}
    return calibration, conformal, {**measured, "near_duplicates_by": compared_by(material.words)}
