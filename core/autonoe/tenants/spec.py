"""One person or one project on a cluster, as the Tenant object describes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, cast

from autonoe.errors import InvalidInputError
from autonoe.kubernetes.quantities import parse
from autonoe.names import normalise_name, slug

Kind = Literal["user", "project"]
KINDS: tuple[Kind, ...] = ("user", "project")

NOTEBOOK = "notebook"
"""ServiceAccount of Jupyter servers: may deploy in its own namespace."""
WORKLOAD = "workload"
"""ServiceAccount of workers and deployments: no right on Kubernetes at all."""


@dataclass(frozen=True)
class Quota:
    """The share of the cluster of one tenant; an empty entry takes the installation's default."""

    cpu: str = ""
    """Cores of everything that runs, such as ``8`` or ``500m``."""
    memory: str = ""
    """Memory of everything that runs, such as ``32Gi``."""
    gpu: str = ""
    """Number of GPUs."""
    storage: str = ""
    """Sum of all volumes."""
    pods: str = ""
    """Number of pods."""

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if value != "" and parse(value) < 0:
                raise InvalidInputError(f"The quota for {entry.name} is below zero.")

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Quota:
        """Return the quota of a Tenant's ``spec.quota``; numbers are taken as text.

        Raises
        ------
        InvalidInputError
            If an entry is unknown or no quantity.
        """
        known = {entry.name for entry in fields(cls)}
        if unknown := set(document) - known:
            raise InvalidInputError(
                f"A quota has no {', '.join(sorted(unknown))}.",
                hint=f"It has {', '.join(sorted(known))}.",
            )
        return cls(**{key: str(value) for key, value in document.items() if value is not None})

    def over(self, default: Quota) -> Quota:
        """Return this quota with what it leaves open taken from ``default``."""
        return Quota(
            **{
                entry.name: getattr(self, entry.name) or getattr(default, entry.name)
                for entry in fields(self)
            }
        )


@dataclass(frozen=True)
class TenantSpec:
    """Who a namespace is for, and what belongs to them.

    Raises
    ------
    InvalidInputError
        When it is made with a name or a kind that cannot be.
    """

    kind: Kind
    owner: str
    """Name of the person or project, as it was given; compared in its normalised form."""
    mail: str = ""
    """Address of a person, for their Git identity."""
    groups: tuple[str, ...] = ()
    """Projects that a person is a member of."""
    members: tuple[str, ...] = ()
    """People who may work in a project's namespace."""
    quota: Quota = field(default_factory=Quota)
    remove_after: str = ""
    """RFC 3339 time after which everything is removed; empty: it stays."""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise InvalidInputError(f"A tenant is of kind {' or '.join(KINDS)}, not {self.kind!r}.")
        for name in (self.owner, *self.groups, *self.members):
            normalise_name(name)

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> TenantSpec:
        """Return what the ``spec`` of a Tenant object says.

        Raises
        ------
        InvalidInputError
            If it is incomplete or cannot be used.
        """
        names = {key: document.get(key) or () for key in ("groups", "members")}
        if any(isinstance(value, str) for value in names.values()):
            raise InvalidInputError("groups and members are lists of names.")
        return cls(
            kind=cast("Kind", str(document.get("kind", ""))),
            owner=str(document.get("owner", "")),
            mail=str(document.get("mail") or ""),
            groups=tuple(sorted({normalise_name(str(name)) for name in names["groups"]})),
            members=tuple(sorted({normalise_name(str(name)) for name in names["members"]})),
            quota=Quota.from_dict(document.get("quota") or {}),
            remove_after=str(document.get("removeAfter") or ""),
        )

    @property
    def name(self) -> str:
        """Name that the Tenant object must have, so that there is one for each owner."""
        return tenant_name(self.kind, self.owner)


def tenant_name(kind: str, owner: str) -> str:
    """Return the name of the Tenant object of ``owner``."""
    return f"{kind}-{slug(owner)}"
