"""How a deployment on Kubernetes is, read from its objects, in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from autonoe.errors import InvalidInputError
from autonoe.kubernetes.pending import why_pending
from autonoe.kubernetes.quantities import parse

Object = Mapping[str, Any]
State = Literal["starting", "ready", "restarting", "stopped"]


def state_of(
    deployment: Object,
    pods: Iterable[Object],
    events: Iterable[Object] = (),
    quotas: Iterable[Object] = (),
) -> tuple[State, str]:
    """Return the state of a Deployment and, unless it is ready, why, in words.

    Parameters
    ----------
    deployment : mapping
        As the API server returned it.
    pods : iterable of mapping
        Its pods.
    events, quotas : iterable of mapping
        Of its namespace; they explain what a pod waits for.
    """
    spec, status = deployment.get("spec", {}), deployment.get("status", {})
    wanted = int(spec.get("replicas", 1))
    if wanted == 0:
        return "stopped", "It was scaled to no pods."
    if _settled(deployment, wanted):
        return "ready", ""
    newest = _newest(pods)
    restarts = restarts_of([newest] if newest else [])
    state: State = "restarting" if restarts else "starting"
    reason = why_pending(newest, events, quotas)
    if newest is None and (failed := _condition(status, "ReplicaFailure")):
        reason = why_pending(None, [*_as_events(failed), *events], quotas)
    if reason.code == "running":
        return state, "The new version runs; the old one is being stopped."
    return state, reason.message


def _settled(deployment: Object, wanted: int) -> bool:
    """Return whether all pods are of the wanted version, and ready, and no others are left."""
    status = deployment.get("status", {})
    return (
        int(status.get("observedGeneration", 0)) >= int(deployment["metadata"].get("generation", 0))
        and int(status.get("updatedReplicas", 0)) == wanted
        and int(status.get("replicas", 0)) == wanted
        and int(status.get("readyReplicas", 0)) == wanted
    )


def restarts_of(pods: Iterable[Object]) -> int:
    """Return how often containers of ``pods`` were started again."""
    return sum(
        int(entry.get("restartCount", 0))
        for pod in pods
        for entry in (pod.get("status", {}).get("containerStatuses") or ())
    )


def memory_mib(metrics: Iterable[Object]) -> float:
    """Return the memory that pods use, in MiB, from objects of the metrics API."""
    total = 0.0
    for found in metrics:
        for container in found.get("containers") or ():
            try:
                total += float(parse(container["usage"]["memory"])) / 2**20
            except (KeyError, InvalidInputError):
                continue
    return round(total, 1)


def _newest(pods: Iterable[Object]) -> Object | None:
    alive = [pod for pod in pods if not pod["metadata"].get("deletionTimestamp")]
    return max(alive, key=lambda pod: str(pod["metadata"].get("creationTimestamp")), default=None)


def _condition(status: Object, kind: str) -> Object | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == kind and condition.get("status") == "True":
            return dict(condition)
    return None


def _as_events(condition: Object) -> list[Object]:
    return [
        {
            "type": "Warning",
            "reason": condition.get("reason", ""),
            "message": condition.get("message", ""),
            "metadata": {"creationTimestamp": condition.get("lastTransitionTime", "")},
        }
    ]
