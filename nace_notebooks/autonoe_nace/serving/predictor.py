"""Answer records with the current model, in chunks that let other requests through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

from autonoe_nace.logs.record import LogRecord
from autonoe_nace.logs.writer import PredictionLog
from autonoe_nace.model import Prediction
from autonoe_nace.serving.schema import (
    NO_USABLE_WORD,
    CandidateOut,
    PredictRequest,
    Record,
    ResultOut,
    text_error,
)
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.source import ServedModel

INLINE_RECORDS = 2
"""Up to so many records are answered at once: a thread's hand-over would take longer."""
CHUNK_RECORDS = 32
"""About 3 ms of work, after which another request gets its turn."""


@dataclass(frozen=True)
class Call:
    """What the records of one request have in common."""

    request_id: str
    key_id: str
    started: float
    """``time.perf_counter`` at the request's arrival, in seconds."""
    request: PredictRequest
    served: ServedModel


class Predictor:
    """Codes the records of requests and logs each answer."""

    def __init__(self, settings: ServingSettings, log: PredictionLog) -> None:
        self.settings = settings
        self.log = log
        # one thread: two batches take turns by chunk instead of fighting for the interpreter
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix="predict")

    def close(self) -> None:
        """End the batch thread."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    async def answer(self, call: Call) -> list[ResultOut]:
        """Return one result per record, in order."""
        records = call.request.records
        if len(records) <= INLINE_RECORDS:
            return self._answer_chunk(call, 0, records)
        loop = asyncio.get_running_loop()
        results: list[ResultOut] = []
        for start in range(0, len(records), CHUNK_RECORDS):
            chunk = records[start : start + CHUNK_RECORDS]
            results += await loop.run_in_executor(
                self._pool, self._answer_chunk, call, start, chunk
            )
        return results

    def _answer_chunk(self, call: Call, start: int, records: Sequence[Record]) -> list[ResultOut]:
        errors = [text_error(record.text) for record in records]
        texts = [
            record.text for record, error in zip(records, errors, strict=True) if error is None
        ]
        predictions = iter(call.served.model.predict(texts, k=call.request.top_k) if texts else ())
        results = [
            ResultOut(error=error) if error else self._result(call, next(predictions))
            for error in errors
        ]
        self._log(call, start, records, results)
        return results

    def _result(self, call: Call, prediction: Prediction) -> ResultOut:
        if not prediction.candidates:
            return ResultOut(error=NO_USABLE_WORD)
        level = call.served.model.manifest.level
        kept = [
            CandidateOut(c.code, c.title, level, c.probability)
            for place, c in enumerate(prediction.candidates)
            if place == 0 or c.probability >= call.request.min_probability
        ]
        confidence = prediction.confidence
        return ResultOut(kept, confidence, auto=confidence >= self.settings.threshold)

    def _log(
        self, call: Call, start: int, records: Sequence[Record], results: Sequence[ResultOut]
    ) -> None:
        now = datetime.now(UTC)
        latency_ms = (time.perf_counter() - call.started) * 1000
        model = call.served.out
        self.log.add(
            LogRecord(
                request_id=call.request_id,
                position=start + place,
                time=now,
                deployment=self.settings.deployment,
                key_id=call.key_id,
                model_name=model.name,
                model_version=model.version,
                model_sha256=model.sha256,
                # an over-long text is refused, and is not worth a megabyte of log either
                text=record.text if result.error is None else "",
                codes=[c.code for c in result.candidates],
                titles=[c.title for c in result.candidates],
                probabilities=[c.probability for c in result.candidates],
                confidence=result.confidence or 0.0,
                threshold=self.settings.threshold,
                auto=bool(result.auto),
                latency_ms=round(latency_ms, 3),
                error=result.error.code if result.error else "",
            )
            for place, (record, result) in enumerate(zip(records, results, strict=True))
        )
