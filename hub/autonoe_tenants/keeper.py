"""One visit to one tenant: look, bring in line, say how it is. Blocking; runs in a thread."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from autonoe.errors import AutonoeError, ConflictError, InvalidInputError, NotFoundError
from autonoe.kubernetes.client import Cluster, Object
from autonoe.kubernetes.labels import verify_owner
from autonoe.kubernetes.resources import identity
from autonoe.tenants.manifests import manifests
from autonoe.tenants.spec import TenantSpec
from autonoe.tenants.tenancy import Tenancy
from autonoe_tenants.difference import differs
from autonoe_tenants.enrolment import Enrolment
from autonoe_tenants.metrics import Metrics

log = logging.getLogger(__name__)

Ident = tuple[str, str, str]

_LEAVING_S = 1.0
_RETRY_S = 10.0


@dataclass
class Keeper:
    """Makes and keeps what Tenant objects ask for.

    Parameters
    ----------
    cluster : Cluster
        The API server, as the controller.
    tenancy : Tenancy
        The installation.
    enrolment : Enrolment or None
        Who makes the accounts in OpenBao, S3 and MLflow; None: nobody does.
    metrics : Metrics
        Where repairs and refusals are counted.
    """

    cluster: Cluster
    tenancy: Tenancy
    enrolment: Enrolment | None = None
    metrics: Metrics = field(default_factory=Metrics)
    wanted: dict[Ident, Object] = field(default_factory=dict)
    """What each object should be, for whoever watches them change."""

    def visit(self, name: str) -> float | None:
        """Bring the tenant ``name`` in line and write its status.

        Returns
        -------
        float or None
            Seconds until the next visit, if nothing happens before; None when it is gone.

        Raises
        ------
        AutonoeError
            If the API server refuses or does not answer; the tenant's status says so as well,
            as far as that could be written.
        """
        tenant = self.cluster.find("Tenant", name, self.tenancy.hub_namespace)
        if tenant is None or tenant["metadata"].get("deletionTimestamp"):
            return None
        status = dict(tenant.get("status") or {})
        try:
            spec = self._accept(tenant)
            removing = self._removal(spec, status)
            if removing is not None and _now() >= removing:
                return self._remove(tenant, spec, status)
            problem = self._keep(spec)
            enrolled, remark = self._enrol(spec, was=bool(status.get("enrolled")))
        except AutonoeError as error:
            self.metrics.count("visits_failed")
            phase = "Refused" if isinstance(error, ConflictError | InvalidInputError) else "Pending"
            self._say(tenant, status, phase, f"{error.message} {error.hint}".strip())
            if phase == "Refused":
                log.warning("%s refused: %s", name, error.message)
                return float(self.tenancy.resync_s)
            raise
        self._say_how_it_is(tenant, spec, status, removing, problem, (enrolled, remark))
        if removing is not None:
            return max(0.1, min(self.tenancy.resync_s, (removing - _now()).total_seconds()))
        return _RETRY_S if problem or remark else float(self.tenancy.resync_s)

    def finish(self, tenant: Mapping[str, Any]) -> bool:
        """Finish the removal of a deleted Tenant object; True when the object may go.

        A Tenant object that is deleted before its time takes nothing along: its namespace stays,
        with all volumes, and the same object written again takes it up again.
        """
        status = tenant.get("status") or {}
        try:
            spec = self._accept(tenant)
        except AutonoeError as error:
            log.warning("%s leaves: %s", tenant["metadata"]["name"], error.message)
            return True
        due = _time(status.get("removalDueAt"))
        if not spec.remove_after or due is None or _now() < due:
            self._forget(self.tenancy.namespace(spec))
            log.warning("%s was deleted; its namespace stays", spec.name)
            return True
        return self._gone(spec)

    # -- keeping ----------------------------------------------------------------------------

    def _accept(self, tenant: Mapping[str, Any]) -> TenantSpec:
        spec = TenantSpec.from_dict(tenant["spec"])
        if tenant["metadata"]["name"] != spec.name:
            raise InvalidInputError(
                f"The Tenant object of {spec.kind} {spec.owner!r} must be named {spec.name}.",
                hint="One object for each owner, so that no two claim the same namespace.",
            )
        return spec

    def _keep(self, spec: TenantSpec) -> str:
        """Bring all objects in line; return what stands in the way, in words, or nothing."""
        wanted = manifests(spec, self.tenancy)
        namespace = wanted[0]["metadata"]["name"]
        found = self._verified(namespace, spec)
        if found is None:
            try:
                found = self.cluster.create(wanted[0])
            except ConflictError:
                found = self._verified(namespace, spec) or {}
        if found.get("metadata", {}).get("deletionTimestamp"):
            return f"The namespace {namespace} is being deleted; it is made again afterwards."
        # The uid makes the API server refuse if it was replaced after the check.
        body = {**wanted[0], "metadata": {**wanted[0]["metadata"], "uid": found["metadata"]["uid"]}}
        present = {identity(found): found}
        for kind in dict.fromkeys(entry["kind"] for entry in wanted[1:]):
            present |= {identity(entry): entry for entry in self.cluster.list(kind, namespace)}
        self.wanted |= {identity(entry): entry for entry in wanted}
        for entry in (body, *wanted[1:]):
            self._align(present.get(identity(entry)), entry)
        return ""

    def _verified(self, namespace: str, spec: TenantSpec) -> Object | None:
        found = self.cluster.find("Namespace", namespace)
        if found is not None:
            verify_owner(found, spec.owner, instance=self.tenancy.instance)
        return found

    def _align(self, found: Object | None, wanted: Object) -> None:
        if found is not None and not differs(found, wanted):
            return
        kind, namespace, name = identity(wanted)
        self.metrics.count("objects_made" if found is None else "objects_repaired")
        log.info("%s %s/%s %s", kind, namespace, name, "made" if found is None else "repaired")
        if found is not None and "roleRef" in wanted and found["roleRef"] != wanted["roleRef"]:
            # A roleRef cannot be changed, only the whole binding.
            self.cluster.delete(kind, name, namespace, uid=found["metadata"]["uid"])
        applied = self.cluster.apply(wanted)
        if differs(applied, wanted):
            # Fields that somebody else added survive an apply; they do not survive this.
            self.cluster.replace(wanted)

    def _enrol(self, spec: TenantSpec, *, was: bool) -> tuple[bool, str]:
        if self.enrolment is None:
            return False, ""
        try:
            self.enrolment.ensure(spec, self.tenancy.namespace(spec))
        except AutonoeError as error:
            if isinstance(error, ConflictError):
                raise
            self.metrics.count("enrolments_failed")
            log.warning("%s is not enrolled: %s", spec.name, error.message)
            return was, f"{error.message} {error.hint}".strip()
        return True, ""

    # -- removal ----------------------------------------------------------------------------

    def _removal(self, spec: TenantSpec, status: dict[str, Any]) -> datetime | None:
        """Return when the tenant is to be removed; None when it stays."""
        if not spec.remove_after:
            status |= {"removalRequestedAt": None, "removalDueAt": None}
            return None
        asked = _time(spec.remove_after)
        if asked is None:
            raise InvalidInputError("removeAfter is no RFC 3339 time.", hint="2027-01-31T18:00:00Z")
        seen = _time(status.get("removalRequestedAt")) or _now()
        # Whoever writes the object cannot shorten the wait: there is time to notice and take back.
        due = max(asked, seen + timedelta(seconds=self.tenancy.removal_wait_s))
        status |= {"removalRequestedAt": _text(seen), "removalDueAt": _text(due)}
        return due

    def _remove(self, tenant: Object, spec: TenantSpec, status: dict[str, Any]) -> float | None:
        self._say(tenant, status, "Removing", "Everything of this tenant is being removed now.")
        if not self._gone(spec):
            return _LEAVING_S
        metadata = tenant["metadata"]
        self.cluster.delete("Tenant", metadata["name"], metadata["namespace"], uid=metadata["uid"])
        self.metrics.count("tenants_removed")
        log.info("%s was removed", spec.name)
        return None

    def _gone(self, spec: TenantSpec) -> bool:
        """Delete the namespace, then the accounts; True when nothing is left."""
        name = self.tenancy.namespace(spec)
        found = self._verified(name, spec)
        self._forget(name)
        if found is not None:
            if not found["metadata"].get("deletionTimestamp"):
                self.cluster.delete("Namespace", name, uid=found["metadata"]["uid"])
            return False
        if self.enrolment is not None:
            self.enrolment.remove(spec, name)
        return True

    def _forget(self, namespace: str) -> None:
        # A copy: visits to other tenants add to it meanwhile.
        for key in list(self.wanted):
            if namespace in key[1:]:
                self.wanted.pop(key, None)

    # -- status -----------------------------------------------------------------------------

    def _say_how_it_is(
        self,
        tenant: Object,
        spec: TenantSpec,
        status: dict[str, Any],
        removing: datetime | None,
        problem: str,
        enrolment: tuple[bool, str],
    ) -> None:
        enrolled, remark = enrolment
        status |= {"namespace": self.tenancy.namespace(spec), "enrolled": enrolled}
        ready = not problem and (enrolled or self.enrolment is None)
        message = problem or remark or "Ready."
        if removing is not None:
            message = (
                f"Everything here is removed after {_text(removing)}. Until then, setting "
                "removeAfter to null takes it back."
            )
        phase = "Removing" if removing is not None else ("Ready" if ready else "Pending")
        self._say(tenant, status, phase, message)

    def _say(self, tenant: Object, status: dict[str, Any], phase: str, message: str) -> None:
        metadata = tenant["metadata"]
        status |= {
            "phase": phase,
            "message": message,
            "observedGeneration": metadata["generation"],
        }
        before = tenant.get("status") or {}
        if {k: v for k, v in status.items() if v is not None} == before:
            return
        try:
            self.cluster.merge(
                "Tenant",
                metadata["name"],
                {"status": status},
                metadata["namespace"],
                subresource="status",
            )
        except NotFoundError:
            log.info("%s left meanwhile", metadata["name"])


def _now() -> datetime:
    return datetime.now(UTC)


def _time(text: Any) -> datetime | None:
    try:
        moment = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).strftime("%Y-%m-%dT%H:%M:%SZ")
