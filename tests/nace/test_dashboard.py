"""The dashboard's numbers, against the same numbers counted by hand."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from autonoe.errors import InvalidInputError, NotFoundError
from autonoe_nace.dashboard import Dashboard, dashboard
from autonoe_nace.logs import etl
from autonoe_nace.logs.record import LogRecord
from autonoe_nace.logs.writer import PredictionLog
from autonoe_nace.monitoring import PredictionStatistics, Rate

START = datetime(2026, 11, 18, 8, tzinfo=UTC)
HOSTILE = "<img src=x onerror=alert(1)>' OR 1=1; --"


def logged(folder: Path, confidences: list[float], *, deployment: str, day: int = 0) -> None:
    log = PredictionLog(folder / "logs")
    log.add(
        LogRecord(
            request_id=f"{deployment}-{day}-{number}",
            position=0,
            time=START + timedelta(days=day, seconds=number),
            deployment=deployment,
            key_id="k",
            model_name="nace",
            model_version="1",
            model_sha256="0" * 64,
            text="riso",
            codes=["01.12"],
            probabilities=[0.9],
            confidence=confidence,
            threshold=0.8,
            auto=confidence >= 0.8,
            latency_ms=float(number),
            error="" if confidence >= 0 else "empty_text",
        )
        for number, confidence in enumerate(confidences)
    )
    log.flush()
    etl.run(folder / "logs", str(folder / "out"))


@pytest.fixture
def statistics(tmp_path: Path) -> PredictionStatistics:
    logged(tmp_path, [0.1, 0.5, 0.8, 0.95, -1.0], deployment="first")
    logged(tmp_path, [0.79, 0.81], deployment="first", day=1)
    logged(tmp_path, [1.0, 0.0], deployment=HOSTILE)
    return PredictionStatistics(str(tmp_path / "out"))


def test_the_rate_counts_answered_predictions_at_or_above_the_threshold(
    statistics: PredictionStatistics,
) -> None:
    assert statistics.automatic(0.8) == Rate.of(4, 8)
    assert statistics.automatic(0.8, deployment="first") == Rate.of(3, 6)
    assert statistics.automatic(0.0) == Rate.of(8, 8)
    assert statistics.automatic(1.0) == Rate.of(1, 8)


def test_every_hundredth_of_the_slider_agrees_with_a_count(tmp_path: Path) -> None:
    source = random.Random(1)
    values = [number / 100 for number in range(101)] + [source.random() for _ in range(300)]
    logged(tmp_path, values, deployment="all")
    statistics = PredictionStatistics(str(tmp_path / "out"))
    for hundredth in range(101):
        threshold = hundredth / 100
        counted = sum(value >= threshold - 1e-9 for value in values)
        assert statistics.automatic(threshold).value == counted / len(values), threshold


def test_days_are_apart(statistics: PredictionStatistics) -> None:
    days = statistics.automatic_per_day(0.8, deployment="first")
    assert [(str(day["date"]), day["n"], day["rate"]) for day in days] == [
        ("2026-11-18", 4, 0.5),
        ("2026-11-19", 2, 0.5),
    ]
    first, second = statistics.per_day(deployment="first")
    assert (first["requests"], first["predictions"], first["errors"]) == (5, 5, 1)
    assert first["latency_p50_ms"] == pytest.approx(2.0, rel=0.02)
    assert (second["requests"], second["errors"]) == (2, 0)


def test_the_distribution_holds_every_prediction_once(statistics: PredictionStatistics) -> None:
    classes = statistics.confidence()
    assert sum(row["n"] for row in classes) == 8
    assert {float(row["lower"]) for row in classes} == {0.0, 0.1, 0.5, 0.75, 0.8, 0.95}


def test_wilson_interval_of_a_known_case() -> None:
    rate = Rate.of(8, 10)
    assert (round(rate.low, 3), round(rate.high, 3)) == (0.490, 0.943)
    assert str(Rate.of(1, 2)).startswith("50.0 % (")
    assert not math.isnan(Rate.of(0, 0).low)


def test_a_hostile_name_is_a_value_and_is_shown_as_text(statistics: PredictionStatistics) -> None:
    assert statistics.automatic(0.5, deployment=HOSTILE) == Rate.of(1, 2)
    assert statistics.automatic(0.5, deployment="' OR 1=1; --").n == 0
    shown = Dashboard(statistics)
    shown.deployment.value = HOSTILE
    assert "<img" not in shown.finding.value + shown.tables.value


def test_moving_the_slider_changes_finding_chart_and_table(
    statistics: PredictionStatistics,
) -> None:
    shown = Dashboard(statistics, threshold=0.8)
    assert "50.0 % of 8 descriptions" in shown.finding.value
    assert list(shown.figure.data[1].y) == [50.0, 50.0]
    shown.threshold.value = 0.0
    assert "100.0 % of 8 descriptions" in shown.finding.value
    assert list(shown.figure.data[1].y) == [100.0, 100.0]
    assert shown.figure.layout.shapes[0].x0 == 0.0
    assert "100.0 % (" in shown.tables.value
    shown.deployment.value = "first"
    assert "of 6 descriptions" in shown.finding.value
    assert shown.figure.layout.annotations[0].text == "7 predictions on 2 days"


def test_without_logs_it_says_what_to_do_next(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="no prediction logs"):
        PredictionStatistics(str(tmp_path))
    card = dashboard(str(tmp_path)).children[0]
    assert "autonoe nace etl" in card.value


@pytest.mark.parametrize("threshold", [-0.1, 1.1, float("nan")])
def test_a_threshold_out_of_range_is_refused(
    statistics: PredictionStatistics, threshold: float
) -> None:
    with pytest.raises(InvalidInputError, match="between 0 and 1"):
        statistics.automatic(threshold)


def test_a_label_cannot_reach_files_or_settings(statistics: PredictionStatistics) -> None:
    for sql in ("SELECT * FROM read_text('/etc/passwd')", "SET enable_external_access = true"):
        with pytest.raises(Exception, match=r"(?i)permission|disabled|locked"):
            statistics.logs._db.execute(sql)
