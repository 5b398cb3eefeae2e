"""The API beside a plain FastAPI route and ``mlflow models serve``, all over the same model.

Ours checks its input, asks for a key, counts it against a rate and a quota, and logs; the peers do
none of that. Figures are per core: what a second of processor time of the server answers.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from autonoe import apikeys
from autonoe.embedded import ports
from autonoe_nace.model import NaceModel
from benchmarks import serving_model
from benchmarks.http_load import Load, closed_loop, open_loop, post
from benchmarks.measurement import Measurement, median
from benchmarks.processes import server, wait_for_page

BATCH = 200
"""Texts per request: what a nightly job sends."""
SINGLES = 1_500
BATCHES = 30
CONNECTIONS = 8
DIM = "180"
"""Length of the vectors in INSEE's model; our own default of 50 would flatter everybody."""
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


def measure(folder: Path, *, pairs: int) -> list[Measurement]:
    """Return all figures of the API; each peer is measured in turn with ours, ``pairs`` times."""
    model = serving_model.train(folder, "--dim", DIM)
    prepare = NaceModel.load(model, check=False).prepare
    # a text of stop words alone is refused by ours, and answered with nothing by the peers
    texts = [text for text, _ in serving_model.texts(seed=2, variants=3) if prepare(text)]
    with ExitStack() as stack:
        running = {
            name: stack.enter_context(start(name, model, folder))
            for name in (OURS, SILENT, FASTAPI, MLFLOW)
        }
        singles = _interleaved(running, texts, size=1, count=SINGLES, pairs=pairs)
        batches = _interleaved(running, texts, size=BATCH, count=BATCHES, pairs=pairs)
        p99 = _half_load(running, texts, singles)
    raw = [raw_fasttext(model, texts) for _ in range(pairs)]
    return [*_singles(singles), *_batches(batches, median(raw)), *p99]


def _singles(found: dict[str, list[Load]]) -> list[Measurement]:
    per_core = {
        name: median([1000 / load.cpu_ms for load in loads]) for name, loads in found.items()
    }
    name, unit = "NACE API, single requests per core", "requests/cpu-s"
    with_log = median([load.cpu_ms for load in found[OURS]])
    without = median([load.cpu_ms for load in found[SILENT]])
    return [
        Measurement(name, unit, per_core[OURS], per_core[FASTAPI], FASTAPI),
        Measurement(name, unit, per_core[OURS], per_core[MLFLOW], MLFLOW),
        Measurement("NACE API, processor time with logs", "ms/request", with_log, without, SILENT),
    ]


def _batches(found: dict[str, list[Load]], raw: float) -> list[Measurement]:
    per_core = {
        name: median([BATCH * 1000 / load.cpu_ms for load in loads])
        for name, loads in found.items()
    }
    name, unit = f"NACE API, {BATCH} texts per request, per core", "texts/cpu-s"
    peers = {FASTAPI: per_core[FASTAPI], MLFLOW: per_core[MLFLOW], "raw fastText": raw}
    return [Measurement(name, unit, per_core[OURS], value, peer) for peer, value in peers.items()]


def _per_core(found: dict[str, list[Load]], size: int) -> dict[str, float]:
    return {
        name: median([size * 1000 / load.cpu_ms for load in loads]) for name, loads in found.items()
    }


def _half_load(
    running: dict[str, Served], texts: Sequence[str], singles: dict[str, list[Load]]
) -> list[Measurement]:
    """Return the p99 of each server at half of what it can do itself."""
    p99 = {}
    for name in (OURS, FASTAPI):
        served = running[name]
        rate = max(load.requests / load.seconds for load in singles[name]) / 2
        requests = served.requests(texts, size=1)
        count = int(min(3_000, max(500, rate * 5)))
        load = open_loop(
            served.port, served.pid, requests, rate=rate, count=count, connections=CONNECTIONS * 4
        )
        p99[name] = round(load.quantile_ms(0.99), 2)
    return [Measurement("NACE API, p99 at half load", "ms", p99[OURS], p99[FASTAPI], FASTAPI)]


def _interleaved(
    running: dict[str, Served], texts: Sequence[str], *, size: int, count: int, pairs: int
) -> dict[str, list[Load]]:
    """Return ``pairs`` runs of each server, taking turns, so that a noisy minute hits all."""
    requests = {name: served.requests(texts, size=size) for name, served in running.items()}
    found: dict[str, list[Load]] = {name: [] for name in running}
    for number in range(pairs + 1):
        for name, served in running.items():
            load = closed_loop(
                served.port, served.pid, requests[name], connections=CONNECTIONS, count=count
            )
            if number:  # the first round only warms up
                found[name].append(load)
    return found


def raw_fasttext(model: Path, texts: Sequence[str]) -> float:
    """Return texts per processor second of fastText itself on texts prepared before."""
    import fasttext

    loaded = NaceModel.load(model, check=False)
    prepared = loaded.prepare.all(texts)
    bare = fasttext.load_model(str(model / "model.bin"))
    bare.predict(prepared[:100], k=5)
    begun = time.process_time()
    for start in range(0, len(prepared), BATCH):
        bare.predict(prepared[start : start + BATCH], k=5)
    return len(prepared) / (time.process_time() - begun)


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
