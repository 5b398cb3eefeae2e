"""A real MLflow without accounts: for tests of what is done with a registry, not of who may."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3

from autonoe.embedded import ports
from autonoe.waiting import wait_until

START_TIMEOUT_S = 240.0


@contextmanager
def mlflow_server(folder: Path) -> Iterator[str]:
    """Run MLflow with SQLite and artefacts in ``folder``; yield its address."""
    port = ports.choose(1)[0]
    url = f"http://127.0.0.1:{port}"
    command = [str(Path(sys.executable).with_name("mlflow")), "server"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{folder / 'mlflow.db'}"]
    command += ["--artifacts-destination", str(folder / "artifacts")]
    environment = {
        **os.environ,
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }
    log = folder / "mlflow.log"
    with log.open("wb") as stream:
        process = subprocess.Popen(
            command, env=environment, stdout=stream, stderr=stream, start_new_session=True
        )
    try:
        wait_until(
            lambda: _healthy(process, url, log),
            timeout_s=START_TIMEOUT_S,
            what="MLflow",
            ignoring=(urllib3.exceptions.HTTPError,),
        )
        yield url
    finally:
        os.killpg(process.pid, 15)
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait(timeout=20)


def _healthy(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    assert process.poll() is None, f"MLflow ended: {log.read_text(errors='replace')[-2000:]}"
    return urllib3.request("GET", f"{url}/health", timeout=5, retries=False).status == 200
