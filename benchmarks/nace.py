"""NACE coding: texts coded per second over REST."""

from __future__ import annotations

import csv
import http.client
import json
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from autonoe.embedded import ports
from autonoe_nace.data import ateco
from benchmarks.measurement import Measurement, interleaved
from benchmarks.processes import server, wait_for_page

BATCH = 200
"""Texts per request: what a nightly job sends."""
REPOSITORY = Path(__file__).resolve().parents[1]
BIN = Path(sys.executable).parent


def batch_prediction(folder: Path, *, pairs: int) -> Measurement:
    """Return texts per second coded over REST, beside a FastAPI route over the same model."""
    model = _train(folder)
    texts = list(ateco().texts)
    our_port, peer_port = ports.choose(2)
    ours = [sys.executable, "-m", "autonoe_nace.serving", "--model", str(model)]
    ours += ["--port", str(our_port), "--state-dir", str(folder / "state")]
    peer = [str(BIN / "uvicorn"), "benchmarks.plain_api:app", "--port", str(peer_port)]
    peer += ["--log-level", "warning"]
    environment = {"BENCH_MODEL": str(model), "PYTHONPATH": str(REPOSITORY)}
    with server(ours, folder / "ours"), server(peer, folder / "peer", environment):
        wait_for_page(f"http://127.0.0.1:{our_port}/health/ready")
        wait_for_page(f"http://127.0.0.1:{peer_port}/health")
        mine, other = interleaved(
            lambda: _texts_per_second(our_port, "/v1/predict", texts),
            lambda: _texts_per_second(peer_port, "/predict", texts),
            pairs=pairs,
        )
    return Measurement(
        f"NACE codes over REST, {BATCH} texts per request", "texts/s", mine, other, "FastAPI"
    )


def _train(folder: Path) -> Path:
    data = folder / "ateco.csv"
    folder.mkdir(parents=True, exist_ok=True)
    dataset = ateco()
    with data.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["text", "code"])
        writer.writerows(zip(dataset.texts, dataset.codes, strict=True))
    model = folder / "model"
    command = [str(BIN / "autonoe"), "nace", "train", "--data", str(data), "--output", str(model)]
    subprocess.run(
        [*command, "--nomenclature", "ateco2025"], check=True, capture_output=True, timeout=600
    )
    return model


def _texts_per_second(port: int, path: str, texts: Sequence[str]) -> float:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    begun = time.perf_counter()
    for start in range(0, len(texts), BATCH):
        records = [{"text": text} for text in texts[start : start + BATCH]]
        body = json.dumps({"records": records, "top_k": 5})
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {content[:200]!r}")
    return len(texts) / (time.perf_counter() - begun)
