"""Prediction logs: written through crashes and full disks, brought to Parquet once each."""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import resource
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.dataset as ds
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autonoe.cli import main
from autonoe.errors import UnavailableError
from autonoe.waiting import wait_until
from autonoe_nace.logs import etl
from autonoe_nace.logs.record import LogRecord
from autonoe_nace.logs.writer import PredictionLog

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def record(
    number: int, *, position: int = 0, time: datetime = NOON, text: str = "riso"
) -> LogRecord:
    return LogRecord(
        request_id=f"r{number}",
        position=position,
        time=time,
        deployment="test",
        key_id="k",
        model_name="nace",
        model_version="1",
        model_sha256="0" * 64,
        text=text,
        codes=["01.12", "01.11"],
        probabilities=[0.7, 0.2],
        confidence=0.5,
        threshold=0.8,
        auto=False,
        latency_ms=1.5,
    )


def write(folder: Path, *batches: list[LogRecord]) -> None:
    for batch in batches:
        log = PredictionLog(folder)
        log.add(batch)
        log.flush()


def stored(target: Path) -> list[tuple[str, int]]:
    if not target.exists():
        return []
    rows = ds.dataset(target, partitioning="hive", format="parquet").to_table().to_pylist()
    return sorted((row["request_id"], row["position"]) for row in rows)


def test_a_line_is_on_disk_within_one_flush_window(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path, flush_s=0.05)
    log.start()
    log.add([record(1)])
    (segment,) = wait_until(
        lambda: list(tmp_path.glob("*.jsonl")), timeout_s=10, what="the first segment"
    )
    assert json.loads(segment.read_text())["request_id"] == "r1"
    assert segment.stat().st_mode & 0o077 == 0
    log.stop()
    assert log.written == 1


def _write_until_killed(folder: Path, ready: int) -> None:
    log = PredictionLog(folder, flush_s=0.01)
    log.start()
    os.write(ready, b"x")
    for number in range(10_000_000):
        log.add([record(number)])


def test_a_crash_leaves_whole_lines_only_and_the_next_start_goes_on(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for _ in range(5):
        reader, writer = os.pipe()
        child = context.Process(target=_write_until_killed, args=(tmp_path, writer))
        child.start()
        os.read(reader, 1)
        before = len(list(tmp_path.glob("*.jsonl")))
        wait_until(
            lambda seen=before: len(list(tmp_path.glob("*.jsonl"))) > seen + 2,
            timeout_s=20,
            what="a few segments",
        )
        os.kill(child.pid or 0, signal.SIGKILL)
        child.join()
        os.close(reader)
        os.close(writer)
    for segment in tmp_path.glob("*.jsonl"):
        for line in segment.read_text().splitlines():
            assert json.loads(line)["deployment"] == "test"
    log = PredictionLog(tmp_path)
    log.start()
    log.stop()
    assert not list(tmp_path.glob(".*.part"))


def test_a_full_disk_costs_logs_and_nothing_else(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for the full disk: the write fails half way in the same manner."""
    script = (
        "import sys, signal, resource\n"
        "from pathlib import Path\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_logs import record\n"
        "from autonoe_nace.logs.writer import PredictionLog\n"
        "folder = Path(sys.argv[1])\n"
        "log = PredictionLog(folder, flush_s=0.02, max_pending=100)\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))\n"
        "log.start()\n"
        "for number in range(500):\n"
        "    log.add([record(number)])\n"
        "from autonoe.waiting import wait_until\n"
        "wait_until(lambda: log.failing and log.dropped >= 400, timeout_s=10, what='drops')\n"
        "assert not list(folder.glob('*.jsonl')), 'half a segment was published'\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)\n"
        "wait_until(lambda: log.written >= 100, timeout_s=10, what='recovery')\n"
        "log.stop()\n"
        "print(log.written + log.dropped)\n"
    )
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    assert hard == resource.RLIM_INFINITY, soft
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "500"
    assert done.stderr.count("cannot be written") == 1, "one line, not one a flush"


def test_etl_moves_each_prediction_once(tmp_path: Path) -> None:
    write(tmp_path / "logs", [record(1), record(2), record(2, position=1)])
    report = etl.run(tmp_path / "logs", str(tmp_path / "out"))
    assert (report.new, report.duplicates, report.corrupt) == (3, 0, 0)
    assert report.days == ["2026-11-20"]
    assert stored(tmp_path / "out") == [("r1", 0), ("r2", 0), ("r2", 1)]
    again = etl.run(tmp_path / "logs", str(tmp_path / "out"))
    assert (again.segments, again.new) == (0, 0)


def test_duplicates_and_late_rows_join_their_day(tmp_path: Path) -> None:
    logs, out = tmp_path / "logs", tmp_path / "out"
    write(logs, [record(1), record(1)], [record(2, time=NOON + timedelta(days=1))])
    first = etl.run(logs, str(out))
    write(logs, [record(1), record(3, time=NOON - timedelta(hours=1))])
    late = etl.run(logs, str(out))
    assert (first.new, first.duplicates) == (2, 1)
    assert (late.new, late.duplicates, late.days) == (1, 1, ["2026-11-20"])
    assert stored(out) == [("r1", 0), ("r2", 0), ("r3", 0)]


def test_the_last_microsecond_belongs_to_its_day(tmp_path: Path) -> None:
    last = datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC)
    write(
        tmp_path / "logs", [record(1, time=last), record(2, time=last + timedelta(microseconds=1))]
    )
    report = etl.run(tmp_path / "logs", str(tmp_path / "out"))
    assert report.days == ["2026-11-20", "2026-11-21"]


def test_corrupt_lines_are_set_aside_and_counted(tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    write(logs, [record(1), record(2)])
    (segment,) = logs.glob("*.jsonl")
    bad = [b"not json", b'{"request_id": "x"}', b"\xff\xfe", b'{"a": nan}', b"Traceback (most"]
    segment.write_bytes(b"\n".join([*bad, segment.read_bytes()]))
    report = etl.run(logs, str(tmp_path / "out"))
    assert (report.new, report.corrupt) == (2, len(bad))
    (kept,) = (logs / "quarantine").iterdir()
    assert kept.read_bytes().split(b"\n")[:-1] == bad


def test_hostile_texts_pass_unchanged(tmp_path: Path) -> None:
    texts = ["'; DROP TABLE logs; --", "<script>alert(1)</script>", "\u202e\u0000é\n\t\U0001f33e"]
    write(tmp_path / "logs", [record(n, text=text) for n, text in enumerate(texts)])
    etl.run(tmp_path / "logs", str(tmp_path / "out"))
    rows = ds.dataset(tmp_path / "out", partitioning="hive", format="parquet").to_table()
    assert sorted(rows["text"].to_pylist()) == sorted(texts)


def test_a_store_that_is_down_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    logs = tmp_path / "logs"
    write(logs, [record(1)])
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    with pytest.raises(UnavailableError):
        etl.run(logs, "s3://nowhere/logs")
    assert etl.run(logs, str(tmp_path / "out")).new == 1


def test_runs_at_the_same_time_do_the_work_once(tmp_path: Path) -> None:
    logs, out = tmp_path / "logs", tmp_path / "out"
    write(logs, [record(n) for n in range(3_000)])
    reports: list[etl.EtlReport] = []
    threads = [
        threading.Thread(target=lambda: reports.append(etl.run(logs, str(out)))) for _ in range(5)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(report.new for report in reports) == 3_000
    assert len(stored(out)) == 3_000


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2)), max_size=8), max_size=5),
    st.randoms(use_true_random=False),
)
def test_any_order_and_repetition_gives_the_same_rows(
    tmp_path: Path, batches: list[list[tuple[int, int]]], shuffle: random.Random
) -> None:
    place = tmp_path / os.urandom(8).hex()
    records = [[record(n, position=p) for n, p in batch] for batch in batches]
    wanted = sorted({(f"r{n}", p) for batch in batches for n, p in batch})
    for run in range(2):
        shuffle.shuffle(records)
        for batch in records:
            write(place / f"logs{run}", batch)
            etl.run(place / f"logs{run}", str(place / "out"))
        assert stored(place / "out") == wanted


def test_the_command_reports_what_it_did(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "logs", [record(1), record(1)])
    places = ["--from", str(tmp_path / "logs"), "--to", str(tmp_path / "out")]
    with pytest.raises(SystemExit) as done:
        main(["nace", "etl", *places, "--json"])
    assert done.value.code == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["new"], said["duplicates"], said["busy"]) == (1, 1, False)
    for wrong in ([], ["--from", "x"], ["--deployment", "a", "--from", "x"]):
        with pytest.raises(SystemExit) as refused:
            main(["nace", "etl", *wrong, "--json"])
        assert refused.value.code == 2
        assert json.loads(capsys.readouterr().out)["error"]["hint"]
