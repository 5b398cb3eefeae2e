"""An account as OpenBao knows it: an entity, an AppRole that logs it in, its groups.

The entity is named by the account's slug, and policies are templated on that name. The record of
whom a slug belongs to is the entity's metadata, which only the platform can write.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from autonoe.errors import AutonoeError, ConflictError
from autonoe.identity.client import OpenBaoClient
from autonoe.identity.openbao_policies import USER, USER_POLICY, project_policy
from autonoe.identity.openbao_requests import USERS_GROUP

OWNER = "autonoe-owner"
"""Metadata key of an entity or a group: the normalised name that it was made for."""

PROJECT_PREFIX = "project-"
_S3_POLICY = "autonoe-s3-policy"


def role_path(slug: str) -> str:
    """Return the path of the account's AppRole."""
    return f"auth/approle/role/user-{slug}"


def mlflow_path(entity: str) -> str:
    """Return where the MLflow login of an account is kept; only the account can read it."""
    return f"kv/data/platform/{entity}/mlflow"


def check_entity(client: OpenBaoClient, slug: str, owner: str) -> bool:
    """Tell whether the entity ``slug`` exists, after checking that it was made for ``owner``.

    Raises
    ------
    ConflictError
        If it was made for somebody else.
    """
    known = client.read(f"identity/entity/name/{slug}")
    if known is not None:
        _check_owner(known, owner, f"account {slug!r}")
    return known is not None


def ensure_entity(client: OpenBaoClient, slug: str, owner: str, mail: str) -> str:
    """Make the entity ``slug`` for ``owner``, or check that it is theirs, and return its ID.

    Raises
    ------
    ConflictError
        If the entity was made for somebody else.
    """
    path = f"identity/entity/name/{slug}"
    check_entity(client, slug, owner)
    client.write(path, {"metadata": {OWNER: owner, "mail": mail}})
    found = client.read(path)
    if found is None:
        raise AutonoeError(f"OpenBao did not keep the entity {slug!r}.", code="openbao_error")
    return str(found["id"])


def ensure_role(client: OpenBaoClient, slug: str, entity_id: str, *, token_ttl_s: int) -> None:
    """Make the AppRole of ``slug``, and bind it to the entity.

    The role ID is the role's name: it is no secret, and a lost alias can be bound again.
    """
    name = f"user-{slug}"
    client.write(f"sys/policies/acl/{USER}", {"policy": USER_POLICY})
    client.write(
        role_path(slug),
        {
            "token_policies": [USER],
            "token_no_default_policy": True,
            "token_ttl": f"{token_ttl_s}s",
            # Hard end: a token that leaked cannot be renewed for ever.
            "token_max_ttl": f"{2 * token_ttl_s}s",
            "secret_id_num_uses": 0,
            "secret_id_ttl": "0",
        },
    )
    client.write(f"{role_path(slug)}/role-id", {"role_id": name})
    ensure_alias(client, entity_id, mount="approle", name=name)


def ensure_alias(client: OpenBaoClient, entity_id: str, *, mount: str, name: str) -> None:
    """Have whoever logs in at ``mount`` as ``name`` be the entity.

    Raises
    ------
    AutonoeError
        If OpenBao has no such login.
    """
    found = (client.read("sys/auth") or {}).get(f"{mount}/")
    if found is None:
        raise AutonoeError(
            f"OpenBao has no login at {mount!r}.",
            hint="Its settings were not applied: see the installation guide.",
            code="openbao_error",
        )
    client.write(
        "identity/entity-alias",
        {"name": name, "canonical_id": entity_id, "mount_accessor": found["accessor"]},
    )


def new_secret_id(client: OpenBaoClient, slug: str) -> str:
    """Return a new secret ID of the account's AppRole; all earlier ones stop working."""
    path = role_path(slug)
    for accessor in client.list(f"{path}/secret-id"):
        client.write(f"{path}/secret-id-accessor/destroy", {"secret_id_accessor": accessor})
    return str(client.write(f"{path}/secret-id", {})["secret_id"])


def ensure_groups(client: OpenBaoClient, entity_id: str, projects: dict[str, str]) -> None:
    """Make the entity a member of ``users`` and of exactly these projects.

    Parameters
    ----------
    client : OpenBaoClient
        Logged in as the platform.
    entity_id : str
        The account's entity.
    projects : dict
        Slug of each project to its normalised name, which owns the slug.
    """
    for slug, owner in projects.items():
        name = f"{PROJECT_PREFIX}{slug}"
        known = client.read(f"identity/group/name/{name}")
        if known is None:
            client.write(f"sys/policies/acl/{name}", {"policy": project_policy(slug)})
            group = {"type": "internal", "policies": [name], "metadata": {OWNER: owner}}
            client.write(f"identity/group/name/{name}", group)
        else:
            _check_owner(known, owner, f"group {slug!r}")
    wanted = {USERS_GROUP, *(f"{PROJECT_PREFIX}{slug}" for slug in projects)}
    for name in client.list("identity/group/name"):
        if name == USERS_GROUP or name.startswith(PROJECT_PREFIX):
            _set_member(client, name, entity_id, member=name in wanted)


def s3_policy_mark(client: OpenBaoClient, group: str) -> str:
    """Return the mark of the S3 policy that the project was given last, or an empty string."""
    known = client.read(f"identity/group/name/{group}") or {}
    return str((known.get("metadata") or {}).get(_S3_POLICY, ""))


def set_s3_policy_mark(client: OpenBaoClient, group: str, mark: str) -> None:
    """Remember that the project has the S3 policy of this mark: setting it takes 0.3 s."""
    path = f"identity/group/name/{group}"
    known = (client.read(path) or {}).get("metadata") or {}
    client.write(path, {"metadata": {**known, _S3_POLICY: mark}})


def remove(client: OpenBaoClient, slug: str) -> None:
    """Remove the AppRole and the entity: its tokens stop working at once."""
    client.delete(role_path(slug))
    client.delete(f"identity/entity/name/{slug}")


def delete_secrets(client: OpenBaoClient, path: str) -> None:
    """Delete all secrets below ``path`` of the engine ``kv``, every version."""
    for key in client.list(f"kv/metadata/{path}"):
        if key.endswith("/"):
            delete_secrets(client, f"{path}/{key.rstrip('/')}")
        else:
            client.delete(f"kv/metadata/{path}/{key}")


def _set_member(client: OpenBaoClient, name: str, entity_id: str, *, member: bool) -> None:
    path = f"identity/group/name/{name}"
    group = client.read(path) or {}
    members: list[str] = list(group.get("member_entity_ids") or ())
    if (entity_id in members) == member:
        return
    changed: Iterable[str] = {*members, entity_id} if member else set(members) - {entity_id}
    client.write(path, {"member_entity_ids": sorted(changed)})


def _check_owner(known: dict[str, Any], owner: str, what: str) -> None:
    recorded = (known.get("metadata") or {}).get(OWNER)
    if recorded != owner:
        raise ConflictError(
            f"The {what} was made for another name.",
            hint="Choose another name, or remove that one first.",
        )
