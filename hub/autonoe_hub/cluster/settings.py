"""What an administrator says about the deployment: ``custom.autonoe`` in the chart's values."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import AnyHttpUrl, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from autonoe.errors import InvalidInputError
from autonoe_hub.cluster.values import lookup

_MODE = "AUTONOE_HUB_MODE"
_DNS_LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
_PREFIX = r"^[a-z]([a-z0-9-]*[a-z0-9])?-$"
_QUANTITY = r"^[0-9]+(\.[0-9]+)?(Ki|Mi|Gi|Ti|k|M|G|T)?$"


class _Group(BaseModel):
    # Values are written in Helm's camelCase; a misspelt key must not pass in silence.
    model_config = ConfigDict(
        alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid"
    )


class OidcValues(_Group):
    """Login by OpenID Connect; the same meanings as the ``AUTONOE_OIDC_*`` settings."""

    issuer_url: AnyHttpUrl
    """Its ``.well-known/openid-configuration`` names the endpoints, and this as the issuer."""
    client_id: str = Field(min_length=1)
    """Name under which the provider knows this hub."""
    client_secret_file: Path = Path("/etc/autonoe/oidc/client-secret")
    """File in the hub's pod with the client's password: a mounted Secret, never a value."""
    allowed_groups: frozenset[str] = frozenset()
    """Members of one of these may log in. With no group and no user allowed, nobody may."""
    allowed_users: frozenset[str] = frozenset()
    """Names that may log in whatever their groups."""
    username_claim: str = "preferred_username"
    """Claim that becomes the account's name."""
    groups_claim: str = "groups"
    """Claim that lists the person's groups."""
    ignored_groups: frozenset[str] = frozenset({"users", "project-*"})
    """Groups of the provider that mean nothing here; ``*`` stands for anything.

    The default ones are those that the platform itself keeps in OpenBao: when people log in with
    OpenBao, they come back as if they were somebody's projects."""
    mail_claim: str = "email"
    """Claim with the person's address, for the Git identity and for notices."""
    scopes: tuple[str, ...] = ("openid", "profile", "groups")
    """Scopes to ask the provider for."""
    login_service: str = "your organisation's account"
    """Completes "Sign in with …" on the login page."""
    callback_url: AnyHttpUrl | None = None
    """Where the provider sends people back to; default: the address that the person used."""


class AddressValues(_Group):
    """Where the companions are, as a person's pod reaches them."""

    openbao: str = "http://openbao.autonoe-platform.svc.cluster.local:8200"
    """The secrets store, OpenBao or Vault."""
    openbao_mount: str = "kubernetes"
    """Path of its kubernetes login below ``auth/``; one cluster each, if several log in."""
    openbao_role: str = "tenant"
    """Role that the pods of tenants log in with."""
    openbao_audience: str = "openbao"
    """Audience of the pods' projected tokens; the role must ask for the same."""
    s3: str = "http://seaweedfs.autonoe-platform.svc.cluster.local:8333"
    """The object store."""
    s3_region: str = "us-east-1"
    """Region that requests are signed for."""
    s3_addressing: Literal["path", "virtual"] = "path"
    """Where a bucket's name stands: in the path, or before the host's name, as AWS wants it."""
    sts: str = ""
    """Address that makes S3 sessions; empty: that of the object store."""
    sts_role_arn: str | None = None
    """Role of the S3 sessions; unset: SeaweedFS's own."""
    mlflow: str = "http://mlflow.autonoe-platform.svc.cluster.local:5000"
    """The tracking server; empty: there is none."""


class HomeValues(_Group):
    """The volume that a person's servers share."""

    capacity: str = Field("10Gi", pattern=_QUANTITY)
    """Size of a home made from now on. Homes that exist keep theirs."""
    storage_class: str | None = None
    """Its storage class; unset: the cluster's default one."""
    access_modes: tuple[str, ...] = ("ReadWriteOnce",)
    """``ReadWriteMany`` lets a person's servers run on several nodes at once."""


class ClusterSettings(_Group):
    """Everything under ``custom.autonoe``; each key has the default of a plain installation."""

    instance: str = Field("autonoe", pattern=_DNS_LABEL, max_length=30)
    """Name of this installation; two of them can share a cluster."""
    user_prefix: str = Field("u-", pattern=_PREFIX, max_length=20)
    """Namespaces of people begin with it, and the hub starts pods nowhere else."""
    project_prefix: str = Field("p-", pattern=_PREFIX, max_length=20)
    """Namespaces of projects begin with it."""
    project_groups: frozenset[str] = frozenset()
    """Groups of the OIDC provider that are projects: each gets a namespace and a bucket."""
    cluster_domain: str = "cluster.local"
    """Last part of the names of Services in the cluster's DNS."""
    tenant_timeout_s: float = Field(60, gt=0, le=600)
    """How long a start waits for the namespace to be ready, in seconds."""
    accounts_timeout_s: float = Field(10, ge=0, le=600)
    """How long a first start waits for accounts in the stores, in seconds.

    A store that is down must not keep people from their notebooks: past this the server starts,
    says so, and the controller goes on trying."""
    shared_memory: str = Field("1Gi", pattern=_QUANTITY)
    """Size of ``/dev/shm`` where the profile does not say; it counts as the server's memory."""
    temporary_disk: str = Field("4Gi", pattern=_QUANTITY)
    """Size of ``/tmp``, which is emptied with the server."""
    stop_grace_s: int = Field(10, ge=0, le=300)
    """How long kernels have to end when a server is stopped, in seconds."""
    lifetime_s: int = Field(0, ge=0)
    """A server ends after this long, in seconds, where the profile does not say; 0: never."""
    home: HomeValues = HomeValues()
    """The home volume."""
    addresses: AddressValues = AddressValues()
    """Where the companions are."""
    oidc: OidcValues | None = None
    """Login; without it, the authenticator of ``hub.config`` stays."""
    environment: dict[str, str] = {}
    """Variables of every server. Nothing secret: each person reads them."""


def read_settings(values: dict[str, Any]) -> ClusterSettings | None:
    """Return the settings of a hub on a cluster; None for a hub that is not on one.

    ``AUTONOE_HUB_MODE=kubernetes`` or a key ``custom.autonoe`` makes it a hub on a cluster.

    Raises
    ------
    InvalidInputError
        If a value cannot be used, or ``AUTONOE_HUB_MODE`` is neither ``kubernetes`` nor
        ``embedded``; the message names keys and never repeats a value.
    """
    mode = os.environ.get(_MODE, "")
    if mode not in ("", "embedded", "kubernetes"):
        raise InvalidInputError(f"{_MODE} is neither kubernetes nor embedded.")
    given = lookup(values, "custom.autonoe")
    if mode == "embedded" or (given is None and mode != "kubernetes"):
        return None
    try:
        return ClusterSettings.model_validate(given or {})
    except ValidationError as error:
        problems = sorted(
            f"{'.'.join(str(part) for part in e['loc']) or 'autonoe'} ({e['type']})"
            for e in error.errors()
        )
        raise InvalidInputError(
            f"The values under custom.autonoe cannot be used: {', '.join(problems)}.",
            hint="See the guide on the hub on Kubernetes for the keys and their meaning.",
        ) from None
