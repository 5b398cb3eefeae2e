"""What is free on the cluster, published for the hub, which may not look for itself."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from autonoe.errors import AutonoeError
from autonoe.kubernetes.client import Cluster
from autonoe.kubernetes.hub_access import CAPACITY
from autonoe.kubernetes.quantities import cpu_millis, memory_bytes, parse
from autonoe.tenants.limits import GPU
from autonoe.tenants.tenancy import Tenancy

log = logging.getLogger(__name__)

KEY = "capacity.json"
"""Entry of the ConfigMap; it holds `capacity`'s answer, as JSON."""

_RUNNING = "status.phase!=Succeeded,status.phase!=Failed"


def capacity(
    nodes: Iterable[Mapping[str, Any]], pods: Iterable[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return each usable machine with what it has and what is left of it.

    Parameters
    ----------
    nodes, pods : iterable of mapping
        As the API server returns them. Machines that are closed or not ready are left out.

    Returns
    -------
    list of dict
        ``name``, ``labels``, ``taints``, ``allocatable`` and ``free``, the latter two with
        ``cpu_millis``, ``memory_bytes`` and ``gpu``.
    """
    used: dict[str, dict[str, int]] = {}
    for pod in pods:
        node = (pod.get("spec") or {}).get("nodeName")
        if node:
            sums = used.setdefault(node, _nothing())
            for key, amount in _requests(pod["spec"]).items():
                sums[key] += amount
    rows = []
    for node in nodes:
        spec, name = node.get("spec") or {}, node["metadata"]["name"]
        if spec.get("unschedulable") or not _ready(node):
            continue
        whole = _amounts((node.get("status") or {}).get("allocatable") or {})
        taken = used.get(name, _nothing())
        rows.append(
            {
                "name": name,
                "labels": node["metadata"].get("labels") or {},
                "taints": spec.get("taints") or [],
                "allocatable": whole,
                "free": {key: max(0, whole[key] - taken[key]) for key in whole},
            }
        )
    return sorted(rows, key=lambda row: str(row["name"]))


def start(cluster: Cluster, tenancy: Tenancy, stop: threading.Event) -> threading.Thread:
    """Publish the capacity at once and then again and again, in a thread."""
    thread = threading.Thread(
        target=_publish, args=(cluster, tenancy, stop), name="capacity", daemon=True
    )
    thread.start()
    return thread


def _publish(cluster: Cluster, tenancy: Tenancy, stop: threading.Event) -> None:
    while not stop.is_set():
        try:
            nodes = capacity(cluster.list("Node"), cluster.list("Pod", fields=_RUNNING))
            now = datetime.now(UTC).isoformat(timespec="seconds")
            document = json.dumps({"updated": now, "nodes": nodes}, sort_keys=True)
            cluster.merge("ConfigMap", CAPACITY, {"data": {KEY: document}}, tenancy.hub_namespace)
        except AutonoeError as error:
            log.warning("the free capacity is not published: %s", error.message)
        stop.wait(tenancy.capacity_s)


def _requests(spec: Mapping[str, Any]) -> dict[str, int]:
    """Return what a pod takes of its machine, as the scheduler counts it."""
    total, peak = _nothing(), _nothing()
    for container in spec.get("containers") or []:
        _add(total, _asked(container))
    for container in spec.get("initContainers") or []:
        asked = _asked(container)
        if container.get("restartPolicy") == "Always":
            _add(total, asked)  # a sidecar stays beside the others
        else:
            peak = {key: max(peak[key], asked[key]) for key in peak}
    largest = {key: max(total[key], peak[key]) for key in total}
    _add(largest, _amounts(spec.get("overhead") or {}))
    return largest


def _asked(container: Mapping[str, Any]) -> dict[str, int]:
    return _amounts((container.get("resources") or {}).get("requests") or {})


def _amounts(found: Mapping[str, Any]) -> dict[str, int]:
    return {
        "cpu_millis": cpu_millis(found.get("cpu", 0)),
        "memory_bytes": memory_bytes(found.get("memory", 0)),
        "gpu": int(parse(found.get(GPU, 0))),
    }


def _nothing() -> dict[str, int]:
    return {"cpu_millis": 0, "memory_bytes": 0, "gpu": 0}


def _add(total: dict[str, int], more: Mapping[str, int]) -> None:
    for key, amount in more.items():
        total[key] += amount


def _ready(node: Mapping[str, Any]) -> bool:
    conditions = (node.get("status") or {}).get("conditions") or []
    return any(row["type"] == "Ready" and row["status"] == "True" for row in conditions)
