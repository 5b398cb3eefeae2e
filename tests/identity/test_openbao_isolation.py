"""What a person's token may do in OpenBao: their own secrets, and nothing beside."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from autonoe.embedded import generated
from autonoe.errors import AutonoeError, ConflictError, ForbiddenError
from autonoe.identity import enrolment
from autonoe.identity.client import OpenBaoClient
from autonoe.names import slug
from identity.people import Person
from identity.stack import HTTP, Stack

VERBS = ("GET", "LIST", "POST", "PUT", "PATCH", "DELETE")


def _refused(bao: OpenBaoClient, method: str, path: str) -> bool:
    try:
        bao.call(method, path, {} if method in ("POST", "PUT", "PATCH") else None)
    except ForbiddenError:
        return True
    except AutonoeError as error:
        # Answered before the right was looked at, and nothing was done: no such method there.
        return "status 405" in error.message
    return False


def test_ones_own_secrets_have_all_their_verbs(person: Callable[..., Person]) -> None:
    bao = (ana := person()).chain.client(timeout_s=5)
    path = f"users/{ana.account.slug}/db"
    bao.write(f"kv/data/{path}", {"data": {"password": "1"}})
    bao.write(f"kv/data/{path}", {"data": {"password": "2"}})
    assert (bao.read(f"kv/data/{path}") or {})["data"] == {"password": "2"}
    assert (bao.read(f"kv/data/{path}?version=1") or {})["data"] == {"password": "1"}
    assert bao.list(f"kv/metadata/users/{ana.account.slug}") == ["db"]
    bao.write(f"kv/delete/{path}", {"versions": [2]})
    bao.write(f"kv/undelete/{path}", {"versions": [2]})
    bao.write(f"kv/destroy/{path}", {"versions": [1]})
    bao.delete(f"kv/metadata/{path}")
    assert bao.list(f"kv/metadata/users/{ana.account.slug}") == []


def test_anothers_secrets_have_none(person: Callable[..., Person]) -> None:
    ana, bob = person("ana"), person("bob")
    whose = bob.account.slug
    theirs = bob.chain.client(timeout_s=5)
    theirs.write(f"kv/data/users/{whose}/db", {"data": {"password": "secret"}})
    bao = ana.chain.client(timeout_s=5)
    paths = [
        f"kv/data/users/{whose}/db",
        f"kv/metadata/users/{whose}/db",
        f"kv/metadata/users/{whose}",
        f"kv/delete/users/{whose}/db",
        f"kv/undelete/users/{whose}/db",
        f"kv/destroy/users/{whose}/db",
        f"kv/subkeys/users/{whose}/db",
        f"kv/data/platform/{whose}/mlflow",
        f"kv/metadata/platform/{whose}/mlflow",
        "kv/metadata/users",
        "kv/metadata/platform",
        "kv/config",
    ]
    done = [(verb, path) for path in paths for verb in VERBS if not _refused(bao, verb, path)]
    assert done == []
    # A path that ends in a slash can only be listed.
    folders = (f"kv/metadata/users/{whose}/", "kv/metadata/users/", "kv/metadata/")
    assert all(_refused(bao, verb, path) for path in folders for verb in ("GET", "LIST"))
    assert (theirs.read(f"kv/data/users/{whose}/db") or {})["data"] == {"password": "secret"}


@pytest.mark.parametrize(
    "path",
    [
        "kv/data/users/{own}/../{other}/db",
        "kv/data/users/{own}/%2e%2e/{other}/db",
        "kv/data/users/{own}/..%2f{other}/db",
        "kv/data/users/{own}%2f..%2f{other}/db",
        "kv/data/users//{other}/db",
        "kv//data/users/{other}/db",
        "kv/data/users/{OTHER}/db",
        "kv/data/users/{own}x/db",
        "kv/data/users/+/db",
        "kv/data/users/*/db",
    ],
)
def test_no_spelling_of_the_path_reaches_anothers_secret(
    person: Callable[..., Person], path: str
) -> None:
    ana, bob = person("ana"), person("bob")
    whose = bob.account.slug
    bob.chain.client(timeout_s=5).write(f"kv/data/users/{whose}/db", {"data": {"p": "secret"}})
    spelled = path.format(own=ana.account.slug, other=whose, OTHER=whose.upper())
    answer = HTTP.urlopen(
        "GET",
        f"{ana.stack.openbao_url}/v1/{spelled}",
        headers={"X-Vault-Token": ana.chain.token()},
        redirect=False,
    )
    assert answer.status in (301, 307, 400, 403, 404)
    assert b"secret" not in answer.data


def test_a_slug_that_begins_another_opens_nothing(
    person: Callable[..., Person], stack: Stack
) -> None:
    long = person("ana")
    short = Person(stack, stack.accounts().ensure(long.account.name[:-1] + "x"))
    bao = short.chain.client(timeout_s=5)
    assert _refused(bao, "GET", f"kv/data/users/{long.account.slug}/db")


def test_system_paths_are_closed(person: Callable[..., Person]) -> None:
    ana = person()
    bao = ana.chain.client(timeout_s=5)
    own = f"user-{ana.account.slug}"
    paths = [
        "sys/auth", "sys/auth/evil", "sys/mounts", "sys/mounts/evil", "sys/policies/acl",
        "sys/policies/acl/user", "sys/policies/acl/platform", "sys/policy", "sys/audit",
        "sys/raw/core", "sys/seal", "sys/step-down", "sys/storage/raft/snapshot", "sys/rotate",
        "sys/config/cors", "sys/leases/lookup", "sys/remount", "sys/plugins/catalog",
        "sys/namespaces", "sys/wrapping/wrap", "sys/tools/random", "sys/internal/counters/activity",
        "auth/token/create", "auth/token/create-orphan", "auth/token/roles/x",
        "auth/token/accessors", "auth/token/revoke-self", "auth/token/lookup",
        "auth/approle/role", f"auth/approle/role/{own}", f"auth/approle/role/{own}/secret-id",
        "auth/approle/role/platform/secret-id", "identity/entity", "identity/entity/name",
        f"identity/entity/name/{ana.account.slug}", "identity/entity-alias", "identity/group",
        "identity/group/name/users", "identity/lookup/entity", "identity/oidc/role/s3",
        "identity/oidc/key/s3", "identity/oidc/config", "identity/oidc/token/other",
        "cubbyhole/x", "totp/keys",
    ]  # fmt: skip
    done = [(verb, path) for path in paths for verb in VERBS if not _refused(bao, verb, path)]
    assert done == []


def test_the_capabilities_are_exactly_these(person: Callable[..., Person], group: Any) -> None:
    """A golden list: whoever widens it has to change this test."""
    project = group("prices")
    ana = person(groups=[project])
    own, team = ana.account.slug, slug(project)
    everything = ["create", "delete", "patch", "read", "update"]
    expected = {
        f"kv/data/users/{own}/x": everything,
        f"kv/metadata/users/{own}/x": ["create", "delete", "list", "patch", "read", "update"],
        f"kv/data/projects/{team}/x": everything,
        f"kv/metadata/projects/{team}/x": ["delete", "list", "read"],
        f"kv/data/platform/{own}/mlflow": ["read"],
        "kv/data/shared/x": ["read"],
        "identity/oidc/token/s3": ["read"],
        "auth/token/create": ["deny"],
        "auth/token/create-orphan": ["deny"],
        "auth/token/revoke-self": ["deny"],
        "sys/policies/acl/user": ["deny"],
        "kv/data/users/other/x": ["deny"],
        "kv/data/projects/other/x": ["deny"],
        "kv/data/platform/other/mlflow": ["deny"],
    }
    bao = ana.chain.client(timeout_s=5)
    answer = bao.write("sys/capabilities-self", {"paths": sorted(expected)})
    assert {path: sorted(answer[path]) for path in expected} == expected


def test_a_token_has_an_end_and_only_its_policies(person: Callable[..., Person]) -> None:
    bao = (ana := person()).chain.client(timeout_s=5)
    token = bao.read("auth/token/lookup-self") or {}
    assert token["policies"] == ["user"]
    assert token["orphan"] is True
    assert 0 < token["ttl"] <= 3600
    assert token["explicit_max_ttl"] > 0 or token["creation_ttl"] <= 3600
    assert token["meta"]["role_name"] == f"user-{ana.account.slug}"


def test_projects_share_their_secrets_among_members(
    person: Callable[..., Person], group: Any
) -> None:
    project = group("prices")
    ana, bob = person("ana", groups=[project]), person("bob", groups=[project])
    path = f"kv/data/projects/{slug(project)}/db"
    ana.chain.client(timeout_s=5).write(path, {"data": {"host": "db"}})
    assert (bob.chain.client(timeout_s=5).read(path) or {})["data"] == {"host": "db"}
    eve = person("eve").chain.client(timeout_s=5)
    assert all(_refused(eve, verb, path) for verb in VERBS)


def test_the_shared_folder_can_only_be_read(person: Callable[..., Person]) -> None:
    bao = person().chain.client(timeout_s=5)
    for verb in ("POST", "PUT", "PATCH", "DELETE"):
        assert _refused(bao, verb, "kv/data/shared/x"), verb


def test_the_platform_reads_nobodys_secrets(person: Callable[..., Person]) -> None:
    ana = person()
    path = f"kv/data/users/{ana.account.slug}/db"
    ana.chain.client(timeout_s=5).write(path, {"data": {"p": "secret"}})
    bao = OpenBaoClient(ana.stack.openbao_url)
    bao.login_approle("platform", generated.read(ana.stack.layout, generated.PLATFORM_SECRET_ID))
    assert _refused(bao, "GET", path)
    assert _refused(bao, "POST", "sys/policies/acl/platform")
    assert _refused(bao, "POST", "auth/token/create")


def test_a_removed_account_is_locked_out_at_once(person: Callable[..., Person]) -> None:
    ana = person()
    bao = ana.chain.client(timeout_s=5)
    proof = ana.stack.layout.proof(ana.account.name).read_text()
    ana.stack.accounts().remove(ana.account.name)
    assert _refused(bao, "GET", "identity/oidc/token/s3")
    assert "secret_id" in proof
    with pytest.raises(AutonoeError):
        ana.chain.__class__(ana.stack.settings(ana.account)).token()


def test_a_replaced_proof_ends_the_old_one(person: Callable[..., Person]) -> None:
    ana = person()
    path = ana.stack.layout.proof(ana.account.name)
    old = json.loads(path.read_text())
    path.write_text("not a proof")
    ana.stack.accounts().ensure(ana.account.name)
    new = json.loads(path.read_text())
    assert new["secret_id"] != old["secret_id"]
    with pytest.raises(ForbiddenError):
        OpenBaoClient(ana.stack.openbao_url).login_approle(old["role_id"], old["secret_id"])
    OpenBaoClient(ana.stack.openbao_url).login_approle(new["role_id"], new["secret_id"])


def test_wrong_proofs_are_refused(person: Callable[..., Person]) -> None:
    ana, bob = person("ana"), person("bob")
    mine, his = (
        json.loads(each.stack.layout.proof(each.account.name).read_text()) for each in (ana, bob)
    )
    for role, secret in (
        (his["role_id"], mine["secret_id"]),
        ("platform", mine["secret_id"]),
        (mine["role_id"], ""),
        (mine["role_id"], "x"),
    ):
        with pytest.raises(ForbiddenError):
            OpenBaoClient(ana.stack.openbao_url).login_approle(role, secret)


def test_an_entity_of_another_name_is_not_taken_over(stack: Stack) -> None:
    bao = OpenBaoClient(stack.openbao_url)
    bao.login_approle("platform", generated.read(stack.layout, generated.PLATFORM_SECRET_ID))
    enrolment.ensure_entity(bao, "taken-slug", "first owner", "")
    with pytest.raises(ConflictError):
        enrolment.ensure_entity(bao, "taken-slug", "second owner", "")
