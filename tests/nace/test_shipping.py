"""Prediction logs that a server sends by itself, since its disk goes with it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pyarrow.dataset as ds
import pytest

from autonoe.backends.base import Deployment
from autonoe.errors import UnavailableError
from autonoe.waiting import wait_until
from autonoe_nace.logs import etl
from autonoe_nace.logs.record import LogRecord
from autonoe_nace.logs.writer import PredictionLog
from autonoe_nace.serving.shipping import LogShipper
from nace.log_parts import logged


def record(number: int) -> LogRecord:
    return logged(request_id=f"r{number}")


def rows(store: Path) -> int:
    return int(ds.dataset(store, format="parquet", partitioning="hive").count_rows())


def test_logs_arrive_and_nothing_is_left_behind(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "logs", flush_s=0.05)
    shipper = LogShipper(log, str(tmp_path / "store"), every_s=0.1)
    log.start()
    shipper.start()
    log.add(record(number) for number in range(5))
    wait_until(
        lambda: shipper.counts() == {"stored": 5, "waiting": 0},
        timeout_s=20,
        what="the logs to arrive",
    )
    assert rows(tmp_path / "store") == 5
    assert not list((tmp_path / "logs" / "done").iterdir()), "the pod's disk would fill up"
    log.stop()
    shipper.stop()


def test_the_last_lines_are_sent_at_the_end(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "logs", flush_s=60)
    shipper = LogShipper(log, str(tmp_path / "store"), every_s=60)
    log.start()
    shipper.start()
    log.add([record(1)])
    assert shipper.counts() == {"stored": 0, "waiting": 1}
    log.stop()
    shipper.stop()
    assert rows(tmp_path / "store") == 1


def test_two_pods_of_one_deployment_keep_each_others_rows(tmp_path: Path) -> None:
    for pod in ("a", "b"):
        log = PredictionLog(tmp_path / pod)
        shipper = LogShipper(log, str(tmp_path / "store"), part=f"predictions-{pod}.parquet")
        log.add([record(ord(pod))])
        log.flush()
        shipper.ship()
    assert rows(tmp_path / "store") == 2


def test_a_store_that_is_away_keeps_the_segments(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "logs")
    (tmp_path / "store").write_text("a file where a folder should be")
    shipper = LogShipper(log, str(tmp_path / "store"))
    log.add([record(1)])
    log.flush()
    with pytest.raises((UnavailableError, OSError)):
        shipper.ship()
    assert shipper.counts() == {"stored": 0, "waiting": 1}
    (tmp_path / "store").unlink()
    shipper.ship()
    assert shipper.counts() == {"stored": 1, "waiting": 0}


def _deployment(url: str, folder: str) -> Deployment:
    return Deployment(
        name="d",
        account="ana",
        model_uri="models:/m@champion",
        threshold=0.5,
        pseudonymise=False,
        state="ready",
        detail="",
        url=url,
        local_url=url,
        log_folder=folder,
        memory_mib=0,
        restarts=0,
    )


def test_bringing_logs_reads_a_folder_of_this_machine(tmp_path: Path) -> None:
    log = PredictionLog(tmp_path / "logs")
    log.add([record(1)])
    log.flush()
    report = etl.bring(_deployment("", str(tmp_path / "logs")), str(tmp_path / "store"))
    assert (report.new, rows(tmp_path / "store")) == (1, 1)


def test_bringing_logs_of_a_pod_waits_for_it() -> None:
    answers = iter(
        (
            {"error": {"code": "model_unavailable"}},
            {"logs": {"stored": 3, "waiting": 2}},
            {"logs": {"stored": 5, "waiting": 0}},
        )
    )
    with _Server(answers) as url:
        report = etl.bring(_deployment(url, "s3://user-ana/nace/logs/service=d"), "")
    assert report.new == 5


def test_bringing_logs_of_a_pod_that_does_not_answer_ends() -> None:
    where = _deployment("http://127.0.0.1:1/", "s3://user-ana/nace/logs/service=d")
    with pytest.raises(UnavailableError, match="logs of d to reach the object store"):
        etl.bring(where, "", timeout_s=0.2)


class _Server(AbstractContextManager[str]):
    """Answers each request with the next document."""

    def __init__(self, answers: Iterator[object]) -> None:
        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = json.dumps(next(answers)).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> str:
        self._thread.start()
        return f"http://127.0.0.1:{self._server.server_address[1]}/"

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
