"""Give logged answers again, by the models that gave them, and compare."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from autonoe.errors import AutonoeError
from autonoe_nace.logs.record import LogRecord
from autonoe_nace.model import NaceModel, Prediction
from autonoe_nace.replay.report import Difference, ModelUsed, ReplayReport
from autonoe_nace.replay.rows import record_of
from autonoe_nace.replay.sources import ModelSource
from autonoe_nace.training.assemble import code_hash, environment

TOLERANCE = 1e-6
"""Largest difference of a probability that counts as none: the sums of a batch are made in another
order than those of a single text."""

PSEUDONYM = "hmac-sha256:"
_BLOCK = 4_096


def replay(
    log_rows: Iterable[LogRecord | dict[str, Any]],
    models: ModelSource,
    *,
    tolerance: float = TOLERANCE,
) -> ReplayReport:
    """Answer the texts of a log again and compare with what was logged.

    Parameters
    ----------
    log_rows : iterable of LogRecord or dict
        From :func:`~autonoe_nace.replay.read_rows`, or rows of the Parquet files.
    models : callable
        :func:`~autonoe_nace.replay.from_registry` or :func:`~autonoe_nace.replay.from_folder`.
    tolerance : float
        Largest difference of a probability that counts as none.

    Returns
    -------
    ReplayReport
        Identical, or what differs. A model that cannot be had is no error: its rows are counted.
    """
    report = ReplayReport(tolerance=tolerance)
    known: dict[tuple[str, str, str], tuple[ModelUsed, NaceModel | None]] = {}
    for block in _blocks(map(record_of, log_rows)):
        groups: defaultdict[tuple[str, str, str], list[LogRecord]] = defaultdict(list)
        for row in block:
            groups[row.model_name, row.model_version, row.model_sha256].append(row)
        for key, rows in groups.items():
            if key not in known:
                known[key] = _model(key, models)
                report.models.append(known[key][0])
            _replay_rows(rows, *known[key], report)
    return report


def _blocks(rows: Iterator[LogRecord]) -> Iterator[list[LogRecord]]:
    while block := list(islice(rows, _BLOCK)):
        yield block


def _model(key: tuple[str, str, str], models: ModelSource) -> tuple[ModelUsed, NaceModel | None]:
    used = ModelUsed(*key)
    try:
        model = models(*key)
    except AutonoeError as error:
        used.problem = error.message
        return used, None
    used.model_id = model.id
    used.environment = _differences_of_environment(model)
    return used, model


def _differences_of_environment(model: NaceModel) -> dict[str, list[str]]:
    """Return what is not as it was at training, by name: ``[then, now]``."""
    then = dict(model.manifest.training.get("environment", {}))
    now = environment()
    found = {
        name: [str(then.get(name, "absent")), str(now.get(name, "absent"))]
        for name in sorted({*then, *now})
        if then.get(name) != now.get(name)
    }
    code = model.manifest.hashes.get("code", "")
    if code != code_hash():
        found["code"] = [code[:12], code_hash()[:12]]
    return found


def _replay_rows(
    rows: Sequence[LogRecord], used: ModelUsed, model: NaceModel | None, report: ReplayReport
) -> None:
    report.rows += len(rows)
    used.rows += len(rows)
    groups: defaultdict[tuple[int, float | None], list[LogRecord]] = defaultdict(list)
    for row in rows:
        reason = _reason(row, model)
        if reason:
            report.skip(reason)
        else:
            groups[row.level, row.threshold if row.fallback_code else None].append(row)
    if model is None:
        return
    for (level, threshold), chosen in groups.items():
        found = model.predict(
            [row.text for row in chosen],
            max(1, *(len(row.codes) for row in chosen)),
            level=level or None,
            features=[row.features for row in chosen],
            fallback_at=threshold,
        )
        for row, prediction in zip(chosen, found, strict=True):
            report.add(_difference(row, prediction, report.tolerance))


def _reason(row: LogRecord, model: NaceModel | None) -> str:
    """Return why a record cannot be replayed; empty when it can."""
    if row.error:
        return "refused"
    if row.text.startswith(PSEUDONYM):
        return "pseudonymised"
    return "no_model" if model is None else ""


def _difference(row: LogRecord, found: Prediction, tolerance: float) -> Difference | None:
    # a client may have asked for probable codes only, so the log can hold fewer than were found
    candidates = found.candidates[: len(row.codes)]
    codes = [c.code for c in candidates]
    place = row.request_id, row.position
    if codes != row.codes:
        return Difference(*place, "codes", ", ".join(row.codes), ", ".join(codes))
    pairs = [(p, c.probability) for p, c in zip(row.probabilities, candidates, strict=False)]
    logged, now = max(pairs, key=lambda pair: abs(pair[0] - pair[1]), default=(0.0, 0.0))
    if len(row.probabilities) != len(candidates) or not abs(logged - now) <= tolerance:
        return Difference(*place, "probabilities", f"{logged:.8f}", f"{now:.8f}")
    if not abs(row.confidence - found.confidence) <= 2 * tolerance:
        return Difference(*place, "confidence", f"{row.confidence:.8f}", f"{found.confidence:.8f}")
    if row.stage != found.stage:
        return Difference(*place, "stage", row.stage, found.stage)
    fallback = found.fallback.code if found.fallback else ""
    if row.fallback_code and row.fallback_code != fallback:
        return Difference(*place, "fallback", row.fallback_code, fallback)
    return None
