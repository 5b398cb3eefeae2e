"""Who makes a tenant's accounts in OpenBao, the object store and MLflow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from autonoe.errors import InvalidInputError
from autonoe.identity.cluster import ClusterEnrolment, EnrolmentSettings
from autonoe.tenants.spec import TenantSpec
from autonoe.tenants.tenancy import Tenancy


class Enrolment(Protocol):
    """Makes and removes what a tenant has outside of the cluster."""

    def ensure(self, spec: TenantSpec, namespace: str) -> None:
        """Make the accounts of ``spec``, or bring those that exist in line."""
        ...

    def remove(self, spec: TenantSpec, namespace: str) -> None:
        """Close the accounts of ``spec``."""
        ...


class Accounts:
    """The accounts of all tenants, as the identity chain makes them.

    Parameters
    ----------
    inner : ClusterEnrolment
        Does the work, a dozen calls for each account.
    again_s : float
        An account whose wishes are the same is left alone for that long, in seconds.
    """

    def __init__(self, inner: ClusterEnrolment, *, again_s: float) -> None:
        self._inner = inner
        self._again_s = again_s
        self._done: dict[str, tuple[TenantSpec, float]] = {}

    def ensure(self, spec: TenantSpec, namespace: str) -> None:
        """Make the accounts of ``spec``, or bring those that exist in line.

        Raises
        ------
        ConflictError
            If the account belongs to somebody else.
        UnavailableError
            If a component is down.
        """
        known, when = self._done.get(namespace, (None, 0.0))
        if known == spec and time.monotonic() - when < self._again_s:
            return
        self._inner.ensure(spec.owner, spec.groups, spec.mail, namespace, kind=spec.kind)
        self._done[namespace] = (spec, time.monotonic())

    def remove(self, spec: TenantSpec, namespace: str) -> None:
        """Close the accounts of ``spec``; bucket and secrets stay for an administrator.

        Raises
        ------
        AutonoeError
            If a component is down, or the account belongs to somebody else.
        """
        self._done.pop(namespace, None)
        self._inner.remove(spec.owner, namespace, kind=spec.kind)


def accounts(tenancy: Tenancy) -> Accounts | None:
    """Return who enrols, as the settings say; None when nobody does.

    Raises
    ------
    InvalidInputError
        If the settings of the enrolment are incomplete.
    """
    if tenancy.enrolment is None:
        return None
    given: Mapping[str, Any] = tenancy.enrolment
    try:
        settings = EnrolmentSettings(**given)
    except ValidationError as error:
        problems = "; ".join(f"{row['loc'][0]}: {row['msg']}" for row in error.errors())
        raise InvalidInputError(
            f"The settings of the enrolment cannot be used: {problems}."
        ) from None
    # A little less than the regular visit, so that each of those looks.
    return Accounts(ClusterEnrolment(settings), again_s=tenancy.resync_s * 0.9)
