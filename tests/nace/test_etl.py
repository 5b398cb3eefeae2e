"""The ETL under real processes: two at once, killed, on a real object store, and at speed."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from autonoe.names import user_bucket
from autonoe.waiting import wait_until
from autonoe_nace.logs import etl, merge, segments
from autonoe_nace.logs.record import SCHEMA, LogRecord, conform, table
from autonoe_nace.logs.writer import PredictionLog
from support.platform import Platform

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def record(number: int, *, time: datetime = NOON, text: str = "coltivazione di riso") -> LogRecord:
    return LogRecord(
        request_id=f"r{number:07d}",
        position=number % 3,
        time=time,
        deployment="d",
        key_id="k",
        model_name="nace",
        model_version="1",
        model_sha256="0" * 64,
        text=text,
        codes=["01.12", "01.11"],
        probabilities=[0.75, 0.25],
        confidence=0.5,
        threshold=0.8,
        auto=False,
        latency_ms=1.5,
        features={"nature": "A"},
        top_k=5,
        level=5,
    )


def write(folder: Path, records: list[LogRecord]) -> None:
    log = PredictionLog(folder)
    log.add(records)
    log.flush()


def rows(target: Path) -> list[tuple[str, int]]:
    query = "SELECT request_id, position FROM read_parquet(?, hive_partitioning = true)"
    with duckdb.connect() as db:
        return sorted(db.execute(query, [f"{target}/*/*.parquet"]).fetchall())


@pytest.fixture
def always_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_WORTH_IT", 0)


@pytest.fixture
def never_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_WORTH_IT", 1 << 60)


HOSTILE = ["'; DROP TABLE logs; --", "\u202e\u0000é\n\t\U0001f33e", "", "a" * 5_000, '"\\']


def test_both_ways_of_reading_give_the_same_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = datetime(2026, 11, 20, 23, 59, 59, 999_999, tzinfo=UTC)
    records = [record(n, text=text) for n, text in enumerate(HOSTILE)]
    records += [record(10, time=last), record(11, time=last + timedelta(microseconds=1))]
    found = []
    for name, threshold in (("fast", 0), ("exact", 1 << 60)):
        monkeypatch.setattr(segments, "_WORTH_IT", threshold)
        write(tmp_path / name, records)
        report = etl.run(tmp_path / name, str(tmp_path / f"{name}-out"))
        assert (report.new, report.corrupt, report.days) == (7, 0, ["2026-11-20", "2026-11-21"])
        parts = sorted((tmp_path / f"{name}-out").glob("*/*.parquet"))
        found.append([conform(pq.ParquetFile(part).read()).to_pylist() for part in parts])
    assert found[0] == found[1]
    assert [row["text"] for row in found[0][0]][: len(HOSTILE)] == HOSTILE


BAD = [
    b"Traceback (most recent call last):",
    b'{"request_id": "x"}',
    b'{"a": nan}',
    b"\xff\xfe\x00",
    b"[1, 2]",
    b'{"request_id":"r1","position":0,"time":"2026',
    b"\0" * 64,
]


@pytest.mark.usefixtures("always_fast")
def test_a_batch_with_bad_lines_is_read_again_to_find_them(tmp_path: Path) -> None:
    write(tmp_path / "logs", [record(n) for n in range(50)])
    (good,) = (tmp_path / "logs").glob("*.jsonl")
    lines = good.read_bytes().splitlines()
    nan = lines[0].replace(b'"confidence":0.5', b'"confidence":NaN').replace(b"r0000000", b"rx")
    bad = [*BAD, nan]
    good.write_bytes(b"\n".join([*lines[:20], *bad[:4], *lines[20:], *bad[4:]]))
    report = etl.run(tmp_path / "logs", str(tmp_path / "out"))
    assert (report.new, report.corrupt, report.duplicates) == (50, len(bad), 0)
    (kept,) = (tmp_path / "logs" / segments.QUARANTINE).iterdir()
    assert kept.read_bytes() == b"\n".join(bad) + b"\n"
    assert kept.stat().st_mode & 0o077 == 0


def test_without_duckdb_it_works_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segments, "_WORTH_IT", 0)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    find = segments.importlib.util.find_spec
    monkeypatch.setattr(
        segments.importlib.util, "find_spec", lambda name: None if name == "duckdb" else find(name)
    )
    write(tmp_path / "logs", [record(1), record(2)])
    assert etl.run(tmp_path / "logs", str(tmp_path / "out")).new == 2


def test_a_large_day_goes_on_in_the_next_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "FULL", 10)
    logs, out = tmp_path / "logs", tmp_path / "out"
    for start in range(0, 32, 8):
        write(logs, [record(n) for n in range(start, start + 8)])
        etl.run(logs, str(out))
    write(logs, [record(n) for n in range(32)])
    assert etl.run(logs, str(out)).duplicates == 32
    assert len(rows(out)) == len(set(rows(out))) == 32
    sizes = [pq.ParquetFile(path).metadata.num_rows for path in out.glob("*/*.parquet")]
    assert sizes == [8] * 4


def test_lines_and_files_of_older_versions_join_todays(tmp_path: Path) -> None:
    old = [name for name in SCHEMA.names if name in LogRecord.__struct_fields__[:15]]
    day = tmp_path / "out" / "date=2026-11-20"
    day.mkdir(parents=True)
    first = table([record(1)]).select(old).append_column("titles", pa.array([["Riso"]]))
    pq.write_table(first, day / "predictions.parquet")
    write(tmp_path / "logs", [record(2)])
    (segment,) = (tmp_path / "logs").glob("*.jsonl")
    line = json.loads(segment.read_text())
    newer = {**line, "request_id": "newer", "field_of_next_year": 1}
    for name in ("features", "top_k", "level"):
        del line[name]
    line["titles"] = ["Riso", "Cereali"]  # were logged once
    segment.write_text(f"{json.dumps(line)}\n{json.dumps(newer)}\n")
    assert etl.run(tmp_path / "logs", str(tmp_path / "out")).new == 2
    stored = pq.ParquetFile(day / "predictions.parquet").read()
    assert stored.schema.names == SCHEMA.names
    by_id = {row["request_id"]: row for row in stored.to_pylist()}
    assert by_id["r0000001"]["features"] == by_id["r0000002"]["features"] == []
    assert by_id["newer"]["features"] == [("nature", "A")]
    assert {row["code"] for row in by_id.values()} == {"01.12"}


def _bring(folder: Path, target: str) -> None:
    etl.run(folder, target)


def test_two_processes_with_the_same_lines_store_each_once(tmp_path: Path) -> None:
    """Two folders, as of two machines, hold the same requests; their runs overlap."""
    for name in ("a", "b"):
        for start in range(0, 4_000, 1_000):
            write(tmp_path / name, [record(n) for n in range(start, start + 1_000)])
    context = multiprocessing.get_context("spawn")
    target = str(tmp_path / "out")
    runs = [context.Process(target=_bring, args=(tmp_path / name, target)) for name in ("a", "b")]
    for process in runs:
        process.start()
    for process in runs:
        process.join(60)
    assert [process.exitcode for process in runs] == [0, 0]
    assert len(rows(tmp_path / "out")) == 4_000
    assert not [*(tmp_path / "a").glob("*.jsonl"), *(tmp_path / "b").glob("*.jsonl")]


_KILLED = """
import os, signal, sys
from pathlib import Path
from autonoe_nace.logs import etl, store, merge
etl._BATCH = 1
left = int(sys.argv[3])
publish = store.PartitionStore.publish
def dying(self, *rest):
    global left
    left -= 1
    if left == 0 and sys.argv[4] == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    publish(self, *rest)
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
store.PartitionStore.publish = dying
etl.run(Path(sys.argv[1]), sys.argv[2])
"""


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_killed_run_is_finished_by_the_next(tmp_path: Path, moment: str) -> None:
    logs, out = tmp_path / "logs", tmp_path / "out"
    for start in range(0, 500, 100):
        write(logs, [record(n) for n in range(start, start + 100)])
    script = [sys.executable, "-c", _KILLED, str(logs), str(out), "3", moment]
    done = subprocess.run(script, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    left = len(list(logs.glob("*.jsonl")))
    assert 0 < left < 5, "it died in the middle of its work"
    report = etl.run(logs, str(out))
    assert report.segments == left
    assert len(rows(out)) == len(set(rows(out))) == 500
    assert not list(logs.glob(".etl-*"))


FLUSH_S = 0.25


def _serve_until_killed(folder: Path, ready: int) -> None:
    log = PredictionLog(folder, flush_s=FLUSH_S)
    log.start()
    number = 0
    while True:
        log.add([record(number)])
        # what was answered, as a client would know it
        os.write(ready, number.to_bytes(4, "big"))
        number += 1


def test_a_kill_loses_no_more_than_one_flush_window(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_serve_until_killed, args=(tmp_path, writer))
    child.start()
    os.close(writer)
    seen: list[tuple[float, int]] = []
    with os.fdopen(reader, "rb") as pipe:
        while not seen or seen[-1][0] < seen[0][0] + 3:
            number = int.from_bytes(pipe.read(4), "big")
            seen.append((time.time(), number))
    os.kill(child.pid or 0, signal.SIGKILL)
    child.join()
    kept = sorted(
        int(json.loads(line)["request_id"][1:])
        for file in tmp_path.glob("*.jsonl")
        for line in file.read_bytes().splitlines()
    )
    assert kept == list(range(len(kept))), "what is there is whole and in order"
    # after a segment the writer waits a window, then takes all that there is: the last one holds
    # what was answered until then, however busy the machine is
    written = sorted(file.stat().st_mtime for file in tmp_path.glob("*.jsonl"))
    certain = max(number for when, number in seen if when <= written[-2] + FLUSH_S)
    assert kept[-1] >= certain > 0


UPLOAD_TWICE = """
import sys
from pathlib import Path
from autonoe_nace.logs import etl
print(etl.run(Path(sys.argv[1]), sys.argv[2]).new)
"""

TAKE_AND_DIE = """
import sys, os, signal
from autonoe_nace.logs.lease import S3Lease
lease = S3Lease(sys.argv[1], float(sys.argv[2]))
assert lease.take()
assert not S3Lease(sys.argv[1], float(sys.argv[2])).take()
print("mine", flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""

COUNT = """
import sys
import pyarrow.dataset as ds
rows = ds.dataset(sys.argv[1], format="parquet", partitioning="hive").to_table()
keys = set(zip(rows["request_id"].to_pylist(), rows["position"].to_pylist()))
print(rows.num_rows, len(keys))
"""


@pytest.mark.platform
@pytest.mark.timeout(300)
def test_on_a_real_object_store_two_runs_take_turns_and_a_dead_one_is_replaced(
    platform: Platform, tmp_path: Path
) -> None:
    target = f"s3://{user_bucket(platform.owner)}/tests/{uuid.uuid4().hex}"
    for name in ("a", "b"):
        write(tmp_path / name, [record(n) for n in range(2_000)])
    environment = {**os.environ, "AUTONOE_DATA_DIR": str(platform.layout.root)}
    prefix = [Path(sys.executable).with_name("autonoe"), "credentials", "exec"]
    prefix = [str(part) for part in [*prefix, "--account", platform.owner, "--", sys.executable]]
    runs = [
        subprocess.Popen(
            [*prefix, "-c", UPLOAD_TWICE, str(tmp_path / name), target],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    said = [int(run.communicate(timeout=120)[0]) for run in runs]
    assert sorted(said) == [0, 2_000]
    counted = platform.cli(*prefix[1:], "-c", COUNT, target).stdout.split()
    assert counted == ["2000", "2000"]
    dead = platform.cli(*prefix[1:], "-c", TAKE_AND_DIE, target, "2", check=False)
    assert "mine" in dead.stdout, dead.stderr
    again = TAKE_AND_DIE.replace(
        "assert lease.take()", "waited = True; lease.take() or sys.exit(3)"
    )

    def taken() -> bool:
        return "mine" in platform.cli(*prefix[1:], "-c", again, target, "2", check=False).stdout

    assert wait_until(taken, timeout_s=60, what="the lease of the dead run to expire")
