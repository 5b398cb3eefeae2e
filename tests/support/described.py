"""The operations of the NACE API as its own description shows them, for fuzzing."""

from __future__ import annotations

from typing import Any

import schemathesis
from hypothesis import HealthCheck
from schemathesis import checks
from schemathesis.schemas import APIOperation
from starlette.types import Receive, Scope, Send

from autonoe_nace.serving.app import ServingApp
from autonoe_nace.serving.settings import ServingSettings

QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
"""What every answer must be: no server error, and as it is described."""


def operations(schema: Any) -> dict[str, APIOperation]:
    """Return the operations of a description by their names."""
    found = [result.ok() for result in schema.get_all_operations()]
    return {operation.definition.raw["operationId"]: operation for operation in found}


def described(options: ServingSettings) -> dict[str, APIOperation]:
    """Return the operations of an application in this process."""
    app = ServingApp(options)
    app.holder.load()
    asgi = app.asgi()

    async def always_up(scope: Scope, receive: Receive, send: Send) -> None:
        # schemathesis begins and ends the application with each request; this one lives on
        if scope["type"] == "lifespan":
            for step in ("startup", "shutdown"):
                await receive()
                await send({"type": f"lifespan.{step}.complete"})
            return
        await asgi(scope, receive, send)

    return operations(schemathesis.openapi.from_asgi("/openapi.json", always_up))
