"""OpenBao or Vault on a cluster: who may log in from a pod, and with which rights.

Applied at OpenBao's first start (:func:`server_config`), or by an operator to a server that runs
(:func:`autonoe.identity.openbao_requests.apply_requests`), as Vault needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autonoe.identity.openbao_policies import (
    CONTROLLER,
    CONTROLLER_POLICY,
    OPERATOR,
    OPERATOR_POLICY,
    USER,
)
from autonoe.identity.openbao_requests import Request, common_requests, hcl, initialize_block

NOTEBOOK_ACCOUNT = "notebook"
WORKLOAD_ACCOUNT = "workload"
TENANT_ACCOUNTS = (NOTEBOOK_ACCOUNT, WORKLOAD_ACCOUNT)
"""Service accounts of a tenant namespace that log in as the tenant."""


def login_mount(mount: str, account: str) -> str:
    """Return the path below ``auth/`` where pods of a service account log in.

    An entity has one alias per mount, in OpenBao and in Vault, and a tenant's two accounts are one
    entity: each has a mount of its own.
    """
    return mount if account == NOTEBOOK_ACCOUNT else f"{mount}-{account}"


AUDIENCE = "openbao"
"""Audience of the pods' tokens. A token made for the API server has another, and is refused."""

_TENANT_TTL = "20m"
_SERVICE_TTL = "10m"


@dataclass(frozen=True)
class ClusterIdentity:
    """What OpenBao must know about the cluster. It holds no secret."""

    openbao_url: str
    """Address of OpenBao in the cluster, as pods and the S3 server reach it."""
    tenant_namespaces: tuple[str, ...] = ("u-*", "p-*")
    """Patterns of the namespaces that only the tenant controller makes."""
    controller_namespace: str = "autonoe-tenants"
    controller_account: str = "tenants"
    """Service account of the tenant controller."""
    platform_namespace: str = "autonoe-platform"
    operator_account: str = "operator"
    """Service account in the platform's namespace that stands for an administrator."""
    mount: str = "kubernetes"
    """Path of the login below ``auth/``; that of workloads has ``-workload`` behind it."""
    kubernetes_host: str = "https://kubernetes.default.svc"
    """API server that reviews tokens, as OpenBao reaches it. Inside a pod it uses the pod's own
    token and authority; elsewhere ``kubernetes_config`` must hold both."""
    kubernetes_config: Mapping[str, Any] = field(default_factory=dict, repr=False)
    """More of ``auth/kubernetes/config``, such as ``kubernetes_ca_cert``."""
    aws_tags: bool = False
    """Put the account's name into the identity tokens where AWS looks for it."""


def openbao_requests(identity: ClusterIdentity) -> list[Request]:
    """Return all settings of OpenBao that the platform relies on, in the order to make them.

    Parameters
    ----------
    identity : ClusterIdentity
        Names and addresses.
    """
    logins: list[Request] = []
    for account in TENANT_ACCOUNTS:
        mount = login_mount(identity.mount, account)
        logins += [
            Request(mount, f"sys/auth/{mount}", {"type": "kubernetes"}),
            Request(
                f"{mount}-config",
                f"auth/{mount}/config",
                {"kubernetes_host": identity.kubernetes_host, **identity.kubernetes_config},
            ),
            _role(
                mount,
                "tenant",
                account=account,
                namespaces=identity.tenant_namespaces,
                policy=USER,
                ttl=_TENANT_TTL,
            ),
        ]
    return [
        *common_requests(identity.openbao_url, aws_tags=identity.aws_tags),
        _policy(CONTROLLER, CONTROLLER_POLICY),
        _policy(OPERATOR, OPERATOR_POLICY),
        *logins,
        _role(
            identity.mount,
            CONTROLLER,
            account=identity.controller_account,
            namespaces=(identity.controller_namespace,),
            policy=CONTROLLER,
            ttl=_SERVICE_TTL,
        ),
        _role(
            identity.mount,
            OPERATOR,
            account=identity.operator_account,
            namespaces=(identity.platform_namespace,),
            policy=OPERATOR,
            ttl=_SERVICE_TTL,
        ),
    ]


def server_config(identity: ClusterIdentity, *, data_dir: str, seal_key_file: str) -> str:
    """Return the HCL file of OpenBao in a pod, which makes all settings at its first start.

    Parameters
    ----------
    identity : ClusterIdentity
        Names and addresses.
    data_dir, seal_key_file : str
        Paths in the pod; the key is 32 raw bytes.

    Returns
    -------
    str
        HCL. It holds no secret.
    """
    return f"""\
ui           = true
log_level    = "warn"
api_addr     = {hcl(identity.openbao_url)}
cluster_addr = "http://127.0.0.1:8201"

storage "raft" {{
  path    = {hcl(data_dir)}
  node_id = "platform"
  performance_multiplier = 1
}}

listener "tcp" {{
  address         = "[::]:8200"
  cluster_address = "127.0.0.1:8201"
  tls_disable     = true
}}

seal "static" {{
  current_key_id = "platform-1"
  current_key    = {hcl(f"file://{seal_key_file}")}
}}

{initialize_block(openbao_requests(identity))}"""


def _policy(name: str, text: str) -> Request:
    return Request(f"{name}-policy", f"sys/policies/acl/{name}", {"policy": text})


def _role(
    mount: str, name: str, *, account: str, namespaces: tuple[str, ...], policy: str, ttl: str
) -> Request:
    return Request(
        f"{mount}-role-{name}",
        f"auth/{mount}/role/{name}",
        {
            "bound_service_account_names": [account],
            "bound_service_account_namespaces": list(namespaces),
            "audience": AUDIENCE,
            # NAMESPACE/ACCOUNT: an account that is made anew is the same identity.
            "alias_name_source": "serviceaccount_name",
            "token_policies": [policy],
            "token_no_default_policy": True,
            "token_ttl": ttl,
            # No renewal: the next login asks the API server whether the pod is still there.
            "token_max_ttl": ttl,
        },
    )


@dataclass(frozen=True)
class LoginClient:
    """A client of OpenBao's own OIDC provider, such as the hub, when there is no other provider."""

    name: str
    redirect_uris: tuple[str, ...]
    id_token_ttl: str = "30m"  # noqa: S105  a duration


LOGIN_PROVIDER = "people"


def login_requests(client: LoginClient, *, issuer_base: str) -> list[Request]:
    """Return the settings with which people log in to ``client`` through OpenBao.

    The ID and the secret are then at ``identity/oidc/client/NAME``. The claims: ``username`` (the
    entity's name) and ``groups``.

    Parameters
    ----------
    client : LoginClient
        Who asks for logins.
    issuer_base : str
        Address of OpenBao as the browser and the client reach it.
    """
    user = '{"username": {{identity.entity.name}}, "email": {{identity.entity.metadata.mail}}}'
    groups = '{"groups": {{identity.entity.groups.names}}}'
    return [
        Request("login-key", "identity/oidc/key/login", {"algorithm": "RS256"} | _ANY_CLIENT),
        Request("scope-user", "identity/oidc/scope/user", {"template": user}),
        Request("scope-groups", "identity/oidc/scope/groups", {"template": groups}),
        Request(
            f"client-{client.name}",
            f"identity/oidc/client/{client.name}",
            {
                "key": "login",
                "redirect_uris": list(client.redirect_uris),
                "assignments": ["allow_all"],
                "id_token_ttl": client.id_token_ttl,
                "access_token_ttl": client.id_token_ttl,
                "client_type": "confidential",
            },
        ),
        Request(
            "provider",
            f"identity/oidc/provider/{LOGIN_PROVIDER}",
            {
                "issuer": issuer_base,
                "allowed_client_ids": ["*"],
                "scopes_supported": ["user", "groups"],
            },
        ),
    ]


_ANY_CLIENT = {"allowed_client_ids": ["*"]}
