"""The hashed keys of a deployment on Kubernetes: a ConfigMap that two may change at once."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from autonoe.apikeys import KeyEntry
from autonoe.backends.keys import Entries
from autonoe.backends.kubernetes_objects import Builder
from autonoe.errors import ConflictError
from autonoe.kubernetes.client import Cluster

Object = dict[str, Any]
Result = TypeVar("Result")
Change = Callable[[Entries], tuple[Entries, Result]]
"""From the keys that there are to those that there shall be, and what to tell of it."""

KIND = "ConfigMap"
TRIES = 20
"""Writes that may meet another one; each of those means that somebody else got ahead."""


def file_name(name: str) -> str:
    """Return the ConfigMap's name for the deployment ``name``."""
    return f"{name}-keys"


def entries_of(found: Object | None) -> Entries:
    """Return the hashed keys in a ConfigMap; none when it is missing or was changed by hand."""
    try:
        rows = json.loads(((found or {}).get("data") or {}).get("keys.json", ""))["keys"]
        return tuple(KeyEntry(**row) for row in rows)
    except (ValueError, KeyError, TypeError):
        return ()


def change_keys(
    cluster: Cluster, builder: Builder, name: str, change: Change[Result]
) -> tuple[Object, Result]:
    """Write the keys that ``change`` makes of those there are.

    The API server refuses a write whose ``resourceVersion`` is no longer the object's. So of two
    who change the keys at once the second is told, and asks ``change`` again with what the first
    left. No key is lost, and none that was revoked comes back.

    Parameters
    ----------
    cluster : Cluster
        Where the ConfigMap is.
    builder : Builder
        Of the account's objects.
    name : str
        Of the deployment.
    change : callable
        Called once for each try.

    Returns
    -------
    (dict, object)
        The ConfigMap as it was written, and what ``change`` told.

    Raises
    ------
    ConflictError
        If others got ahead each time.
    """
    namespace = builder.settings.kubernetes_namespace
    for _ in range(TRIES):
        found = cluster.find(KIND, file_name(name), namespace)
        entries, told = change(entries_of(found))
        wanted = builder.key_file(name, entries)
        try:
            if found is None:
                return cluster.create(wanted), told
            version = found["metadata"]["resourceVersion"]
            wanted["metadata"] = {**wanted["metadata"], "resourceVersion": version}
            return cluster.merge(KIND, file_name(name), wanted, namespace), told
        except ConflictError:
            continue
    raise ConflictError(
        f"The keys of {name} were changed by others {TRIES} times meanwhile.",
        hint="Try again in a moment.",
    )
