"""The hot route without ASGI: from a whole request to a whole answer, without a task of its own."""

from __future__ import annotations

import time
from collections.abc import Callable

from autonoe.errors import AutonoeError
from autonoe_nace.serving.errors import Headers
from autonoe_nace.serving.exchange import Gate, parts_of
from autonoe_nace.serving.native import NativeRoutes
from autonoe_nace.serving.parsing import parse_predict
from autonoe_nace.serving.predictor import is_small_request

Reply = Callable[[int, Headers, bytes], None]
"""Sends status, headers and body; raises nothing."""


class ShortRoute:
    """``POST /v1/predict`` for requests as most are: whole, small and allowed.

    All others go the long way, through the route's endpoint, which also tells what is wrong.

    Parameters
    ----------
    gate : Gate
        Shared by all routes.
    native : NativeRoutes
        Answers.
    route : int
        The route's place in the metrics.
    """

    def __init__(self, gate: Gate, native: NativeRoutes, route: int) -> None:
        self._gate = gate
        self._native = native
        self._route = route

    def begin(self, headers: Headers, body: bytes, reply: Reply) -> bool:
        """Start to answer a request.

        Parameters
        ----------
        headers : list of pairs of bytes
            Names in small letters.
        body : bytes
            All of it.
        reply : callable
            Called once, now or in a later step of the event loop.

        Returns
        -------
        bool
            False when the request must go the long way; then nothing was counted, and ``reply``
            is not called.
        """
        started = time.perf_counter()
        gate = self._gate
        for name, value in headers:
            if name == b"content-type" and value != b"application/json":
                return False
        request_id = gate.request_id()
        try:
            caller = gate.keys.caller(headers)
            wanted = parse_predict(body)
            if not is_small_request(wanted):
                return False
            start = self._native.begin(wanted, request_id, caller, started)
        except AutonoeError:
            return False

        def answered(answer: bytes | Exception) -> None:
            status, found, content = parts_of(answer)
            found.append((b"x-request-id", request_id.encode()))
            reply(status, found, content)
            gate.metrics.observe(self._route, status, time.perf_counter() - started)

        try:
            gate.usage.admit(caller.key_id, caller.limits, len(wanted.records))
            start(answered)
        except Exception as error:  # an edge: told to the client, and logged when nobody knows it
            answered(error)
        return True

    @property
    def draining(self) -> bool:
        """Whether clients are sent to the server's successor."""
        return self._gate.draining
