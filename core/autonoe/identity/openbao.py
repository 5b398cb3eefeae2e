"""The configuration of an OpenBao server that unseals and initialises itself.

The static seal key replaces unseal shares that nobody on a laptop would keep apart, and the
self-initialisation (OpenBao >= 2.4) never lets a root token leave the process. See
https://openbao.org/docs/configuration/self-init/.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autonoe.identity.openbao_policies import PLATFORM, PLATFORM_POLICY, USER, USER_POLICY

PLATFORM_ROLE_ID = "platform"
"""Role ID of the platform's AppRole; not a secret (the secret ID is)."""

PLATFORM_SECRET_ENV = "AUTONOE_OPENBAO_PLATFORM_SECRET_ID"  # noqa: S105  a name
"""Environment variable from which the first start of ``bao`` reads the platform's secret ID."""

S3_AUDIENCE = "seaweedfs-s3"
"""The audience of identity tokens: the only one that the S3 server's STS accepts."""

USERS_GROUP = "users"
"""The group of every account; its name selects the S3 policy of the person's own bucket."""

ACCOUNT_GROUP_CLAIM = "groups"

_JWT_TTL = "5m"
# The signing keys outlive any token signed with them; SeaweedFS keeps the key set cached.
_KEY_ROTATION = "24h"

_TEMPLATE = (
    '{"preferred_username": {{identity.entity.name}}, "groups": {{identity.entity.groups.names}}}'
)


@dataclass(frozen=True)
class OpenBaoServer:
    """Where one OpenBao server listens and keeps its data; ports are chosen by the caller."""

    data_dir: Path
    seal_key_file: Path
    """32 raw bytes, mode 0600."""
    port: int
    cluster_port: int
    host: str = "127.0.0.1"

    @property
    def url(self) -> str:
        """Address of the API, without a trailing slash."""
        return f"http://{self.host}:{self.port}"

    @property
    def issuer(self) -> str:
        """Issuer of the identity tokens, as SeaweedFS must be told."""
        return f"{self.url}/v1/identity/oidc"


def server_config(server: OpenBaoServer) -> str:
    """Return the HCL file of ``bao server -config=FILE``.

    The first start needs the environment variable :data:`PLATFORM_SECRET_ENV` (the secret ID of
    the platform's AppRole, at least 32 random characters); later starts ignore it. The data
    folder must exist, mode 0700.

    Parameters
    ----------
    server : OpenBaoServer
        Addresses and files. Paths are absolute.

    Returns
    -------
    str
        HCL. It holds no secret.
    """
    return f"""\
ui           = true
log_level    = "warn"
api_addr     = {_hcl(server.url)}
cluster_addr = {_hcl(f"http://{server.host}:{server.cluster_port}")}

storage "raft" {{
  path    = {_hcl(str(server.data_dir))}
  node_id = "embedded"
  # One node elects itself: the default of 5 is for clouds, and costs seconds at each start.
  performance_multiplier = 1
}}

listener "tcp" {{
  address         = {_hcl(f"{server.host}:{server.port}")}
  cluster_address = {_hcl(f"{server.host}:{server.cluster_port}")}
  tls_disable     = true
}}

seal "static" {{
  current_key_id = "embedded-1"
  current_key    = {_hcl(f"file://{server.seal_key_file}")}
}}

initialize "platform" {{
{"".join(_request(name, path, data) for name, path, data in _initial_requests(server))}}}
"""


def _initial_requests(server: OpenBaoServer) -> list[tuple[str, str, dict[str, Any]]]:
    role = f"auth/approle/role/{PLATFORM}"
    return [
        ("platform-policy", f"sys/policies/acl/{PLATFORM}", {"policy": PLATFORM_POLICY}),
        ("user-policy", f"sys/policies/acl/{USER}", {"policy": USER_POLICY}),
        ("kv", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}),
        ("approle", "sys/auth/approle", {"type": "approle"}),
        (
            "platform-role",
            role,
            {
                "token_policies": [PLATFORM],
                "token_no_default_policy": True,
                "token_ttl": "10m",
                "token_max_ttl": "1h",
            },
        ),
        ("platform-role-id", f"{role}/role-id", {"role_id": PLATFORM_ROLE_ID}),
        (
            "platform-secret-id",
            f"{role}/custom-secret-id",
            {
                "secret_id": {
                    "eval_source": "env",
                    "eval_type": "string",
                    "env_var": PLATFORM_SECRET_ENV,
                    "require_present": True,
                }
            },
        ),
        ("users-group", "identity/group", {"name": USERS_GROUP, "type": "internal"}),
        ("oidc-issuer", "identity/oidc/config", {"issuer": server.url}),
        (
            "oidc-key",
            "identity/oidc/key/s3",
            {
                "algorithm": "RS256",
                "rotation_period": _KEY_ROTATION,
                "verification_ttl": _KEY_ROTATION,
                "allowed_client_ids": [S3_AUDIENCE],
            },
        ),
        (
            "oidc-role",
            "identity/oidc/role/s3",
            {"key": "s3", "client_id": S3_AUDIENCE, "ttl": _JWT_TTL, "template": _TEMPLATE},
        ),
    ]


def _request(name: str, path: str, data: dict[str, Any]) -> str:
    return (
        f"  request {_hcl(name)} {{\n"
        f'    operation = "update"\n'
        f"    path      = {_hcl(path)}\n"
        f"    data      = {_hcl(data)}\n"
        "  }\n"
    )


def _hcl(value: Any) -> str:
    """Return ``value`` as HCL; JSON is HCL for strings, numbers, booleans and lists."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{_hcl(k)} = {_hcl(v)}" for k, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
