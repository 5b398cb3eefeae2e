"""How much of the cluster is free, as the tenant controller last counted it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from autonoe.errors import AutonoeError
from autonoe_hub.cluster import api

NAME = "autonoe-capacity"
"""ConfigMap in the hub's namespace. The hub may not look at machines itself."""

_FRESH_S = 5.0


@dataclass
class Capacity:
    """Reads the counts, at most every few seconds however many people look at the form."""

    namespace: str
    _nodes: list[dict[str, Any]] = field(default_factory=list)
    _updated: str = ""
    _read_at: float = float("-inf")

    async def nodes(self) -> list[dict[str, Any]]:
        """Return the counts of each machine; an empty list when there are none.

        A form without numbers is better than no form: what goes wrong here stays here.
        """
        if time.monotonic() - self._read_at > _FRESH_S:
            self._read_at = time.monotonic()
            path = f"/api/v1/namespaces/{self.namespace}/configmaps/{NAME}"
            try:
                found = await api.call("GET", path, doing="read the free capacity", timeout_s=2)
                document = json.loads(found["data"]["capacity.json"])
                self._nodes, self._updated = list(document["nodes"]), str(document["updated"])
            except (AutonoeError, KeyError, TypeError, ValueError):
                self._nodes, self._updated = [], ""
        return self._nodes

    @property
    def updated(self) -> str:
        """When the counts were taken (RFC 3339); empty when there are none."""
        return self._updated


@cache
def capacity_of(namespace: str) -> Capacity:
    """Return the one reader of this hub, for all who look at the form."""
    return Capacity(namespace)
