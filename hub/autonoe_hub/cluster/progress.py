"""What a start waits for, in plain words: the hub's progress page and the REST API show it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from html import escape
from typing import Any

from autonoe.errors import AutonoeError
from autonoe.kubernetes.pending import why_pending
from autonoe.kubernetes.words import Reason
from autonoe_hub.cluster import api
from autonoe_hub.cluster.errors import SpawnError

_EVERY_S = 1.0
"""Pause between two looks at events. Each look is one short list of one pod's events."""

_STEPS = {"queued": 20, "volume_waiting": 25, "image_pulling": 40, "scheduled": 50, "starting": 80}

_SAYS_LITTLE = {"queued", "unknown", "volume_unbound"}

PREPARING = Reason("preparing", "Your namespace is being prepared.", "Nothing to do.", waiting=True)


async def why(spawner: Any) -> Reason:
    """Return why the pod of ``spawner`` is not ready.

    Raises
    ------
    AutonoeError
        If the API server does not answer.
    """
    found = spawner.pod_reflector
    pod = found and found.pods.get(f"{spawner.namespace}/{spawner.pod_name}")
    if pod is None and not spawner.pod_asked_for:
        return PREPARING
    own = await _events(spawner, spawner.pod_name)
    found_reason = why_pending(pod, own, await _quotas(spawner, pod))
    if pod is None or found_reason.code not in _SAYS_LITTLE:
        return found_reason
    # Only now: a volume that waits for its pod says so all the time, whatever the pod waits for.
    volumes = [volume.get("persistentVolumeClaim") for volume in pod["spec"].get("volumes", [])]
    for claim in filter(None, volumes):
        own += await _events(spawner, claim["claimName"])
    return why_pending(pod, own)


async def _events(spawner: Any, name: str) -> list[dict[str, Any]]:
    # Listed while somebody waits, not watched: a watch of every namespace's events is what filled
    # other hubs' memory, and nobody reads them once the server runs.
    answer = await api.call(
        "GET",
        f"/api/v1/namespaces/{spawner.namespace}/events",
        doing="read the events of your server",
        query={"fieldSelector": f"involvedObject.name={name}", "limit": "200"},
    )
    return list(answer.get("items") or [])


async def _quotas(spawner: Any, pod: Any) -> list[dict[str, Any]]:
    if pod is not None:
        return []
    path = f"/api/v1/namespaces/{spawner.namespace}/resourcequotas"
    return list((await api.call("GET", path, doing="read your quotas")).get("items") or [])


async def events(spawner: Any) -> AsyncIterator[dict[str, Any]]:
    """Yield JupyterHub's progress events until the start is over; the same words only once."""
    said, noticed = "", ""
    reached = 0
    while True:
        future = spawner._start_future
        over = future is not None and future.done()
        try:
            reason = await why(spawner)
        except AutonoeError as error:
            reason = Reason("unknown", error.message, error.hint, waiting=True)
        if reason.message != said and not over and reason.code != "running":
            said = reason.message
            reached = max(reached, _STEPS.get(reason.code, 10))
            yield _event(reason, reached)
        if spawner.notice != noticed and not over:
            noticed = spawner.notice
            text = f"Your server starts without this: {noticed}"
            yield _event(Reason("incomplete", text, ""), reached)
        if over:
            return
        await asyncio.sleep(_EVERY_S)


def _event(reason: Reason, reached: int) -> dict[str, Any]:
    text = reason.message if reason.waiting else f"{reason.message} {reason.hint}"
    html = f"<strong>{escape(reason.message)}</strong> {escape(reason.hint)}"
    if reason.technical:
        html += (
            "<details><summary>What Kubernetes says</summary>"
            f"<code>{escape(reason.technical)}</code></details>"
        )
    return {
        "progress": reached,
        "message": text,
        "html_message": html,
        "code": reason.code,
        "hint": reason.hint,
        "technical": reason.technical,
    }


async def late(spawner: Any) -> SpawnError:
    """Return the error for a server that was not ready in time, with what held it up."""
    try:
        reason = await why(spawner)
    except AutonoeError as error:
        reason = Reason("unknown", error.message, error.hint)
    return SpawnError(
        f"Your server was not ready after {spawner.start_timeout} s. {reason.message}",
        hint=reason.hint,
        code=reason.code,
        technical=reason.technical,
    )
