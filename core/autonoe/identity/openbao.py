"""The configuration of an OpenBao server that unseals and initialises itself.

The static seal key replaces unseal shares that nobody on a laptop would keep apart, and the
self-initialisation (OpenBao >= 2.4) never lets a root token leave the process. See
https://openbao.org/docs/configuration/self-init/.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from autonoe.identity.openbao_policies import PLATFORM, PLATFORM_POLICY
from autonoe.identity.openbao_requests import Request, common_requests, hcl, initialize_block

PLATFORM_ROLE_ID = "platform"
"""Role ID of the platform's AppRole; not a secret (the secret ID is)."""

PLATFORM_SECRET_ENV = "AUTONOE_OPENBAO_PLATFORM_SECRET_ID"  # noqa: S105  a name
"""Environment variable from which the first start of ``bao`` reads the platform's secret ID."""


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
api_addr     = {hcl(server.url)}
cluster_addr = {hcl(f"http://{server.host}:{server.cluster_port}")}

storage "raft" {{
  path    = {hcl(str(server.data_dir))}
  node_id = "embedded"
  # One node elects itself: the default of 5 is for clouds, and costs seconds at each start.
  performance_multiplier = 1
}}

listener "tcp" {{
  address         = {hcl(f"{server.host}:{server.port}")}
  cluster_address = {hcl(f"{server.host}:{server.cluster_port}")}
  tls_disable     = true
}}

seal "static" {{
  current_key_id = "embedded-1"
  current_key    = {hcl(f"file://{server.seal_key_file}")}
}}

{initialize_block(_initial_requests(server))}"""


def _initial_requests(server: OpenBaoServer) -> list[Request]:
    role = f"auth/approle/role/{PLATFORM}"
    return [
        Request("platform-policy", f"sys/policies/acl/{PLATFORM}", {"policy": PLATFORM_POLICY}),
        Request("approle", "sys/auth/approle", {"type": "approle"}),
        Request(
            "platform-role",
            role,
            {
                "token_policies": [PLATFORM],
                "token_no_default_policy": True,
                "token_ttl": "10m",
                "token_max_ttl": "1h",
            },
        ),
        Request("platform-role-id", f"{role}/role-id", {"role_id": PLATFORM_ROLE_ID}),
        Request(
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
        *common_requests(server.url),
    ]
