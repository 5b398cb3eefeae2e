"""The NACE API as its own processes."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from autonoe.embedded import ports
from autonoe.waiting import wait_until

TEXT = {"records": [{"text": "coltivazione di riso"}]}


class Server:
    """One running ``python -m autonoe_nace.serving``."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, state: Path) -> None:
        self.process = process
        self.port = port
        self.state = state

    def post(self, body: object, *, timeout: float = 60) -> tuple[int, dict[str, Any]]:
        """Ask once, on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request(
                "POST", "/v1/predict", json.dumps(body), {"Content-Type": "application/json"}
            )
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def get(self, path: str) -> tuple[int, str]:
        """Ask for ``path`` once."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def metric(self, name: str) -> float:
        """Return the value of a metric without labels."""
        lines = self.get("/metrics")[1].splitlines()
        (value,) = (line.split()[1] for line in lines if line.startswith(f"autonoe_nace_{name} "))
        return float(value)

    def wait(self, path: str = "/health/ready", *, interval_s: float = 0.1) -> None:
        """Return as soon as ``path`` answers 200."""

        def answers() -> bool:
            assert self.process.poll() is None, "the server ended"
            return self.get(path)[0] == 200

        wait_until(
            answers, timeout_s=120, what="the server", ignoring=(OSError,), interval_s=interval_s
        )

    def children(self) -> list[psutil.Process]:
        """Return the processes that the parent runs: the workers, where the model is a folder."""
        return psutil.Process(self.process.pid).children(recursive=True)


def start(
    model: str | Path,
    state: Path,
    *options: str,
    port: int = 0,
    before: Callable[[], None] | None = None,
) -> Server:
    """Start a server; ``before`` runs in its process first."""
    chosen = port or ports.choose(1)[0]
    command = [sys.executable, "-m", "autonoe_nace.serving", "--model", str(model)]
    command += ["--port", str(chosen), "--state-dir", str(state), *options]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, preexec_fn=before
    )
    return Server(process, chosen, state)
