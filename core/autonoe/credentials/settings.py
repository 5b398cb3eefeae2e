"""What a server of one account is told about the platform: addresses and a proof file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from autonoe.account_records import Account, find_account
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.identity.seaweedfs import CLAIM_ROLE_ARN
from autonoe.names import AccountKind, account_bucket, account_entity, account_secrets, slug


class AgentSettings(BaseSettings):
    """Settings of the credential agent, from ``AUTONOE_*`` variables. They hold no secret."""

    model_config = SettingsConfigDict(env_prefix="AUTONOE_", frozen=True, extra="ignore")

    account: str
    """Name of the account."""
    account_kind: AccountKind = "user"
    """``project`` in the namespace of a project, whose pods act in its own name."""
    account_mail: str = ""
    """Address for the Git identity; empty: ``SLUG@localhost``."""
    groups: tuple[str, ...] = ()
    """Projects that the account is a member of, as a JSON list."""
    proof_file: Path
    """File that proves the identity to OpenBao: only its owner reads it."""
    proof_kind: Literal["file", "kubernetes"] = "file"
    """``file``: the file says itself what it is (an AppRole). ``kubernetes``: it is the projected
    token of a pod's service account, which the kubelet replaces before it ends."""
    openbao_url: str
    """Address of the secrets store."""
    openbao_role: str = "tenant"
    """Role of OpenBao's kubernetes login; only for the proof ``kubernetes``."""
    openbao_mount: str = "kubernetes"
    """Path of OpenBao's kubernetes login below ``auth/``; that of workloads, beside a sidecar, has
    ``-workload`` behind it."""
    s3_url: str
    """Address of the object store."""
    s3_region: str = "us-east-1"
    """Region that requests to the object store are signed for."""
    s3_addressing: Literal["path", "virtual"] = "path"
    """Where a bucket's name stands: in the path, or before the host's name, as AWS wants it."""
    s3_keys: bool = True
    """Whether keys for the object store are handed out; a profile or a person can turn it off."""
    sts_url: str = ""
    """Address that makes S3 sessions; empty: that of the object store."""
    sts_role_arn: str = CLAIM_ROLE_ARN
    """Role of the S3 sessions. SeaweedFS: the default. AWS: the role that trusts OpenBao's issuer.
    MinIO: empty, for policies from the token's claim."""
    mlflow_url: str = ""
    """Address of the tracking server; empty: there is none."""
    control_socket: Path | None = None
    """Socket of the platform's supervisor; None outside the embedded platform."""
    session_ttl_s: int = Field(3600, ge=1, le=43_200)
    """Lifetime of the S3 keys handed out, in seconds. The S3 server itself grants 900 at least;
    with less, the keys are replaced earlier than they end."""
    renew_margin_s: int = Field(1200, ge=0)
    """Keys are replaced when they have less time left than this, in seconds. boto3 fetches keys
    for each request once they have under 900 s left, so the margin is above that."""
    agent_port: int = Field(0, ge=0, le=65_535)
    """Port of the agent on loopback; 0: a free one. A pod has a loopback of its own, so that there
    it can be the same everywhere."""
    agent_dir: Path | None = None
    """Folder of the agent's pass and configuration files; None: Jupyter's runtime folder. A pod
    says one outside the home, since a server must start with a full disk too."""

    @model_validator(mode="after")
    def _margin_within_ttl(self) -> AgentSettings:
        if self.renew_margin_s >= self.session_ttl_s:
            raise ValueError("renew_margin_s must be below session_ttl_s")
        return self

    @classmethod
    def for_account(cls, layout: Layout, name: str) -> AgentSettings:
        """Return the settings for the account ``name`` of the platform in this data folder.

        Raises
        ------
        NotFoundError
            If there is no such platform, or no such account.
        """
        return cls.of(layout, find_account(layout, name))

    @classmethod
    def of(cls, layout: Layout, account: Account) -> AgentSettings:
        """Return the settings for an account at hand, whether or not it is recorded yet.

        A first start with the object store down has not written the record.

        Raises
        ------
        NotFoundError
            If there is no such platform.
        """
        platform = PlatformFile.load(layout)
        return cls(
            account=account.name,
            account_mail=account.mail,
            groups=account.groups,
            proof_file=layout.proof(account.name),
            openbao_url=platform.openbao_url,
            s3_url=platform.s3_url,
            mlflow_url=platform.mlflow_url,
            control_socket=layout.control_socket,
        )

    @property
    def slug(self) -> str:
        """The account's name as it appears in paths and buckets."""
        return slug(self.account)

    @property
    def entity(self) -> str:
        """The account's name in OpenBao and MLflow; for a person it is the slug."""
        return account_entity(self.account, self.account_kind)

    @property
    def bucket(self) -> str:
        """The account's own bucket."""
        return account_bucket(self.account, self.account_kind)

    @property
    def secrets_path(self) -> str:
        """The account's path below the secrets engine ``kv``."""
        return account_secrets(self.account, self.account_kind)

    def environment(self) -> dict[str, str]:
        """Return these settings as the variables that :class:`AgentSettings` reads."""
        document = self.model_dump(mode="json", exclude_none=True)
        document["groups"] = json.dumps(self.groups, ensure_ascii=False)
        return {f"AUTONOE_{name.upper()}": str(value) for name, value in document.items()}
