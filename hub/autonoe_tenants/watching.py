"""Seeing at once when an object of a tenant is changed or deleted."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from autonoe.errors import AutonoeError
from autonoe.kubernetes.client import Cluster
from autonoe.kubernetes.labels import COMPONENT, INSTANCE, OWNER_SLUG, TENANT
from autonoe.kubernetes.resources import identity
from autonoe.tenants import common
from autonoe_tenants.difference import differs
from autonoe_tenants.keeper import Keeper

log = logging.getLogger(__name__)

KINDS = (
    "Namespace",
    "ServiceAccount",
    "RoleBinding",
    "ResourceQuota",
    "LimitRange",
    "NetworkPolicy",
)
"""Kinds of the objects in a tenant's namespace that the controller keeps."""

_LASTS_S = 240
_PAUSE_S = 2.0


def start(
    cluster: Cluster, keeper: Keeper, wake: Callable[[str], None], stop: threading.Event
) -> list[threading.Thread]:
    """Watch all kinds, a thread each; ``wake`` gets the Tenant's name when one is to be visited."""
    threads = [
        threading.Thread(
            target=_follow, args=(cluster, keeper, kind, wake, stop), name=kind, daemon=True
        )
        for kind in KINDS
    ]
    for thread in threads:
        thread.start()
    return threads


def _follow(
    cluster: Cluster,
    keeper: Keeper,
    kind: str,
    wake: Callable[[str], None],
    stop: threading.Event,
) -> None:
    chosen = {INSTANCE: keeper.tenancy.instance, COMPONENT: common.COMPONENT}
    while not stop.is_set():
        try:
            for change, found in cluster.watch(kind, labels=chosen, timeout_s=_LASTS_S):
                found.setdefault("kind", kind)
                wanted = keeper.wanted.get(identity(found))
                # What is not wanted anywhere belongs to a tenant that is not known yet.
                if wanted is not None and (change == "DELETED" or differs(found, wanted)):
                    own = wanted["metadata"]["labels"]
                    wake(f"{own[TENANT]}-{own[OWNER_SLUG]}")
                if stop.is_set():
                    return
        except AutonoeError as error:
            # A regular visit finds what was missed meanwhile.
            keeper.metrics.count("watches_broken")
            log.warning("watching %s: %s", kind, error.message)
            stop.wait(_PAUSE_S)
