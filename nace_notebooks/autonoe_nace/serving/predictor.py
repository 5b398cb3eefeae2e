"""Answer records with the current model, in chunks that let other requests through."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import NamedTuple, cast

from autonoe_nace.logs.record import LogRecord
from autonoe_nace.logs.writer import PredictionLog
from autonoe_nace.model import Prediction
from autonoe_nace.serving.dual import in_both
from autonoe_nace.serving.explaining import explain
from autonoe_nace.serving.gathering import Gathering, chunks
from autonoe_nace.serving.metrics import ServingMetrics
from autonoe_nace.serving.parsing import text_error
from autonoe_nace.serving.schema import (
    NO_USABLE_WORD,
    CandidateOut,
    DualOut,
    ErrorOut,
    ExplanationOut,
    PredictRequest,
    ResultOut,
)
from autonoe_nace.serving.settings import ServingSettings
from autonoe_nace.serving.source import ServedModel

CHUNK_RECORDS = 64
"""About 6 ms of work, after which another request gets its turn."""
CHUNK_CHARS = 8_000
"""As much work in long texts; a chunk holds one record at least."""
CHUNK_EXPLAINED = 2
CHUNK_DUAL = 16
"""An answer in two versions takes four times as long: all pairs of codes are weighed."""
_ROUNDS = 5
"""Rounds of the event loop between two chunks: to accept, read, start, code and answer takes each
one, and a request that came meanwhile should not wait for a chunk at every step."""
TOGETHER_RECORDS = 8
"""A request with more is a batch of its own; smaller ones that come at once are put together."""


@dataclass(frozen=True, slots=True)
class Work:
    """Records to code, and how."""

    request_id: str
    key_id: str
    started: float
    """``time.perf_counter`` at the request's arrival, in seconds."""
    served: ServedModel
    texts: Sequence[str]
    features: Sequence[Mapping[str, str]]
    errors: Sequence[ErrorOut | None] = ()
    """Why a record cannot be coded, found before; empty when nothing was found yet."""
    top_k: int = 5
    min_probability: float = 0.0
    explain: bool = False
    set_coverage: float | None = None
    level: int | None = None
    dual: bool = False


class _Part(NamedTuple):
    """Some of the records of a request, from ``start``; ``good`` are the places to be coded."""

    start: int
    errors: list[ErrorOut | None]
    good: list[int]
    texts: list[str]
    features: list[Mapping[str, str]]


class Predictor:
    """Codes the records of requests and logs each answer."""

    def __init__(
        self, settings: ServingSettings, log: PredictionLog, metrics: ServingMetrics
    ) -> None:
        self.settings = settings
        self.log = log
        self.metrics = metrics
        # batches take turns by chunk; between two chunks all waiting single requests are answered
        self._turn = asyncio.Lock()
        self._explaining = asyncio.Lock()
        self._gathering = Gathering(CHUNK_RECORDS, CHUNK_CHARS)

    async def answer(self, work: Work) -> list[ResultOut]:
        """Return one result per record, in order."""
        if is_small(work):
            part = self._part(work, 0, len(work.texts))
            if not part.texts:
                return self._finish(work, part, [])
            predict = partial(self._predict, work)
            found = await self._gathering.ask(_how(work), predict, part.texts, part.features)
            return self._finish(work, part, found)
        results: list[ResultOut] = []
        for start, end in _cut(work):
            # on this very thread: another one would make all others wait for the interpreter
            async with self._turn:
                part = self._part(work, start, end)
                found = self._predict(work, part.texts, part.features)
                duals = _in_both(work, part) if work.dual else []
                if not work.explain:
                    results += self._finish(work, part, found)
                for _ in range(_ROUNDS):
                    await asyncio.sleep(0)
            if work.explain:
                results += self._finish(work, part, found, await self._explain(work, part, found))
            if work.dual:
                for place, dual in zip(part.good, duals, strict=True):
                    results[place].dual = dual
        return results

    def answer_soon(self, work: Work, then: Callable[[list[ResultOut] | Exception], None]) -> None:
        """Give ``then`` what :meth:`answer` would return or raise, without a task of its own.

        Parameters
        ----------
        work : Work
            A small one, see :func:`is_small`.
        then : callable
            Called once; raises nothing.
        """
        part = self._part(work, 0, len(work.texts))

        def coded(found: list[Prediction] | Exception) -> None:
            results: list[ResultOut] | Exception
            if isinstance(found, Exception):
                results = found
            else:
                try:
                    results = self._finish(work, part, found)
                except Exception as error:  # an edge: whoever waits hears of it
                    results = error
            then(results)

        if part.texts:
            predict = partial(self._predict, work)
            self._gathering.put(_how(work), predict, part.texts, part.features, coded)
        else:
            coded([])

    async def _explain(
        self, work: Work, part: _Part, predictions: Sequence[Prediction]
    ) -> list[ExplanationOut | None]:
        """Return why each record has its code; None for one that has none.

        A long text takes 40 ms, and the first explanation of a model that keeps training texts
        takes seconds. None of it can be cut into pieces, so a thread does it, and the interpreter
        goes back and forth between the two.
        """
        model = work.served.model

        def explained() -> list[ExplanationOut | None]:
            return [
                explain(model, text, features) if prediction.candidates else None
                for text, features, prediction in zip(
                    part.texts, part.features, predictions, strict=True
                )
            ]

        # what an explainer remembers is not made for two threads
        async with self._explaining:
            return await asyncio.to_thread(explained)

    def _part(self, work: Work, start: int, end: int) -> _Part:
        errors = [
            (work.errors[place] if work.errors else None) or text_error(work.texts[place])
            for place in range(start, end)
        ]
        good = [start + place for place, error in enumerate(errors) if error is None]
        return _Part(
            start,
            errors,
            good,
            [work.texts[place] for place in good],
            [work.features[place] for place in good],
        )

    def _finish(
        self,
        work: Work,
        part: _Part,
        predictions: Sequence[Prediction],
        explanations: Sequence[ExplanationOut | None] = (),
    ) -> list[ResultOut]:
        results = [ResultOut(error=error) for error in part.errors]
        given = explanations or [None] * len(predictions)
        for place, prediction, explanation in zip(part.good, predictions, given, strict=True):
            results[place - part.start] = self._result(work, prediction, explanation)
        self._log(work, part.start, results)
        self._count(results)
        return results

    def _predict(
        self, work: Work, texts: list[str], features: list[Mapping[str, str]]
    ) -> list[Prediction]:
        if not texts:
            return []
        return work.served.model.predict(
            texts,
            work.top_k,
            level=work.level,
            features=features if any(features) else None,
            coverage=work.set_coverage,
            fallback_at=self.settings.threshold,
        )

    def _result(
        self, work: Work, prediction: Prediction, explanation: ExplanationOut | None
    ) -> ResultOut:
        if not prediction.candidates:
            return ResultOut(error=NO_USABLE_WORD)
        kept = prediction.candidates
        if work.min_probability:
            least = work.min_probability
            kept = (kept[0], *(c for c in kept[1:] if c.probability >= least))
        confidence = prediction.confidence
        # the model's own objects have the fields of CandidateOut: a copy of each would only cost
        return ResultOut(
            cast("Sequence[CandidateOut]", kept),
            confidence,
            auto=confidence >= self.settings.threshold,
            stage=prediction.stage,
            fallback=cast("CandidateOut | None", prediction.fallback),
            conformal_set=prediction.conformal,
            explanation=explanation,
        )

    def _count(self, results: Sequence[ResultOut]) -> None:
        errors = sum(result.error is not None for result in results)
        autos = sum(result.auto is True for result in results)
        self.metrics.add_records(autos, len(results) - autos - errors, errors)

    def _log(self, work: Work, start: int, results: Sequence[ResultOut]) -> None:
        if not self.settings.logging:
            return
        now = datetime.now(UTC)
        latency_ms = round((time.perf_counter() - work.started) * 1000, 3)
        model = work.served.out
        level = work.level or work.served.model.manifest.level
        self.log.add(
            [
                LogRecord(
                    request_id=work.request_id,
                    position=place,
                    time=now,
                    deployment=self.settings.deployment,
                    key_id=work.key_id,
                    model_name=model.name,
                    model_version=model.version,
                    model_sha256=model.sha256,
                    # an over-long text is refused, and is not worth a megabyte of log either
                    text=work.texts[place] if result.error is None else "",
                    codes=[c.code for c in result.candidates],
                    probabilities=[c.probability for c in result.candidates],
                    confidence=result.confidence or 0.0,
                    threshold=self.settings.threshold,
                    auto=bool(result.auto),
                    latency_ms=latency_ms,
                    error=result.error.code if result.error else "",
                    features=dict(work.features[place]),
                    stage=result.stage or "model",
                    fallback_code=result.fallback.code if result.fallback else "",
                    top_k=work.top_k,
                    level=level,
                )
                for place, result in enumerate(results, start=start)
            ]
        )


def is_small(work: Work) -> bool:
    """Tell whether a request goes through the model together with others."""
    return (
        len(work.texts) <= TOGETHER_RECORDS
        and not (work.explain or work.dual)
        and sum(map(len, work.texts)) <= CHUNK_CHARS
    )


def is_small_request(wanted: PredictRequest) -> bool:
    """Tell whether the work of a request will be small."""
    return (
        len(wanted.records) <= TOGETHER_RECORDS
        and not (wanted.explain or wanted.dual)
        and sum(len(record.text) for record in wanted.records) <= CHUNK_CHARS
    )


def _how(work: Work) -> Hashable:
    return id(work.served.model), work.top_k, work.level, work.set_coverage


def _cut(work: Work) -> Iterator[tuple[int, int]]:
    """Yield where each piece of a request starts and ends."""
    if work.explain:
        return chunks(work.texts, CHUNK_EXPLAINED, CHUNK_CHARS)
    if work.dual and work.served.dual is not None:
        # each text is read for the model's own answer, and by each model for that in two versions
        readings = 3 if work.served.dual.second else 2
        return chunks(work.texts, CHUNK_DUAL, CHUNK_CHARS // readings)
    return chunks(work.texts, CHUNK_RECORDS, CHUNK_CHARS)


def _in_both(work: Work, part: _Part) -> list[DualOut | None]:
    coder = work.served.dual
    assert coder is not None  # noqa: S101  the route refused such a request
    return in_both(coder, part.texts, part.features, work.top_k)
