"""The processes of one server: shared memory, death, full disks, the end."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from autonoe.embedded import ports
from autonoe.waiting import wait_until
from autonoe_nace.data import ateco
from autonoe_nace.training import TrainingParams, train
from support.load import busy_factor
from support.serving_process import TEXT, Server, start

RESPAWN_S = 2.0
"""From the death of a worker until its successor answers, on an idle machine."""
BATCH = {"records": [{"text": f"coltivazione di riso e {n} pani"} for n in range(1_000)]}


@pytest.fixture
def serve(small_model: Path, tmp_path: Path) -> Iterator[Callable[..., Server]]:
    started: list[Server] = []

    def start_one(*options: str, model: Path = small_model, **more: object) -> Server:
        state = tmp_path / f"state-{len(started)}"
        server = start(model, state, *options, **more)  # type: ignore[arg-type]
        started.append(server)
        server.wait()
        return server

    yield start_one
    for server in started:
        server.process.kill()
        server.process.communicate(timeout=10)


def ready(server: Server, count: int) -> None:
    wait_until(
        lambda: server.metric("workers") == count, timeout_s=30, what="workers", ignoring=(OSError,)
    )


def test_a_killed_worker_is_replaced_while_the_other_answers(serve: Callable[..., Server]) -> None:
    server = serve("--workers", "2")
    ready(server, 2)
    first = {child.pid for child in server.children()}
    assert len(first) == 2
    victim = first.pop()
    busy = busy_factor()
    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()

    def replaced() -> bool:
        # a worker counts from when it listens; the row of a dead one is taken away when it is
        # buried, so the dead one must be gone as well
        pids = {child.pid for child in server.children()}
        return victim not in pids and len(pids) == 2 and server.metric("workers") == 2

    wait_until(replaced, timeout_s=60, what="a new worker that answers", interval_s=0.01)
    took_s = time.monotonic() - killed
    assert took_s <= RESPAWN_S * max(busy, busy_factor()), f"{took_s:.1f} s"
    assert [server.post(TEXT)[0] for _ in range(10)] == [200] * 10


def test_a_single_worker_comes_back_and_its_counts_with_it(serve: Callable[..., Server]) -> None:
    server = serve()
    for _ in range(3):
        assert server.post(TEXT)[0] == 200
    wait_until(lambda: server.metric("logs_written") == 3, timeout_s=20, what="the log")
    (worker,) = server.children()
    worker.kill()
    # whoever connects meanwhile waits in the queue of the socket that the parent keeps open
    assert server.post(TEXT)[0] == 200
    counted = 'autonoe_nace_requests_total{route="/v1/predict",status="200"} 4.0'
    assert counted in server.get("/metrics")[1]
    wait_until(lambda: server.metric("logs_written") == 4, timeout_s=20, what="the log")


def test_four_workers_take_hardly_more_memory_than_one(
    serve: Callable[..., Server], tmp_path: Path
) -> None:
    params = TrainingParams(
        dim=100, bucket=200_000, epoch=1, calibration_share=0, titles=False, level=2
    )
    model = train(ateco().subset(range(0, 4_000, 20)), params).save(tmp_path / "large")
    size = sum(file.stat().st_size for file in model.iterdir())
    assert size > 60 * 2**20, "the model must be what the memory goes to"
    weights = {}
    for workers in (1, 4):
        server = serve("--workers", str(workers), model=model)
        ready(server, workers)
        for _ in range(8 * workers):
            assert server.post(TEXT)[0] == 200
        family = [psutil.Process(server.process.pid), *server.children()]
        weights[workers] = sum(process.memory_full_info().pss for process in family)
        server.process.terminate()
        server.process.communicate(timeout=30)
    assert weights[4] <= 1.3 * weights[1], weights


def test_a_full_disk_costs_logs_and_no_answer(serve: Callable[..., Server]) -> None:
    def nothing_can_be_written() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    server = serve(before=nothing_can_be_written)
    for _ in range(5):
        assert server.post(TEXT)[0] == 200
    assert (server.metric("logs_written"), server.metric("logs_waiting")) == (0, 5)
    server.process.terminate()
    _, said = server.process.communicate(timeout=60)
    assert b"Prediction logs cannot be written" in said
    assert b"5 prediction logs were dropped" in said
    assert not list((server.state / "logs").glob("*.part"))


def test_logs_that_find_no_room_are_dropped_and_counted(serve: Callable[..., Server]) -> None:
    def nothing_can_be_written() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))

    server = serve("--max-pending-logs", "3", before=nothing_can_be_written)
    assert [server.post(TEXT)[0] for _ in range(12)] == [200] * 12
    # lines that the writer has in hand come back to the queue when the disk refuses them
    wait_until(lambda: server.metric("logs_dropped") == 9, timeout_s=30, what="the dropped lines")
    assert (server.metric("logs_written"), server.metric("logs_waiting")) == (0, 3)
    assert server.post(BATCH)[0] == 200
    wait_until(lambda: server.metric("logs_dropped") == 1_009, timeout_s=30, what="all of a batch")
    assert [server.post(TEXT)[0] for _ in range(3)] == [200] * 3


def test_workers_end_with_their_parent(serve: Callable[..., Server]) -> None:
    server = serve("--workers", "2")
    ready(server, 2)
    workers = server.children()
    os.kill(server.process.pid, signal.SIGKILL)
    server.process.wait(timeout=10)
    gone, alive = psutil.wait_procs(workers, timeout=30)
    assert (len(gone), alive) == (2, [])
    again = serve(port=server.port)
    assert again.post(TEXT)[0] == 200


def test_a_request_in_progress_is_answered_before_the_end(serve: Callable[..., Server]) -> None:
    server = serve()
    answers: list[int] = []
    client = threading.Thread(target=lambda: answers.append(server.post(BATCH)[0]))
    client.start()
    wait_until(
        lambda: server.metric("logs_waiting") + server.metric("logs_written") > 0,
        timeout_s=20,
        what="the first rows of the batch",
        interval_s=0.01,
    )
    server.process.terminate()
    client.join(60)
    assert answers == [200]
    server.process.communicate(timeout=60)
    assert server.process.returncode == 0
    lines = sum(
        len(file.read_text().splitlines()) for file in (server.state / "logs").glob("*.jsonl")
    )
    assert lines == 1_000


def test_a_scraper_can_read_the_metrics_of_all_workers(serve: Callable[..., Server]) -> None:
    server = serve("--workers", "2")
    ready(server, 2)
    assert [server.post(TEXT)[0] for _ in range(20)] == [200] * 20
    assert server.post({"records": 5})[0] == 422
    families = {f.name: f for f in text_string_to_metric_families(server.get("/metrics")[1])}
    assert {name: family.type for name, family in families.items()} == {
        "autonoe_nace_requests": "counter",
        "autonoe_nace_request_seconds": "histogram",
        "autonoe_nace_records": "counter",
        "autonoe_nace_logs_written": "gauge",
        "autonoe_nace_logs_dropped": "gauge",
        "autonoe_nace_logs_waiting": "gauge",
        "autonoe_nace_workers": "gauge",
        "autonoe_nace_model_stale": "gauge",
    }
    assert all(family.documentation for family in families.values())
    route = "/v1/predict"
    counted = {
        sample.labels["status"]: sample.value
        for sample in families["autonoe_nace_requests"].samples
        if sample.labels["route"] == route
    }
    assert counted == {"200": 20, "422": 1}
    seconds = [
        sample
        for sample in families["autonoe_nace_request_seconds"].samples
        if sample.labels["route"] == route
    ]
    buckets = [s.value for s in seconds if s.name.endswith("_bucket")]
    assert buckets == sorted(buckets), "buckets are cumulative"
    assert seconds[len(buckets) - 1].labels["le"] == "+Inf"
    (count,) = (s.value for s in seconds if s.name.endswith("_count"))
    (total,) = (s.value for s in seconds if s.name.endswith("_sum"))
    assert (buckets[-1], count) == (21, 21)
    assert 0 < total < 21 * 60


def test_limits_hold_over_all_workers(serve: Callable[..., Server]) -> None:
    server = serve("--workers", "3", "--daily-quota", "20")
    ready(server, 3)
    statuses = [server.post(TEXT)[0] for _ in range(30)]
    assert statuses.count(200) == 20
    assert statuses[20:] == [429] * 10


def test_an_address_that_is_taken_is_said_in_words(
    small_model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from autonoe.errors import UnavailableError
    from autonoe_nace.serving import master
    from autonoe_nace.serving.settings import ServingSettings

    monkeypatch.setattr(master, "_BIND_S", 0.2)
    (port,) = ports.choose(1)
    settings = ServingSettings(str(small_model), tmp_path, port=port)
    with master._listen(settings), pytest.raises(UnavailableError, match="cannot be listened on"):
        master._listen(settings)
