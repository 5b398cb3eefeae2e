"""Making, changing and removing accounts."""

from __future__ import annotations

import json
import os
import stat
from concurrent.futures import ThreadPoolExecutor

import pytest

from autonoe.embedded import generated
from autonoe.errors import ConflictError, InvalidInputError, NotFoundError
from autonoe.identity.mlflow_users import MlflowUsers
from autonoe.names import normalise_name, project_bucket, slug, user_bucket
from identity.people import Person, unique
from identity.stack import Stack

NAMES = [
    "a",
    "Ana María",
    "名前",
    "o'brien@stat.example",
    "-",
    "x" * 255,
    "../../etc",
    "a b",
    "ﬁsh",
]


@pytest.mark.parametrize("name", NAMES)
def test_any_name_gets_an_account_that_works(stack: Stack, name: str) -> None:
    account = stack.accounts().ensure(name)
    assert (account.name, account.slug) == (normalise_name(name), slug(name))
    someone = Person(stack, account)
    someone.s3().put_object(Bucket=someone.bucket, Key="x", Body=b"x")
    path = f"kv/data/users/{account.slug}/x"
    someone.chain.client(timeout_s=5).write(path, {"data": {"a": "b"}})


@pytest.mark.parametrize("name", ["", " ", "x" * 256, "a\nb", "a\0b", "\u202eevil"])
def test_other_names_are_refused_before_anything_is_made(stack: Stack, name: str) -> None:
    before = stack.accounts().list()
    with pytest.raises(InvalidInputError):
        stack.accounts().ensure(name)
    with pytest.raises(InvalidInputError):
        stack.accounts().ensure(unique("ana"), groups=[name])
    assert stack.accounts().list() == before


def test_spellings_of_one_name_are_one_account(stack: Stack) -> None:
    name = unique("Ève")
    assert stack.accounts().ensure(name) == stack.accounts().ensure(name.upper())


def test_making_it_again_changes_nothing(stack: Stack) -> None:
    name, groups = unique("ana"), [unique("prices"), unique("wages")]
    first = stack.accounts().ensure(name, groups=groups, mail="a@b.example")
    proof = stack.layout.proof(name).read_bytes()
    someone = Person(stack, first)
    someone.s3().put_object(Bucket=someone.bucket, Key="x", Body=b"kept")
    again = stack.accounts().ensure(name, groups=reversed(groups), mail="a@b.example")
    assert again == first == stack.accounts().get(name)
    assert stack.layout.proof(name).read_bytes() == proof
    assert someone.s3().get_object(Bucket=someone.bucket, Key="x")["Body"].read() == b"kept"


def test_many_at_once_all_become_members(stack: Stack) -> None:
    group = unique("class")
    names = [unique("pupil") for _ in range(8)]

    def make(name: str) -> None:
        stack.accounts().ensure(name, groups=[group])

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, names))
    for name in names:
        someone = Person(stack, stack.accounts().get(name))
        someone.s3().list_objects_v2(Bucket=project_bucket(group))


def test_secret_files_are_private_and_owned(stack: Stack) -> None:
    name = unique("ana")
    stack.accounts().ensure(name)
    layout = stack.layout
    assert stat.S_IMODE(layout.proof(name).stat().st_mode) == 0o600
    assert stat.S_IMODE(layout.home(name).stat().st_mode) == 0o700
    assert stat.S_IMODE((layout.account(name) / "account.json").stat().st_mode) == 0o640
    assert layout.proof(name).stat().st_uid == os.getuid()
    assert stat.S_IMODE((layout.root / "accounts" / ".lock").stat().st_mode) == 0o600


def test_an_account_of_another_uid_reads_its_record_and_changes_nothing(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    owners: dict[str, tuple[int, int]] = {}
    monkeypatch.setattr(os, "chown", lambda path, uid, gid: owners.update({path.name: (uid, gid)}))
    name = unique("ana")
    stack.accounts().ensure(name, uid=23_456, gid=23_457)
    assert owners == {
        slug(name): (23_456, 23_457),
        "proof.json": (23_456, 23_457),
        # Its group only: the platform believes what the record says.
        "account.json": (-1, 23_457),
    }
    record = stack.layout.account(name) / "account.json"
    assert stat.S_IMODE(record.stat().st_mode) & 0o022 == 0


def test_a_removed_account_keeps_its_data_for_its_name(stack: Stack) -> None:
    name = unique("ana")
    someone = Person(stack, stack.accounts().ensure(name))
    someone.s3().put_object(Bucket=someone.bucket, Key="x", Body=b"kept")
    someone.chain.client(timeout_s=5).write(
        f"kv/data/users/{someone.account.slug}/x", {"data": {"a": "b"}}
    )
    stack.accounts().remove(name)
    with pytest.raises(NotFoundError):
        stack.accounts().get(name)
    assert not stack.layout.proof(name).exists()
    back = Person(stack, stack.accounts().ensure(name))
    assert back.s3().get_object(Bucket=back.bucket, Key="x")["Body"].read() == b"kept"
    found = back.chain.client(timeout_s=5).read(f"kv/data/users/{back.account.slug}/x")
    assert found is not None
    assert found["data"] == {"a": "b"}


def test_a_purged_account_leaves_nothing(stack: Stack) -> None:
    name = unique("ana")
    someone = Person(stack, stack.accounts().ensure(name))
    for key in ("x", "folder/y"):
        someone.s3().put_object(Bucket=someone.bucket, Key=key, Body=b"x")
    bao = someone.chain.client(timeout_s=5)
    for path in ("x", "deep/er/y"):
        bao.write(f"kv/data/users/{someone.account.slug}/{path}", {"data": {"a": "b"}})
    stack.accounts().remove(name, purge=True)
    buckets = [bucket["Name"] for bucket in stack.storage().s3.list_buckets()["Buckets"]]
    assert someone.bucket not in buckets
    assert not stack.layout.home(name).exists()
    fresh = Person(stack, stack.accounts().ensure(name))
    assert fresh.chain.client(timeout_s=5).list(f"kv/metadata/users/{fresh.account.slug}") == []


def test_removing_nobody_is_said_so(stack: Stack) -> None:
    with pytest.raises(NotFoundError):
        stack.accounts().remove(unique("nobody"))


def test_a_bucket_of_another_name_is_not_taken_over(stack: Stack) -> None:
    name = unique("ana")
    stack.storage().ensure_bucket(user_bucket(name), "somebody else")
    with pytest.raises(ConflictError):
        stack.accounts().ensure(name)


def test_the_platforms_own_mlflow_name_is_taken(stack: Stack) -> None:
    admin = generated.read_document(stack.layout, generated.MLFLOW_ADMIN)
    with pytest.raises(ConflictError):
        MlflowUsers("http://127.0.0.1:9", admin).set_password(admin["username"], "x" * 20)


def test_no_secret_is_in_the_records(stack: Stack) -> None:
    name = unique("ana")
    stack.accounts().ensure(name)
    proof = json.loads(stack.layout.proof(name).read_text())
    record = (stack.layout.account(name) / "account.json").read_text()
    assert proof["secret_id"] not in record
    assert proof["secret_id"] not in repr(Person(stack, stack.accounts().get(name)).account)
