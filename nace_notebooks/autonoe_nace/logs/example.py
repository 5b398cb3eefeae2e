"""Weeks of logs to try monitoring on: a real model's real answers, on days that never were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow.parquet as pq

from autonoe_nace.data import Dataset
from autonoe_nace.logs.record import LogRecord, table
from autonoe_nace.logs.store import PART
from autonoe_nace.model import NaceModel, Prediction
from autonoe_nace.recoding.register import place

_TOP = 5


@dataclass(frozen=True)
class Story:
    """What happens in the invented weeks.

    Attributes
    ----------
    days : int
        Length, the last day being yesterday (UTC).
    per_day : int
        Texts a day.
    changed_days : int
        At the end: so many days on which other firms register.
    section : str
        Section that three quarters of the texts are of on these days.
    threshold : float
        From which confidence the service coded automatically.
    seed : int
        Of everything that is drawn.
    """

    days: int = 28
    per_day: int = 100
    changed_days: int = 7
    section: str = "J"
    threshold: float = 0.6
    seed: int = 1


def write_example_logs(
    model: NaceModel, data: Dataset, uri: str, story: Story | None = None
) -> list[str]:
    """Write the predictions of ``story`` as the ETL would, one file a day; return their days.

    Texts are drawn from ``data`` and answered by ``model``; only the days are invented.

    Parameters
    ----------
    model : NaceModel
        The model that "served".
    data : Dataset
        Texts; their codes decide on which days they come.
    uri : str
        ``s3://…/service=NAME`` or a folder; the last part names the deployment.
    story : Story, optional
        What happens.
    """
    story = story or Story()
    drawn = np.random.default_rng(story.seed)
    name = uri.rstrip("/").rpartition("service=")[2] or "example"
    sections = [data.nomenclature.ancestor(code, 1) for code in data.codes]
    matching = [i for i, section in enumerate(sections) if section == story.section]
    first = datetime.now(UTC).date() - timedelta(days=story.days)
    answers: dict[int, Prediction] = {}
    written = []
    for number in range(story.days):
        rows = drawn.integers(0, len(data), story.per_day)
        if matching and number >= story.days - story.changed_days:
            moved = drawn.random(story.per_day) < 0.75  # as the story says
            rows = np.where(moved, drawn.choice(matching, story.per_day), rows)
        chosen = [int(row) for row in rows]
        new = [row for row in dict.fromkeys(chosen) if row not in answers]
        found = model.predict([data.texts[row] for row in new], _TOP)
        answers |= dict(zip(new, found, strict=True))
        day = first + timedelta(days=number)
        records = [
            _record(model, name, day, i, data.texts[row], answers[row], story.threshold)
            for i, row in enumerate(chosen)
        ]
        store, path = place(f"{uri.rstrip('/')}/date={day}/{PART}")
        store.create_dir(path.rpartition("/")[0], recursive=True)
        pq.write_table(table(records), path, filesystem=store, compression="zstd")
        written.append(str(day))
    return written


def truth_of(texts: Sequence[str], data: Dataset) -> list[str]:
    """Return the code of each text in ``data``, empty for a text that is not in it."""
    known = dict(zip(data.texts, data.codes, strict=True))
    return [known.get(text, "") for text in texts]


def _record(
    model: NaceModel,
    name: str,
    day: date,
    number: int,
    text: str,
    answer: Prediction,
    threshold: float,
) -> LogRecord:
    # spread over office hours, so that a day looks like one
    moment = datetime(day.year, day.month, day.day, 8, tzinfo=UTC) + timedelta(seconds=300 * number)
    return LogRecord(
        request_id=f"{name}-{day}-{number:06d}",
        position=0,
        time=min(moment, datetime(day.year, day.month, day.day, 23, 59, 59, tzinfo=UTC)),
        deployment=name,
        key_id="example",
        model_name="example",
        model_version="1",
        model_sha256=model.manifest.hashes["model"],
        text=text,
        codes=[c.code for c in answer.candidates],
        probabilities=[c.probability for c in answer.candidates],
        confidence=answer.confidence,
        threshold=threshold,
        auto=answer.confidence >= threshold,
        latency_ms=2.0 + number % 7,
        top_k=_TOP,
        level=model.manifest.level,
    )
