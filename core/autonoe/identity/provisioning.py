"""What an account has besides its login: buckets, policies of its projects, an MLflow user.

The embedded platform and the cluster's tenant controller make the same things from here.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

from autonoe.errors import AutonoeError
from autonoe.identity import enrolment
from autonoe.identity.buckets import Storage
from autonoe.identity.client import OpenBaoClient
from autonoe.identity.mlflow_users import MlflowUsers
from autonoe.identity.seaweedfs import project_policy
from autonoe.names import PUBLIC_BUCKET, project_bucket, slug, user_bucket

PUBLIC_OWNER = "the platform"


class PolicyStore(Protocol):
    """Where the S3 server keeps its policies by name."""

    def put_policy(self, name: str, document: dict[str, Any]) -> None:
        """Make the S3 policy ``name``, or replace it."""
        ...


@dataclass(frozen=True)
class Provisioner:
    """Makes what accounts have in the stores; it is logged in to each as the platform."""

    client: OpenBaoClient
    storage: Storage
    policies: PolicyStore | None
    """None: projects cannot be made here."""
    mlflow: MlflowUsers | None
    """None: there is no MLflow."""

    def ensure_user_bucket(self, name: str) -> None:
        """Make the bucket of the account ``name``, or check that it is theirs.

        Raises
        ------
        ConflictError
            If it was made for somebody else.
        """
        self.storage.ensure_bucket(user_bucket(name), name)

    def ensure_shared_buckets(self, groups: Iterable[str]) -> None:
        """Make the public bucket and those of the projects, with the policies of their members.

        Raises
        ------
        ConflictError
            If a project's bucket was made for another name.
        """
        self.storage.ensure_bucket(PUBLIC_BUCKET, PUBLIC_OWNER)
        for group in groups:
            bucket = project_bucket(group)
            self.storage.ensure_bucket(bucket, group)
            self._project_policy(f"{enrolment.PROJECT_PREFIX}{slug(group)}", bucket)

    def ensure_mlflow_user(self, entity: str) -> None:
        """Make the MLflow user of an account, and keep its password where only it can read it."""
        if self.mlflow is None:
            return
        path = enrolment.mlflow_path(entity)
        known = self.client.read(path)
        if known and known.get("data") and self.mlflow.exists(entity):
            return
        password = secrets.token_urlsafe(32)
        self.mlflow.set_password(entity, password)
        self.client.write(path, {"data": {"username": entity, "password": password}})

    def remove_mlflow_user(self, entity: str, *, purge: bool) -> None:
        """Delete the MLflow user, or only change its password to one that nobody knows."""
        enrolment.delete_secrets(self.client, f"platform/{entity}")
        if self.mlflow is None:
            return
        if purge:
            self.mlflow.delete(entity)
        elif self.mlflow.exists(entity):
            self.mlflow.set_password(entity, secrets.token_urlsafe(32))

    def _project_policy(self, name: str, bucket: str) -> None:
        policy = project_policy(bucket)
        mark = hashlib.sha256(json.dumps(policy).encode()).hexdigest()
        if enrolment.s3_policy_mark(self.client, name) == mark:
            return
        if self.policies is None:
            raise AutonoeError(
                "Projects need a way to set policies of the S3 server, which is not configured.",
                code="component_missing",
            )
        self.policies.put_policy(name, policy)
        enrolment.set_s3_policy_mark(self.client, name, mark)
