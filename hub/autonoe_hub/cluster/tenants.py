"""Asking the tenant controller for a namespace, and waiting until it is ready.

The hub may write Tenant objects in its own namespace and nothing else outside of it. What it asks
for, the controller checks again: this is a request, not an order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from autonoe.errors import ConflictError, NotFoundError
from autonoe.kubernetes.labels import labels, owned_by
from autonoe.names import normalise_name, slug
from autonoe_hub.cluster import api
from autonoe_hub.cluster.errors import SpawnError

API_VERSION = "autonoe.dev/v1alpha1"


@dataclass(frozen=True)
class Wanted:
    """What the hub knows about the owner of a namespace."""

    kind: Literal["user", "project"]
    owner: str
    groups: tuple[str, ...] = ()
    mail: str | None = None
    """None: not known now, so that what was said before stays."""
    members: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """Name of the Tenant object."""
        return f"{self.kind}-{slug(self.owner)}"

    def spec(self) -> dict[str, Any]:
        """Return the part of the spec that the hub decides about; quotas are others' business."""
        found: dict[str, Any] = {"kind": self.kind, "owner": normalise_name(self.owner)}
        if self.kind == "user":
            found["groups"] = sorted(self.groups)
        if self.mail is not None:
            found["mail"] = self.mail
        if self.members is not None:
            found["members"] = sorted(self.members)
        return found


@dataclass
class TenantClient:
    """Writes and reads the Tenant objects of one installation.

    Parameters
    ----------
    namespace : str
        The hub's own, where the objects live.
    instance : str
        Name of the installation.
    """

    namespace: str
    instance: str
    poll_s: float = field(default=0.1, kw_only=True)

    async def ensure(self, wanted: Wanted) -> dict[str, Any]:
        """Write what the hub knows, where it is not written yet, and return the object.

        Raises
        ------
        ConflictError
            If the object of that name is of another owner.
        AutonoeError
            If the API server refuses or does not answer.
        """
        found = await self._get(wanted)
        if found is None:
            try:
                return await self._create(wanted)
            except ConflictError:
                # A login and a start at the same moment.
                found = await self._get(wanted) or {}
        spec, asked = found.get("spec", {}), wanted.spec()
        if (spec.get("kind"), spec.get("owner")) != (asked["kind"], asked["owner"]):
            raise ConflictError(
                f"The name {wanted.name!r} is taken by somebody else.",
                hint="Ask an administrator to give this account another name.",
                code="owner_mismatch",
            )
        changed = {key: value for key, value in asked.items() if spec.get(key) != value}
        if not changed:
            return found
        return await api.call(
            "PATCH",
            self._path(wanted.name),
            doing=f"update the tenant {wanted.name}",
            body={"spec": changed},
            content_type=api.MERGE,
        )

    async def ready(self, wanted: Wanted, *, timeout_s: float, accounts_s: float) -> dict[str, Any]:
        """Write what the hub knows and wait until the namespace is ready; return the object.

        Parameters
        ----------
        wanted : Wanted
            Whose namespace.
        timeout_s : float
            Seconds after which waiting ends.
        accounts_s : float
            Seconds after which a namespace will do that lacks its accounts in the stores only.

        Raises
        ------
        SpawnError
            If the controller refuses, the tenant is being removed, or the time is over.
        """
        began = time.monotonic()
        found, pause = await self.ensure(wanted), self.poll_s
        while True:
            status = found.get("status") or {}
            waited = time.monotonic() - began
            if _current(found, status) and status.get("phase") == "Ready":
                return found
            _refuse(status, found)
            if waited >= accounts_s and _lacks_accounts_only(found, status):
                return found
            if waited >= timeout_s:
                raise SpawnError(
                    f"Your namespace was not ready after {timeout_s:g} s"
                    + (f": {status['message']}" if status.get("message") else ".")
                    + ("" if status else " Nothing has looked at the request yet."),
                    hint="Try again in a minute. If it stays so, an administrator should look at "
                    "the tenant controller.",
                    code="tenant_not_ready",
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, 1)
            found = await self._get(wanted) or await self.ensure(wanted)

    async def _get(self, wanted: Wanted) -> dict[str, Any] | None:
        try:
            return await api.call(
                "GET", self._path(wanted.name), doing=f"read the tenant {wanted.name}"
            )
        except NotFoundError:
            return None

    async def _create(self, wanted: Wanted) -> dict[str, Any]:
        body = {
            "apiVersion": API_VERSION,
            "kind": "Tenant",
            "metadata": {
                "name": wanted.name,
                "namespace": self.namespace,
                "labels": labels(
                    "tenant",
                    instance=self.instance,
                    component="tenant",
                    tenant=wanted.kind,
                    owner=wanted.owner,
                ),
                "annotations": owned_by(wanted.owner),
            },
            "spec": wanted.spec(),
        }
        return await api.call(
            "POST", self._path(), doing=f"ask for the tenant {wanted.name}", body=body
        )

    def _path(self, name: str = "") -> str:
        path = f"/apis/{API_VERSION}/namespaces/{self.namespace}/tenants"
        return f"{path}/{name}" if name else path


def _current(found: dict[str, Any], status: dict[str, Any]) -> bool:
    generation = found.get("metadata", {}).get("generation")
    return generation is None or status.get("observedGeneration", generation) >= generation


def _lacks_accounts_only(found: dict[str, Any], status: dict[str, Any]) -> bool:
    # The controller names the namespace once all of it stands, accounts or not.
    return bool(
        _current(found, status) and status.get("namespace") and status.get("enrolled") is False
    )


def _refuse(status: dict[str, Any], found: dict[str, Any]) -> None:
    message = str(status.get("message") or "")
    if status.get("phase") == "Refused" and _current(found, status):
        raise SpawnError(
            f"You cannot have a namespace here: {message or 'no reason was given.'}",
            hint="An administrator can say more.",
            code="tenant_refused",
        )
    if status.get("phase") == "Removing":
        raise SpawnError(
            "Your namespace is being removed" + (f": {message}" if message else "."),
            hint="An administrator can stop that as long as the waiting period lasts.",
            code="tenant_removing",
        )


def projects_of(groups: Iterable[str], known: frozenset[str]) -> tuple[str, ...]:
    """Return which of a person's groups are projects of this installation, in order."""
    return tuple(sorted(set(groups) & known))
