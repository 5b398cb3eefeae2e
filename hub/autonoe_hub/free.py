"""How much is free beside a profile: from counts of machines to a line for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import psutil

from autonoe.profiles.choice import GIB
from autonoe.profiles.model import Profile
from autonoe_hub.page_words import Speaker

Node = Mapping[str, Any]
"""``{"labels", "taints", "allocatable", "free"}``; amounts ``cpu_millis``, ``memory_bytes``,
``gpu``, as the tenant controller writes them into the ConfigMap ``autonoe-capacity``."""


@dataclass(frozen=True)
class Free:
    """What a server of one profile would find."""

    nodes: int
    """Machines that take such a server."""
    cpu: float
    cpu_total: float
    memory_gib: float
    memory_total_gib: float
    gpu: int
    gpu_total: int
    fits: bool
    """Whether one of the machines has room for the profile's defaults."""


def this_machine() -> list[Node]:
    """Return the machine that the hub runs on, as the only node."""
    memory = psutil.virtual_memory()
    cores = psutil.cpu_count() or 1
    # Since the call before; the first one has nothing to compare with and says 0.
    idle = 1 - psutil.cpu_percent() / 100
    total = {"cpu_millis": cores * 1000, "memory_bytes": memory.total, "gpu": 0}
    free = {
        "cpu_millis": int(cores * 1000 * idle),
        "memory_bytes": memory.available,
        "gpu": 0,
    }
    return [{"name": "", "labels": {}, "taints": [], "allocatable": total, "free": free}]


def free_for(profile: Profile, nodes: Iterable[Node]) -> Free | None:
    """Return what is free for ``profile`` on ``nodes``; None when there are no counts."""
    nodes = list(nodes)
    if not nodes:
        return None
    fitting = [node for node in nodes if _takes(profile, node)]
    total = [node.get("allocatable", {}) for node in fitting]
    free = [node.get("free", {}) for node in fitting]
    wanted = profile.resources
    return Free(
        nodes=len(fitting),
        cpu=_sum(free, "cpu_millis") / 1000,
        cpu_total=_sum(total, "cpu_millis") / 1000,
        memory_gib=_sum(free, "memory_bytes") / GIB,
        memory_total_gib=_sum(total, "memory_bytes") / GIB,
        gpu=int(_sum(free, "gpu")),
        gpu_total=int(_sum(total, "gpu")),
        fits=any(
            one.get("cpu_millis", 0) >= wanted.cpu.default * wanted.cpu_reserved * 1000
            and one.get("memory_bytes", 0) >= wanted.memory_gib.default * GIB
            and one.get("gpu", 0) >= wanted.gpu.default
            for one in free
        ),
    )


def free_view(profile: Profile, free: Free | None, t: Speaker, *, waits: bool) -> dict[str, Any]:
    """Return what the form shows: ``text``, ``warning`` and whether it ``fits``; {} for nothing.

    Parameters
    ----------
    profile : Profile
        Whose line it is.
    free : Free or None
        The counts, if there are any.
    t : Speaker
        The page's language.
    waits : bool
        Whether a server without room waits; on one machine it starts, and is slow.
    """
    if free is None:
        return {}
    if not free.nodes:
        return {"text": "", "warning": t("free.none"), "fits": False}
    parts = [
        _of(t, "cpu", free.cpu, free.cpu_total),
        _of(t, "memory_gib", free.memory_gib, free.memory_total_gib),
    ]
    if profile.resources.gpu.ceiling:
        parts.append(_of(t, "gpu", free.gpu, free.gpu_total))
    warning = "" if free.fits or not waits else t("free.wait")
    return {
        "text": t("free.now", amounts=", ".join(parts)),
        "warning": warning,
        "fits": free.fits or not waits,
    }


def _of(t: Speaker, name: str, free: float, total: float) -> str:
    digits = 1 if total < 10 else 0
    return t(
        "free.of",
        free=t.number(max(free, 0), digits),
        total=t.number(total, digits),
        unit=t(f"unit.{name}"),
    )


def _sum(amounts: Iterable[Mapping[str, Any]], name: str) -> float:
    return float(sum(max(0, amount.get(name, 0)) for amount in amounts))


def _takes(profile: Profile, node: Node) -> bool:
    if not node.get("name"):
        return True  # this machine, which is the only one
    labels = node.get("labels") or {}
    if any(labels.get(key) != value for key, value in profile.node_selector.items()):
        return False
    return all(
        _tolerated(profile, taint)
        for taint in node.get("taints") or ()
        if taint.get("effect") != "PreferNoSchedule"
    )


def _tolerated(profile: Profile, taint: Mapping[str, Any]) -> bool:
    return any(
        one.key == taint.get("key")
        and one.effect == taint.get("effect")
        and (one.operator == "Exists" or one.value == (taint.get("value") or ""))
        for one in profile.tolerations
    )
