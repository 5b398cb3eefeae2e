"""The benchmark of the API: its clock, its places on the processor, and one tiny run of it all."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from benchmarks import api_servers, serving
from benchmarks.http_load import Load, open_loop, post
from benchmarks.processes import apart, processor_ns, spent_s

WORKING = """
import threading, time
def work():
    end = time.thread_time() + 0.2
    while time.thread_time() < end:
        pass
for _ in range(3):
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
print("worked", flush=True)
input()
"""
TICK_S = 1 / os.sysconf("SC_CLK_TCK")


@pytest.fixture
def working() -> Iterator[subprocess.Popen[str]]:
    """Yield a process whose three threads took 0.2 s each, and ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", WORKING], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "worked\n"
    yield process
    process.kill()
    process.communicate()


def test_processor_time_holds_threads_that_ended_and_agrees_with_the_ticks_of_proc(
    working: subprocess.Popen[str],
) -> None:
    (taken,) = processor_ns(working.pid).values()
    spent = psutil.Process(working.pid).cpu_times()
    assert taken > 0.6e9
    assert taken % 10_000_000  # finer than a tick
    assert abs(taken / 1e9 - spent.user - spent.system) <= 2 * TICK_S


def test_processor_time_between_two_moments_counts_new_processes_and_refuses_ended_ones() -> None:
    assert spent_s({1: 5_000_000_000}, {1: 7_000_000_000, 2: 500_000_000}) == 2.5
    with pytest.raises(RuntimeError, match=r"\[2\] of the server ended"):
        spent_s({1: 0, 2: 0}, {1: 1})


def test_server_and_client_have_no_core_in_common_until_the_block_ends(
    working: subprocess.Popen[str],
) -> None:
    before = os.sched_getaffinity(0)
    with apart([working.pid]) as done:
        assert done is (len(before) > 1)
        theirs, own = os.sched_getaffinity(working.pid), os.sched_getaffinity(0)
        assert bool(theirs & own) is not done
    assert os.sched_getaffinity(0) == os.sched_getaffinity(working.pid) == before


def test_quantiles_are_of_the_sorted_figures() -> None:
    load = Load(4, 1.0, 0.002, (0.001, 0.002, 0.003, 0.1), (0.0, 0.004))
    assert (load.quantile_ms(0.99), load.quantile_ms(0.5), load.lag_ms(0.99)) == (100.0, 3.0, 4.0)
    assert load.cpu_ms == 0.5
    assert Load(1, 1, 1, (1.0,)).lag_ms(0.99) == 0.0


@pytest.mark.slow
def test_a_tiny_run_gives_each_figure_that_a_whole_run_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("SINGLES", 20), ("BATCHES", 2), ("DIM", "10"), ("FULL", True)):
        monkeypatch.setattr(serving, name, value)
    monkeypatch.setattr("benchmarks.serving_model.VARIANTS", 2)
    found = {(m.name, m.peer_name): m for m in serving.measure(tmp_path, pairs=1)}
    singles, batches = "single requests per core", "200 texts per request, per core"
    assert list(found) == [
        (f"NACE API, {singles}", "FastAPI"),
        (f"NACE API, {singles}", "mlflow serve"),
        ("NACE API, processor time with logs", "ours without logs"),
        (f"NACE API, {batches}", "FastAPI"),
        (f"NACE API, {batches}", "mlflow serve"),
        (f"NACE API, {batches}", "raw fastText"),
        ("NACE API, single requests, on one core", "FastAPI"),
        ("NACE API, p99 at half load", "FastAPI"),
        ("NACE API, of which the client's own lag, p99", "FastAPI"),
        (f"NACE API, full preset, {singles}", "FastAPI"),
        (f"NACE API, full preset, {batches}", "FastAPI"),
    ]
    for measurement in found.values():
        assert measurement.ours > 0
        assert measurement.peer is not None
        assert measurement.peer > 0
    left = [p.pid for p in psutil.process_iter(["cwd"]) if str(tmp_path) in (p.info["cwd"] or "")]
    assert left == []


def test_an_open_loop_says_by_how_much_the_client_was_late(
    tmp_path: Path, small_model: Path
) -> None:
    with api_servers.start(api_servers.OURS, small_model, tmp_path) as served:
        requests = served.requests(["bar e ristoranti"], size=1)
        begun = time.perf_counter()
        load = open_loop(served.port, served.pid, requests, rate=200, count=20, connections=4)
        assert time.perf_counter() - begun >= 19 / 200
        assert load.requests == len(load.latencies_s) == 20
        assert 0 < len(load.lags_s) <= 20
        assert load.cpu_s > 0
        with pytest.raises(RuntimeError, match="401"):
            open_loop(
                served.port,
                served.pid,
                [post(served.path, b"{}")],
                rate=200,
                count=1,
                connections=1,
            )
