"""What a token of OpenBao may do: one policy for the platform, one for people, one per project.

Whatever is not listed is refused. Tokens are made without OpenBao's ``default`` policy, so that a
kernel can neither revoke the token that its server shares nor open a cubbyhole.
"""

from __future__ import annotations

import json

PLATFORM = "platform"
USER = "user"
CONTROLLER = "tenants-controller"
"""The cluster's tenant controller: what the platform is on one machine, without AppRoles."""
OPERATOR = "operator"
"""Whoever administers OpenBao itself, by a login that exists only while they work."""

OPERATOR_SECRETS = "operator"
"""Folder of ``kv`` with the services' own keys, which the controller needs to make accounts."""

_ALL = "create read update delete"
_OWN = "{{identity.entity.name}}"

# The platform makes and removes accounts: it is the root of trust, yet reads no person's secret.
_PLATFORM_PATHS = {
    "sys/auth": "read",
    "auth/approle/role/user-*": f"{_ALL} list",
    "auth/token/lookup-self": "read",
    "auth/token/revoke-self": "update",
    "auth/token/revoke-accessor": "update",
    "identity/entity": "create update",
    "identity/entity/id/*": "read update delete",
    "identity/entity/name": "list",
    "identity/entity/name/*": _ALL,
    "identity/entity-alias": "create update",
    "identity/entity-alias/id/*": "read update delete",
    "identity/group": "create update",
    "identity/group/id/*": "read update delete",
    "identity/group/name": "list",
    "identity/group/name/*": _ALL,
    "identity/lookup/*": "update",
    "sys/policies/acl/user": "create read update",
    "sys/policies/acl/project-*": _ALL,
    "kv/data/platform/*": "create read update",
    "kv/metadata/platform/*": "list read delete",
    "kv/data/shared/*": _ALL,
    "kv/metadata/shared/*": "list read update delete",
    # Enough to remove what a removed account leaves: names and deletion, never a value.
    "kv/metadata/users/*": "list delete",
}

_USER_PATHS = {
    f"kv/data/users/{_OWN}/*": f"{_ALL} patch",
    f"kv/delete/users/{_OWN}/*": "update",
    f"kv/undelete/users/{_OWN}/*": "update",
    f"kv/destroy/users/{_OWN}/*": "update",
    f"kv/metadata/users/{_OWN}": "list",
    f"kv/metadata/users/{_OWN}/*": f"{_ALL} patch list",
    f"kv/data/platform/{_OWN}/*": "read",
    "kv/data/shared/*": "read",
    "kv/metadata/shared": "list",
    "kv/metadata/shared/*": "list read",
    "identity/oidc/token/s3": "read",
    "auth/token/lookup-self": "read",
    "auth/token/renew-self": "update",
    "sys/capabilities-self": "update",
    # `bao kv` asks which version of the engine it talks to.
    "sys/internal/ui/mounts/kv/*": "read",
}


_CONTROLLER_PATHS = {
    path: capabilities
    for path, capabilities in _PLATFORM_PATHS.items()
    if not path.startswith(("auth/approle/", "sys/policies/acl/user"))
} | {f"kv/data/{OPERATOR_SECRETS}/*": "read"}


def _policy(paths: dict[str, str]) -> str:
    return "".join(
        f'path "{path}" {{ capabilities = {json.dumps(capabilities.split())} }}\n'
        for path, capabilities in paths.items()
    )


PLATFORM_POLICY = _policy(_PLATFORM_PATHS)
USER_POLICY = _policy(_USER_PATHS)
CONTROLLER_POLICY = _policy(_CONTROLLER_PATHS)
OPERATOR_POLICY = _policy({"*": f"{_ALL} list patch sudo"})


def project_policy(project_slug: str) -> str:
    """Return the policy that gives the members of a project its secrets.

    Parameters
    ----------
    project_slug : str
        The slug of the group, ``[a-z0-9-]``: nothing else may reach a policy's text.
    """
    return _policy(
        {
            f"kv/data/projects/{project_slug}/*": f"{_ALL} patch",
            f"kv/metadata/projects/{project_slug}": "list",
            f"kv/metadata/projects/{project_slug}/*": "list read delete",
        }
    )
