"""The volume of a person's home: made at the first start, checked before each reuse."""

from __future__ import annotations

from typing import Any

from autonoe.errors import NotFoundError
from autonoe.kubernetes.labels import labels, owned_by, verify_owner
from autonoe_hub.cluster import api
from autonoe_hub.cluster.pod import HOME_CLAIM
from autonoe_hub.cluster.settings import HomeValues


def claim(
    values: HomeValues, *, owner: str, namespace: str, instance: str, capacity: str
) -> dict[str, Any]:
    """Return the PersistentVolumeClaim of the home of ``owner``.

    Parameters
    ----------
    values : HomeValues
        Storage class and access modes.
    owner, namespace, instance : str
        Whose it is, where, and of which installation.
    capacity : str
        Its size, as Kubernetes writes it ("10Gi").
    """
    spec: dict[str, Any] = {
        "accessModes": list(values.access_modes),
        "resources": {"requests": {"storage": capacity}},
    }
    if values.storage_class is not None:
        spec["storageClassName"] = values.storage_class
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": HOME_CLAIM,
            "namespace": namespace,
            "labels": labels(
                "home", instance=instance, component="home", tenant="user", owner=owner
            ),
            "annotations": owned_by(owner),
        },
        "spec": spec,
    }


async def ensure(wanted: dict[str, Any], *, owner: str, instance: str) -> None:
    """Make the home unless it exists, and refuse one that is not ``owner``'s.

    Raises
    ------
    ConflictError
        If the claim is another owner's or was not made by this installation.
    AutonoeError
        If the API server refuses, as when the quota for storage is used up.
    """
    namespace = wanted["metadata"]["namespace"]
    path = f"/api/v1/namespaces/{namespace}/persistentvolumeclaims"
    try:
        found = await api.call("GET", f"{path}/{HOME_CLAIM}", doing="read your home volume")
    except NotFoundError:
        await api.call("POST", path, doing="make your home volume", body=wanted)
        return
    verify_owner(found, owner, instance=instance)
