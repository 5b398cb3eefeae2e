"""Settings of OpenBao as requests: applied by itself at its first start, or by an operator later.

HashiCorp Vault takes the same requests; it lacks the first start that makes them without a token.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from autonoe.errors import AutonoeError
from autonoe.identity.client import OpenBaoClient
from autonoe.identity.openbao_policies import USER, USER_POLICY

S3_AUDIENCE = "seaweedfs-s3"
"""The audience of identity tokens: the only one that the S3 server's STS accepts."""

USERS_GROUP = "users"
"""The group of every account; its name selects the S3 policy of the person's own bucket."""

ACCOUNT_GROUP_CLAIM = "groups"

_JWT_TTL = "5m"
# The signing keys outlive any token signed with them; SeaweedFS keeps the key set cached.
_KEY_ROTATION = "24h"

_CLAIMS = (
    '"preferred_username": {{identity.entity.name}}, "groups": {{identity.entity.groups.names}}'
)
# AWS takes session tags from this claim only, and its policies know no other claim of the token.
_AWS_TAGS = (
    '"https://aws.amazon.com/tags": {"principal_tags": '
    '{"preferred_username": [{{identity.entity.name}}] } }'  # two braces at once end a field
)


@dataclass(frozen=True)
class Request:
    """One write. ``name`` is ``[a-z0-9-]``, and unique among those that are applied together."""

    name: str
    path: str
    data: dict[str, Any] = field(repr=False)


def common_requests(issuer_base: str, *, aws_tags: bool = False) -> list[Request]:
    """Return what every platform has: secrets, people's policy, identity tokens for S3.

    Parameters
    ----------
    issuer_base : str
        Address of OpenBao as the S3 server reaches it; the tokens' issuer begins with it.
    aws_tags : bool, optional
        Put the account's name where AWS looks for it too.
    """
    claims = f"{_CLAIMS}, {_AWS_TAGS}" if aws_tags else _CLAIMS
    template = f"{{ {claims} }}"
    return [
        Request("user-policy", f"sys/policies/acl/{USER}", {"policy": USER_POLICY}),
        Request("kv", "sys/mounts/kv", {"type": "kv", "options": {"version": "2"}}),
        Request("users-group", "identity/group", {"name": USERS_GROUP, "type": "internal"}),
        Request("oidc-issuer", "identity/oidc/config", {"issuer": issuer_base}),
        Request(
            "oidc-key",
            "identity/oidc/key/s3",
            {
                "algorithm": "RS256",
                "rotation_period": _KEY_ROTATION,
                "verification_ttl": _KEY_ROTATION,
                "allowed_client_ids": [S3_AUDIENCE],
            },
        ),
        Request(
            "oidc-role",
            "identity/oidc/role/s3",
            {"key": "s3", "client_id": S3_AUDIENCE, "ttl": _JWT_TTL, "template": template},
        ),
    ]


def initialize_block(requests: Iterable[Request]) -> str:
    """Return the HCL with which OpenBao (2.4 or later) makes ``requests`` at its first start."""
    return f'initialize "platform" {{\n{"".join(_block(request) for request in requests)}}}\n'


def apply_requests(client: OpenBaoClient, requests: Iterable[Request]) -> None:
    """Make ``requests`` against a server that runs; those that are in place change nothing.

    Raises
    ------
    ForbiddenError
        If the client's token has too few rights.
    AutonoeError
        If the server refuses one.
    """
    for request in requests:
        if request.path.startswith(("sys/mounts/", "sys/auth/")) and _is_mounted(client, request):
            continue
        if request.path.startswith("identity/group"):
            # By name: a write without it would make a second group.
            name = request.data["name"]
            client.write(f"identity/group/name/{name}", request.data)
            continue
        client.write(request.path, request.data)


def _is_mounted(client: OpenBaoClient, request: Request) -> bool:
    table, _, path = request.path.removeprefix("sys/").partition("/")
    found = (client.read(f"sys/{table}") or {}).get(f"{path}/")
    if found is None:
        return False
    if found["type"] != request.data["type"]:
        raise AutonoeError(
            f"OpenBao has something else at {path!r}: {found['type']}, not {request.data['type']}.",
            hint="Choose another path in the settings, or move what is there.",
            code="openbao_error",
        )
    return True


def _block(request: Request) -> str:
    return (
        f"  request {hcl(request.name)} {{\n"
        f'    operation = "update"\n'
        f"    path      = {hcl(request.path)}\n"
        f"    data      = {hcl(request.data)}\n"
        "  }\n"
    )


def hcl(value: Any) -> str:
    """Return ``value`` as HCL; JSON is HCL for strings, numbers, booleans and lists."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{hcl(k)} = {hcl(v)}" for k, v in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
