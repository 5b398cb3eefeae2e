"""The servers that the API's benchmark compares, all over the same model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from autonoe import apikeys
from autonoe.embedded import ports
from benchmarks.http_load import post
from benchmarks.processes import server, wait_for_page

REPOSITORY = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent
OURS, SILENT, FASTAPI, MLFLOW = "ours", "ours without logs", "FastAPI", "mlflow serve"


@dataclass(frozen=True)
class Served:
    """A running server and how to ask it."""

    port: int
    pid: int
    path: str
    headers: tuple[str, ...] = ()
    tabular: bool = False

    def requests(self, texts: Sequence[str], *, size: int) -> list[bytes]:
        """Return requests of ``size`` texts each."""
        out = []
        for start in range(0, len(texts) - size + 1, size):
            chosen = texts[start : start + size]
            document: object = {"records": [{"text": text} for text in chosen], "top_k": 5}
            if self.tabular:
                document = {"dataframe_split": {"columns": ["text"], "data": [[t] for t in chosen]}}
            out.append(post(self.path, json.dumps(document).encode(), self.headers))
        return out


@contextmanager
def start(name: str, model: Path, folder: Path) -> Iterator[Served]:
    """Run the server ``name`` until the block ends."""
    (port,) = ports.choose(1)
    place = folder / name.replace(" ", "-")
    place.mkdir(parents=True, exist_ok=True)
    environment = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    search = os.pathsep.join(filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH"))))
    if name in {OURS, SILENT}:
        command, headers = _our_command(model, port, place, log=name == OURS)
        served, ready = ("/v1/predict", headers, False), "/health/ready"
    elif name == FASTAPI:
        command = [str(BIN / "uvicorn"), "benchmarks.plain_api:app", "--port", str(port)]
        command += ["--log-level", "warning"]
        environment["BENCH_MODEL"] = str(model)
        served, ready = ("/predict", (), False), "/health"
    else:
        target = place / "model"
        subprocess.run(
            [sys.executable, "-m", "benchmarks.mlflow_model", str(model), str(target)],
            check=True,
            capture_output=True,
            timeout=300,
            env={**os.environ, "PYTHONPATH": search},
        )
        command = [str(BIN / "mlflow"), "models", "serve", "-m", str(target), "-p", str(port)]
        command += ["--env-manager", "local", "--workers", "1"]
        served, ready = ("/invocations", (), True), "/ping"
        environment["MLFLOW_TRACKING_URI"] = (place / "runs").as_uri()
        environment["PATH"] = os.pathsep.join((str(BIN), os.environ.get("PATH", os.defpath)))
    environment["PYTHONPATH"] = search
    with server(command, place, environment) as process:
        wait_for_page(f"http://127.0.0.1:{port}{ready}", timeout_s=300)
        path, headers, tabular = served
        yield Served(port, process.pid, path, tuple(headers), tabular)


def _our_command(
    model: Path, port: int, place: Path, *, log: bool
) -> tuple[list[str], tuple[str, ...]]:
    key, entry = apikeys.mint(rate_per_s=1e6, records_per_day=10**12)
    apikeys.write(place / "keys.json", (entry,))
    command = [sys.executable, "-m", "autonoe_nace.serving", "--model", str(model)]
    command += ["--port", str(port), "--state-dir", str(place / "state")]
    command += ["--key-file", str(place / "keys.json"), "--log" if log else "--no-log"]
    return command, (f"Authorization: Bearer {key}",)
