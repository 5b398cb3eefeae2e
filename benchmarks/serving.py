"""The API beside a plain FastAPI route and ``mlflow models serve``, all over the same model.

Ours checks its input, asks for a key, counts it against a rate and a quota, and logs; the peers do
none of that. Figures are per core: what a second of processor time of the server answers.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from autonoe_nace.model import NaceModel
from benchmarks import serving_model
from benchmarks.api_servers import FASTAPI, MLFLOW, OURS, SILENT, Served, start
from benchmarks.http_load import Load, closed_loop, open_loop
from benchmarks.measurement import Measurement, median
from benchmarks.processes import apart

BATCH = 200
"""Texts per request: what a nightly job sends."""
SINGLES = int(os.environ.get("BENCH_SINGLES", "10_000"))
BATCHES = int(os.environ.get("BENCH_BATCHES", "200"))
CONNECTIONS = 8
DIM = os.environ.get("BENCH_DIM", "180")
"""Length of the vectors in INSEE's model; our own default of 50 would flatter everybody."""
FULL = os.environ.get("BENCH_FULL", "1") != "0"
"""Whether to train and serve a model of the full preset too."""
HALF_LOADS = 3
MOST_AT_HALF_LOAD = 3_000
WARMING = 300


def measure(folder: Path, *, pairs: int) -> list[Measurement]:
    """Return all figures of the API; each peer is measured in turn with ours, ``pairs`` times."""
    found = _of_preset(folder / "fast", "fast", (OURS, SILENT, FASTAPI, MLFLOW), pairs=pairs)
    if FULL:
        found += _of_preset(folder / "full", "full", (OURS, FASTAPI), pairs=pairs)
    return found


def _of_preset(folder: Path, preset: str, names: Sequence[str], *, pairs: int) -> list[Measurement]:
    model = serving_model.train(folder, "--dim", DIM, "--preset", preset)
    prepare = NaceModel.load(model, check=False).prepare
    # a text of stop words alone is refused by ours, and answered with nothing by the peers
    texts = [text for text, _ in serving_model.texts(seed=2, variants=3) if prepare(text)]
    with ExitStack() as stack:
        running = {name: stack.enter_context(start(name, model, folder)) for name in names}
        singles = _interleaved(running, texts, size=1, count=SINGLES, pairs=pairs)
        batches = _interleaved(running, texts, size=BATCH, count=BATCHES, pairs=pairs)
        p99 = _half_load(running, texts) if preset == "fast" else []
    if preset == "full":
        return [*_per_core(singles, 1, "full preset"), *_per_core(batches, BATCH, "full preset")]
    raw = median([raw_fasttext(model, texts) for _ in range(pairs)])
    return [
        *_per_core(singles, 1),
        _price_of_logs(singles),
        *_per_core(batches, BATCH, others={"raw fastText": raw}),
        *p99,
    ]


def _per_core(
    found: dict[str, list[Load]],
    size: int,
    preset: str = "",
    others: dict[str, float] | None = None,
) -> list[Measurement]:
    """Return what a second of processor time answers, ours beside each peer."""
    speed = {
        name: median([size * 1000 / load.cpu_ms for load in loads]) for name, loads in found.items()
    }
    name = "single requests" if size == 1 else f"{size} texts per request,"
    name = f"NACE API{', ' * bool(preset)}{preset}, {name} per core"
    peers = {k: v for k, v in speed.items() if k not in {OURS, SILENT}} | (others or {})
    unit = "requests/cpu-s" if size == 1 else "texts/cpu-s"
    return [Measurement(name, unit, speed[OURS], value, peer) for peer, value in peers.items()]


def _price_of_logs(found: dict[str, list[Load]]) -> Measurement:
    with_log, without = (median([load.cpu_ms for load in found[name]]) for name in (OURS, SILENT))
    name = "NACE API, processor time with logs"
    return Measurement(name, "ms/request", with_log, without, SILENT)


def _half_load(running: dict[str, Served], texts: Sequence[str]) -> list[Measurement]:
    """Return each server on one core: what it does there, and its p99 at half of that.

    Server and client have a core each: what the client takes is not the server's, and at half load
    the client keeps up. By how much it was late all the same is a figure of its own. A server whose
    threads get in each other's way over two cores does better on one. Medians of three runs.
    """
    p99: dict[str, list[float]] = {OURS: [], FASTAPI: []}
    lags: dict[str, list[float]] = {OURS: [], FASTAPI: []}
    full: dict[str, list[Load]] = {OURS: [], FASTAPI: []}
    requests = {name: running[name].requests(texts, size=1) for name in p99}
    with apart([running[name].pid for name in p99]) as done:
        if not done:
            print("one core only: server and client share it", file=sys.stderr)
        for _ in range(HALF_LOADS):
            for name in full:
                full[name].append(_as_fast_as_it_can(running[name], requests[name]))
        for _ in range(HALF_LOADS):
            for name, loads in full.items():
                load = open_loop(
                    running[name].port,
                    running[name].pid,
                    requests[name],
                    rate=median([load.requests / load.seconds for load in loads]) / 2,
                    count=min(MOST_AT_HALF_LOAD, SINGLES),
                    connections=CONNECTIONS * 4,
                )
                p99[name].append(load.quantile_ms(0.99))
                lags[name].append(load.lag_ms(0.99))
    on_one = {name: median([1000 / load.cpu_ms for load in loads]) for name, loads in full.items()}
    what = "NACE API, single requests, on one core"
    return [Measurement(what, "requests/cpu-s", on_one[OURS], on_one[FASTAPI], FASTAPI)] + [
        Measurement(f"NACE API, {what}", "ms", median(of[OURS]), median(of[FASTAPI]), FASTAPI)
        for what, of in (("p99 at half load", p99), ("of which the client's own lag, p99", lags))
    ]


def _as_fast_as_it_can(served: Served, requests: Sequence[bytes]) -> Load:
    count = min(MOST_AT_HALF_LOAD, SINGLES)
    return closed_loop(served.port, served.pid, requests, connections=CONNECTIONS, count=count)


def _interleaved(
    running: dict[str, Served], texts: Sequence[str], *, size: int, count: int, pairs: int
) -> dict[str, list[Load]]:
    """Return ``pairs`` runs of each server, taking turns, so that a noisy minute hits all."""
    requests = {name: served.requests(texts, size=size) for name, served in running.items()}
    found: dict[str, list[Load]] = {name: [] for name in running}
    for number in range(pairs + 1):
        for name, served in running.items():
            load = closed_loop(
                served.port,
                served.pid,
                requests[name],
                connections=CONNECTIONS,
                count=count if number else min(count, WARMING),
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
    for first in range(0, len(prepared), BATCH):
        bare.predict(prepared[first : first + BATCH], k=5)
    return len(prepared) / (time.process_time() - begun)
