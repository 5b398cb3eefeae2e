"""Accounts on a cluster: what the tenant controller makes in OpenBao, the object store and MLflow.

A tenant is a person or a project with a namespace of its own. Pods there log in to OpenBao by
their service account, whose alias leads to the tenant's entity; from there on everything is as on
one machine.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings, SettingsConfigDict

from autonoe.credentials.proof import read_pod_token
from autonoe.errors import UnavailableError
from autonoe.identity import enrolment
from autonoe.identity.buckets import Storage
from autonoe.identity.client import OpenBaoClient
from autonoe.identity.cluster_openbao import (
    TENANT_ACCOUNTS,
    ClusterIdentity,
    login_mount,
    openbao_requests,
    server_config,
)
from autonoe.identity.iam_door import IamDoor
from autonoe.identity.mlflow_users import MlflowUsers
from autonoe.identity.openbao_policies import CONTROLLER, OPERATOR_SECRETS
from autonoe.identity.provisioning import Provisioner
from autonoe.names import (
    AccountKind,
    account_bucket,
    account_entity,
    account_secrets,
    normalise_name,
    slug,
)

__all__ = [
    "ClusterEnrolment",
    "ClusterIdentity",
    "Enrolled",
    "EnrolmentSettings",
    "openbao_requests",
    "server_config",
]


class EnrolmentSettings(BaseSettings):
    """What enrolling takes, from ``AUTONOE_*`` variables. They hold no secret.

    The keys of the object store and of MLflow are read from OpenBao, at ``kv/operator/s3``
    (``access_key``, ``secret_key``) and ``kv/operator/mlflow`` (``username``, ``password``).
    """

    model_config = SettingsConfigDict(env_prefix="AUTONOE_", frozen=True, extra="ignore")

    openbao_url: str
    """Address of the secrets store."""
    openbao_role: str = CONTROLLER
    """Role of the controller's own login."""
    openbao_mount: str = "kubernetes"
    """Path of the login of pods below ``auth/``, the controller's and the tenants'."""
    proof_file: Path = Path("/var/run/secrets/autonoe/openbao/token")
    """Projected token of the controller's service account, for OpenBao's audience."""
    s3_url: str
    """Address of the object store."""
    s3_region: str = "us-east-1"
    """Region that requests to the object store are signed for."""
    s3_admin_url: str = ""
    """Port of the object store with the IAM API, for the policies of projects; empty: policies
    are set by an operator (MinIO, AWS) and left alone here."""
    mlflow_url: str = ""
    """Address of the tracking server; empty: there is none."""


@dataclass(frozen=True)
class Enrolled:
    """What an account got."""

    entity: str
    """Name of the entity; it is the user's name at MLflow too."""
    bucket: str
    secrets_path: str
    """Below the secrets engine ``kv``."""
    namespace: str


class _NoPolicies:
    """Leaves the policies of projects to the operator."""

    def put_policy(self, name: str, document: object) -> None:
        """Do nothing."""


class ClusterEnrolment:
    """Makes and removes accounts of tenants. Safe to call from many threads of one process.

    Parameters
    ----------
    settings : EnrolmentSettings
        Addresses, and the controller's own proof.
    timeout_s : float, optional
        Limit of each call, in seconds.
    """

    def __init__(self, settings: EnrolmentSettings, *, timeout_s: float = 10) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        # Membership of a group is read, changed and written back.
        self._lock = threading.Lock()

    def ensure(
        self,
        account: str,
        groups: Iterable[str],
        mail: str,
        namespace: str,
        *,
        kind: AccountKind = "user",
    ) -> Enrolled:
        """Make the account, or bring the one that exists in line.

        Parameters
        ----------
        account : str
            The person's login name, or the project's name, in any script.
        groups : iterable of str
            Projects that the account is a member of; it leaves all others. A project is a member
            of itself only, whatever is given.
        mail : str
            For the person's Git identity.
        namespace : str
            The tenant's namespace. Pods of its accounts ``notebook`` and ``workload`` log in as
            this account from now on, so the caller has checked whose namespace it is.
        kind : {"user", "project"}
            What the account is. A person and a project of the same name share nothing.

        Returns
        -------
        Enrolled

        Raises
        ------
        InvalidInputError
            If a name cannot be used.
        ConflictError
            If the slug, the bucket or a project belongs to somebody else.
        UnavailableError
            If a component is down; trying again completes what was begun.
        """
        name = normalise_name(account)
        entity_name = account_entity(name, kind)
        wanted = {name} if kind == "project" else {normalise_name(group) for group in groups}
        members = sorted(wanted)
        with self._lock:
            stores = self._stores()
            client = stores.client
            entity = enrolment.ensure_entity(client, entity_name, name, mail)
            enrolment.ensure_groups(client, entity, {slug(group): group for group in members})
            stores.ensure_shared_buckets(members)
            if kind == "user":
                stores.ensure_user_bucket(name)
            stores.ensure_mlflow_user(entity_name)
            # Last: a pod that logs in earlier is refused its stores, and tries again.
            for login in TENANT_ACCOUNTS:
                mount = login_mount(self._settings.openbao_mount, login)
                enrolment.ensure_alias(client, entity, mount=mount, name=f"{namespace}/{login}")
        return Enrolled(
            entity_name, account_bucket(name, kind), account_secrets(name, kind), namespace
        )

    def remove(
        self, account: str, namespace: str, *, kind: AccountKind = "user", purge: bool = False
    ) -> None:
        """Remove the account: its pods can log in nowhere from now on.

        S3 sessions that were made already end by themselves, within an hour.

        Parameters
        ----------
        account, namespace, kind
            As they were enrolled.
        purge : bool, optional
            Delete its bucket, secrets and MLflow user too. Otherwise they stay for an account of
            the same name. A project's bucket and secrets are its members' and stay.

        Raises
        ------
        ConflictError
            If the slug belongs to somebody else.
        UnavailableError
            If a component is down.
        """
        name = normalise_name(account)
        entity_name = account_entity(name, kind)
        with self._lock:
            stores = self._stores()
            enrolment.check_entity(stores.client, entity_name, name)
            stores.client.delete(f"identity/entity/name/{entity_name}")
            stores.remove_mlflow_user(entity_name, purge=purge)
            if purge and kind == "user":
                enrolment.delete_secrets(stores.client, account_secrets(name, kind))
                stores.storage.delete_bucket(account_bucket(name, kind))

    # -- clients ----------------------------------------------------------------------------

    def _stores(self) -> Provisioner:
        """Log in anew: a login costs milliseconds, and keys that were replaced are noticed."""
        settings = self._settings
        client = OpenBaoClient(settings.openbao_url, timeout_s=self._timeout_s)
        read_pod_token(
            settings.proof_file, role=settings.openbao_role, mount=settings.openbao_mount
        ).login(client)
        keys = _service_keys(client, "s3")
        region = settings.s3_region
        return Provisioner(
            client,
            Storage(settings.s3_url, keys, region=region, timeout_s=self._timeout_s),
            IamDoor(settings.s3_admin_url, keys, region=region, timeout_s=self._timeout_s)
            if settings.s3_admin_url
            else _NoPolicies(),
            MlflowUsers(
                settings.mlflow_url, _service_keys(client, "mlflow"), timeout_s=self._timeout_s
            )
            if settings.mlflow_url
            else None,
        )


def service_keys_path(service: Literal["s3", "mlflow"]) -> str:
    """Return where an operator keeps the administrator's keys of a service."""
    return f"kv/data/{OPERATOR_SECRETS}/{service}"


def _service_keys(client: OpenBaoClient, service: Literal["s3", "mlflow"]) -> dict[str, str]:
    found = (client.read(service_keys_path(service)) or {}).get("data")
    if not found:
        raise UnavailableError(
            f"OpenBao has no keys of {service} for the controller.",
            hint=f"An operator writes them to kv/{OPERATOR_SECRETS}/{service}: see the guide "
            '"Credentials in pods".',
        )
    return {str(key): str(value) for key, value in found.items()}
