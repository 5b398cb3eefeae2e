"""The peer of the serving benchmark: a FastAPI ``def`` route over ``model.predict``.

Run as ``uvicorn benchmarks.plain_api:app`` with ``BENCH_MODEL`` set to the model's folder.
"""

from __future__ import annotations

import os

from fastapi import FastAPI
from pydantic import BaseModel

from autonoe_nace.model import NaceModel

app = FastAPI()
model = NaceModel.load(os.environ["BENCH_MODEL"])


class Record(BaseModel):
    """One activity to code."""

    text: str


class Request(BaseModel):
    """The body of ``POST /predict``."""

    records: list[Record]
    top_k: int = 5


@app.get("/health")
def health() -> dict[str, bool]:
    """Answer when the model is loaded."""
    return {"ready": True}


@app.post("/predict")
def predict(request: Request) -> list[dict[str, object]]:
    """Return the candidates of each record."""
    return [
        {
            "confidence": prediction.confidence,
            "candidates": [
                {"code": c.code, "title": c.title, "probability": c.probability}
                for c in prediction.candidates
            ],
        }
        for prediction in model.predict([r.text for r in request.records], k=request.top_k)
    ]
