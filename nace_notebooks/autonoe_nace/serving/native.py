"""Handlers of the native routes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import cast

from autonoe.errors import AutonoeError
from autonoe_nace.serving import judging, usage
from autonoe_nace.serving.errors import ServingError
from autonoe_nace.serving.exchange import Exchange, Page, encode
from autonoe_nace.serving.holder import ModelHolder
from autonoe_nace.serving.keyring import Caller
from autonoe_nace.serving.metrics import CONTENT_TYPE, ServingMetrics
from autonoe_nace.serving.parsing import body_parser, check_count, parse_predict
from autonoe_nace.serving.predictor import Predictor, Work
from autonoe_nace.serving.schema import (
    DayOut,
    EvaluateAnswer,
    EvaluateRequest,
    LimitsOut,
    LiveAnswer,
    LogsOut,
    ModelOut,
    ModelsAnswer,
    PredictAnswer,
    PredictRequest,
    ReadyAnswer,
    ResultOut,
    UsageAnswer,
)
from autonoe_nace.serving.source import ServedModel

_evaluate = body_parser(EvaluateRequest, hint='Send {"records": [{"text": "…", "code": "…"}]}.')


class NativeRoutes:
    """What the API offers beyond INSEE's.

    Parameters
    ----------
    holder, predictor, usage_table, metrics
        Shared with the other routes.
    threshold : float
        Confidence from which a code counts as automatic.
    shipped : callable, optional
        Returns predictions stored, and waiting to be; None where nobody sends them.
    """

    def __init__(
        self,
        holder: ModelHolder,
        predictor: Predictor,
        usage_table: usage.UsageTable,
        metrics: ServingMetrics,
        *,
        threshold: float,
        shipped: Callable[[], LogsOut] | None,
    ) -> None:
        self._holder = holder
        self._predictor = predictor
        self._usage = usage_table
        self._metrics = metrics
        self._threshold = threshold
        self._shipped = shipped

    async def predict(self, exchange: Exchange) -> bytes:
        """Answer ``POST /v1/predict``."""
        wanted = parse_predict(await exchange.body())
        caller = exchange.caller
        work = self._work(wanted, exchange.request_id, caller, exchange.started)
        self._usage.spend(caller.key_id, caller.limits, len(wanted.records))
        return self._predicted(work, await self._predictor.answer(work))

    def begin(
        self, wanted: PredictRequest, request_id: str, caller: Caller, started: float
    ) -> Callable[[Callable[[bytes | Exception], None]], None]:
        """Return what starts the work of :meth:`predict` without a task of its own.

        Parameters
        ----------
        wanted : PredictRequest
            A small one, see :func:`~autonoe_nace.serving.predictor.is_small_request`; whoever
            calls counts it.
        request_id, caller, started
            As in an exchange.

        Returns
        -------
        callable
            Takes a function that is called once, with the answer or why there is none, and that
            raises nothing.

        Raises
        ------
        AutonoeError
            If the model cannot answer now.
        """
        work = self._work(wanted, request_id, caller, started)

        def start(then: Callable[[bytes | Exception], None]) -> None:
            def coded(results: list[ResultOut] | Exception) -> None:
                answer: bytes | Exception
                if isinstance(results, Exception):
                    answer = results
                else:
                    try:
                        answer = self._predicted(work, results)
                    except Exception as error:  # an edge: whoever waits hears of it
                        answer = error
                then(answer)

            self._predictor.answer_soon(work, coded)

        return start

    def _work(
        self, wanted: PredictRequest, request_id: str, caller: Caller, started: float
    ) -> Work:
        """Return what is to be done."""
        records = wanted.records
        served = self._holder.current()
        if wanted.dual and served.dual is None:
            raise ServingError(
                "This server knows no correspondence to another version of the classification.",
                hint="Leave `dual` out, or have the server started with --correspondence.",
                code="no_correspondence",
            )
        return Work(
            request_id,
            caller.key_id,
            started,
            served,
            [record.text for record in records],
            [record.features for record in records],
            top_k=wanted.top_k,
            min_probability=wanted.min_probability,
            explain=wanted.explain,
            set_coverage=wanted.set_coverage,
            level=wanted.level,
            dual=wanted.dual,
        )

    def _predicted(self, work: Work, results: list[ResultOut]) -> bytes:
        _fail_if_all_failed(results)
        return encode(PredictAnswer(work.request_id, _model(work.served), self._threshold, results))

    async def evaluate(self, exchange: Exchange) -> bytes:
        """Answer ``POST /v1/evaluate``."""
        wanted = _evaluate(await exchange.body())
        check_count(wanted.records)
        caller, records = exchange.caller, wanted.records
        served = self._holder.current()
        self._usage.spend(caller.key_id, caller.limits, len(records))
        work = Work(
            exchange.request_id,
            caller.key_id,
            exchange.started,
            served,
            [record.text for record in records],
            [record.features for record in records],
            errors=judging.unknown_codes(served.model, records),
            top_k=wanted.top_k,
        )
        results = await self._predictor.answer(work)
        _fail_if_all_failed(results)
        judged = judging.judge(served.model, records, results)
        autos = [row for row in judged if row.auto]
        good = sum(row.error is None for row in judged)
        return encode(
            EvaluateAnswer(
                request_id=exchange.request_id,
                model=_model(served),
                threshold=self._threshold,
                n=good,
                auto_rate=judging.proportion(len(autos), good),
                auto_accuracy=judging.proportion(sum(bool(r.right) for r in autos), len(autos))
                if autos
                else None,
                levels=judging.proportions(served.model, records, results),
                results=judged,
            )
        )

    async def models(self, _exchange: Exchange) -> bytes:
        """Answer ``GET /v1/models``."""
        return encode(ModelsAnswer([self._holder.current().out], self._threshold))

    async def usage(self, exchange: Exchange) -> bytes:
        """Answer ``GET /v1/usage``: for the key that asks alone."""
        caller = exchange.caller
        limits = caller.limits
        days = self._usage.days(caller.key_id)
        left = None
        if limits.records_per_day:
            used = self._usage.today(caller.key_id).records
            left = max(0, limits.records_per_day - used)
        return encode(
            UsageAnswer(
                key_id=caller.key_id,
                label=caller.label,
                limits=LimitsOut(
                    requests_per_second=limits.rate_per_s or None,
                    burst=int(limits.bucket) if limits.rate_per_s else None,
                    records_per_day=limits.records_per_day or None,
                ),
                records_left_today=left,
                days=[DayOut(d.date, d.requests, d.records, d.refused) for d in days],
            )
        )

    async def metrics(self, _exchange: Exchange) -> Page:
        """Answer ``GET /metrics``."""
        with suppress(AutonoeError):
            self._metrics.stale = self._holder.current().out.stale
        return Page(self._metrics.render(), CONTENT_TYPE.encode(), [])

    async def live(self, _exchange: Exchange) -> bytes:
        """Answer ``GET /health/live``."""
        return encode(LiveAnswer(live=True))

    async def ready(self, _exchange: Exchange) -> bytes:
        """Answer ``GET /health/ready``."""
        logs = await asyncio.to_thread(self._shipped) if self._shipped else None
        return encode(ReadyAnswer(True, self._holder.current().out, logs))


def _model(served: ServedModel) -> ModelOut:
    """Return the model as it is written into answers: in JSON already."""
    return cast("ModelOut", served.raw)


def _fail_if_all_failed(results: list[ResultOut]) -> None:
    """Raise the first record's error when no record was answered."""
    if all(result.error is not None for result in results):
        error = results[0].error
        assert error is not None  # noqa: S101  the line above
        raise ServingError(error.message, hint=error.hint, code=error.code)
