"""What a person can do to another's objects: nothing, by any verb."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
import urllib3
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from autonoe.embedded import generated
from autonoe.identity.sts import S3Session
from autonoe.names import PUBLIC_BUCKET, project_bucket
from identity.people import Person
from identity.stack import client

KEY = "folder/secret.csv"
MLFLOW_KEY = "the key of the service mlflow"
REFUSED = {"AccessDenied", "403", "MethodNotAllowed", "InvalidAccessKeyId"}

_ACL = {"Grants": [], "Owner": {"ID": "x"}}
_CORS = {"CORSRules": [{"AllowedMethods": ["GET"], "AllowedOrigins": ["*"]}]}
_POLICY = '{"Version":"2012-10-17","Statement":[]}'

READS: dict[str, Callable[[Any, str], Any]] = {
    "get": lambda s3, b: s3.get_object(Bucket=b, Key=KEY),
    "get a range": lambda s3, b: s3.get_object(Bucket=b, Key=KEY, Range="bytes=0-1"),
    "get a version": lambda s3, b: s3.get_object(Bucket=b, Key=KEY, VersionId="null"),
    "head": lambda s3, b: s3.head_object(Bucket=b, Key=KEY),
    "attributes": lambda s3, b: s3.get_object_attributes(
        Bucket=b, Key=KEY, ObjectAttributes=["ETag"]
    ),
    "tags": lambda s3, b: s3.get_object_tagging(Bucket=b, Key=KEY),
    "acl": lambda s3, b: s3.get_object_acl(Bucket=b, Key=KEY),
    "retention": lambda s3, b: s3.get_object_retention(Bucket=b, Key=KEY),
    "head bucket": lambda s3, b: s3.head_bucket(Bucket=b),
    "list": lambda s3, b: s3.list_objects(Bucket=b),
    "list v2": lambda s3, b: s3.list_objects_v2(Bucket=b),
    "list a prefix": lambda s3, b: s3.list_objects_v2(Bucket=b, Prefix="folder/"),
    "list versions": lambda s3, b: s3.list_object_versions(Bucket=b),
    "list uploads": lambda s3, b: s3.list_multipart_uploads(Bucket=b),
    "bucket acl": lambda s3, b: s3.get_bucket_acl(Bucket=b),
    "bucket policy": lambda s3, b: s3.get_bucket_policy(Bucket=b),
    "bucket tags": lambda s3, b: s3.get_bucket_tagging(Bucket=b),
    "bucket versioning": lambda s3, b: s3.get_bucket_versioning(Bucket=b),
    "bucket location": lambda s3, b: s3.get_bucket_location(Bucket=b),
    "bucket cors": lambda s3, b: s3.get_bucket_cors(Bucket=b),
    "bucket lifecycle": lambda s3, b: s3.get_bucket_lifecycle_configuration(Bucket=b),
    "bucket encryption": lambda s3, b: s3.get_bucket_encryption(Bucket=b),
}
WRITES: dict[str, Callable[[Any, str], Any]] = {
    "put": lambda s3, b: s3.put_object(Bucket=b, Key="new", Body=b"x"),
    "overwrite": lambda s3, b: s3.put_object(Bucket=b, Key=KEY, Body=b"x"),
    "delete": lambda s3, b: s3.delete_object(Bucket=b, Key=KEY),
    "delete a version": lambda s3, b: s3.delete_object(Bucket=b, Key=KEY, VersionId="null"),
    "start an upload": lambda s3, b: s3.create_multipart_upload(Bucket=b, Key="new"),
    "upload a part": lambda s3, b: s3.upload_part(
        Bucket=b, Key=KEY, UploadId="0" * 32, PartNumber=1, Body=b"x"
    ),
    "end an upload": lambda s3, b: s3.complete_multipart_upload(
        Bucket=b, Key=KEY, UploadId="0" * 32, MultipartUpload={"Parts": []}
    ),
    "abort an upload": lambda s3, b: s3.abort_multipart_upload(
        Bucket=b, Key=KEY, UploadId="0" * 32
    ),
    "tag": lambda s3, b: s3.put_object_tagging(Bucket=b, Key=KEY, Tagging={"TagSet": []}),
    "untag": lambda s3, b: s3.delete_object_tagging(Bucket=b, Key=KEY),
    "acl": lambda s3, b: s3.put_object_acl(Bucket=b, Key=KEY, ACL="public-read"),
    "retention": lambda s3, b: s3.put_object_retention(
        Bucket=b, Key=KEY, Retention={"Mode": "GOVERNANCE"}
    ),
    "bucket acl": lambda s3, b: s3.put_bucket_acl(Bucket=b, AccessControlPolicy=_ACL),
    "bucket policy": lambda s3, b: s3.put_bucket_policy(Bucket=b, Policy=_POLICY),
    "delete bucket policy": lambda s3, b: s3.delete_bucket_policy(Bucket=b),
    "bucket tags": lambda s3, b: s3.put_bucket_tagging(Bucket=b, Tagging={"TagSet": []}),
    "bucket versioning": lambda s3, b: s3.put_bucket_versioning(
        Bucket=b, VersioningConfiguration={"Status": "Suspended"}
    ),
    "bucket cors": lambda s3, b: s3.put_bucket_cors(
        Bucket=b, CORSConfiguration=_CORS
    ),
    "bucket ownership": lambda s3, b: s3.put_bucket_ownership_controls(
        Bucket=b, OwnershipControls={"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    ),
    "bucket lifecycle": lambda s3, b: s3.put_bucket_lifecycle_configuration(
        Bucket=b,
        LifecycleConfiguration={
            "Rules": [{"Status": "Enabled", "Prefix": "", "Expiration": {"Days": 1}}]
        },
    ),
    "delete the bucket": lambda s3, b: s3.delete_bucket(Bucket=b),
    "make the bucket": lambda s3, b: s3.create_bucket(Bucket=b),
}  # fmt: skip


def _code(action: Callable[[], Any]) -> str:
    try:
        action()
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


def _intact(owner: Person) -> None:
    s3 = owner.s3()
    assert s3.get_object(Bucket=owner.bucket, Key=KEY)["Body"].read() == b"a,b\n"
    assert [entry["Key"] for entry in s3.list_objects_v2(Bucket=owner.bucket)["Contents"]] == [KEY]


@pytest.fixture
def two(person: Callable[..., Person]) -> tuple[Person, Person]:
    ana, bob = person("ana"), person("bob")
    bob.s3().put_object(Bucket=bob.bucket, Key=KEY, Body=b"a,b\n")
    return ana, bob


def test_each_operation_on_anothers_bucket_is_refused(two: tuple[Person, Person]) -> None:
    ana, bob = two
    s3 = ana.s3()
    answers = {
        f"{kind} {name}": _code(lambda act=act: act(s3, bob.bucket))
        for kind, actions in (("read", READS), ("write", WRITES))
        for name, act in actions.items()
    }
    # A bucket that exists may say so to whoever tries to make it; nothing else is told.
    allowed = {"write make the bucket": {"BucketAlreadyExists"}}
    wrong = {
        name: code
        for name, code in answers.items()
        if code not in REFUSED | allowed.get(name, set())
    }
    assert wrong == {}
    _intact(bob)


def test_the_same_operations_work_on_ones_own_bucket(two: tuple[Person, Person]) -> None:
    """The control: what is refused above is refused for its owner, not for its form."""
    _, bob = two
    s3 = bob.s3()
    for name in ("get", "get a range", "head", "tags", "list", "list v2", "list versions"):
        assert _code(lambda name=name: READS[name](s3, bob.bucket)) == "done", name
    for name in ("put", "overwrite", "tag", "untag", "delete", "start an upload"):
        assert _code(lambda name=name: WRITES[name](s3, bob.bucket)) == "done", name


def test_an_owner_cannot_open_the_bucket_to_others(two: tuple[Person, Person]) -> None:
    _, bob = two
    s3 = bob.s3()
    for name in ("acl", "bucket acl", "bucket policy", "bucket cors", "bucket ownership",
                 "bucket tags", "delete the bucket"):  # fmt: skip
        assert _code(lambda name=name: WRITES[name](s3, bob.bucket)) in REFUSED, name


def test_batch_delete_removes_nothing_of_another(two: tuple[Person, Person]) -> None:
    ana, bob = two
    answer: dict[str, Any] = {}

    def delete() -> None:
        answer.update(
            ana.s3().delete_objects(Bucket=bob.bucket, Delete={"Objects": [{"Key": KEY}]})
        )

    assert _code(delete) in REFUSED | {"done"}
    assert not answer.get("Deleted")
    _intact(bob)


def test_copying_from_another_is_refused(two: tuple[Person, Person]) -> None:
    ana, bob = two
    s3, source = ana.s3(), f"{bob.bucket}/{KEY}"
    copy = _code(lambda: s3.copy_object(Bucket=ana.bucket, Key="stolen", CopySource=source))
    upload = s3.create_multipart_upload(Bucket=ana.bucket, Key="stolen")["UploadId"]
    part = _code(
        lambda: s3.upload_part_copy(
            Bucket=ana.bucket, Key="stolen", UploadId=upload, PartNumber=1, CopySource=source
        )
    )
    assert {copy, part} <= REFUSED
    assert "Contents" not in s3.list_objects_v2(Bucket=ana.bucket)


def test_copying_to_another_is_refused(two: tuple[Person, Person]) -> None:
    ana, bob = two
    s3 = ana.s3()
    s3.put_object(Bucket=ana.bucket, Key="mine", Body=b"x")
    source = f"{ana.bucket}/mine"
    assert _code(lambda: s3.copy_object(Bucket=bob.bucket, Key=KEY, CopySource=source)) in REFUSED
    _intact(bob)


@pytest.mark.parametrize("operation", ["get_object", "put_object", "delete_object"])
def test_a_presigned_address_gives_no_more_than_its_signer_has(
    two: tuple[Person, Person], operation: str
) -> None:
    ana, bob = two
    parameters = {"Bucket": bob.bucket, "Key": KEY}
    method = {"get_object": "GET", "put_object": "PUT", "delete_object": "DELETE"}[operation]
    http = urllib3.PoolManager(retries=False)
    url = ana.s3().generate_presigned_url(operation, Params=parameters)
    assert http.request(method, url).status == 403
    _intact(bob)
    if operation == "get_object":
        own = bob.s3().generate_presigned_url(operation, Params=parameters)
        assert http.request(method, own).data == b"a,b\n"


CLIMBS = [
    "/{own}/../{other}/{key}",
    "/{own}/%2e%2e/{other}/{key}",
    "/{own}/..%2f{other}/{key}",
    "/{own}//../{other}/{key}",
    "/{own}%2f..%2f{other}/{key}",
    "/{own}/x/../../{other}/{key}",
    "//{other}/{key}",
    "/{own}/..\\{other}\\{key}",
]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_a_signed_path_cannot_climb_out_of_the_bucket(
    two: tuple[Person, Person], method: str
) -> None:
    ana, bob = two
    session = ana.session()
    keys = Credentials(session.access_key, session.secret_key, session.token)
    host, port = ana.stack.s3_url.removeprefix("http://").split(":")
    # urllib3 would tidy an address up; its pool sends the path as it is.
    pool = urllib3.HTTPConnectionPool(host, int(port), retries=False, timeout=20)
    for climb in CLIMBS:
        path = climb.format(own=ana.bucket, other=bob.bucket, key=KEY)
        content = b"evil" if method == "PUT" else b""
        request = AWSRequest(method, ana.stack.s3_url + path, data=content)
        S3SigV4Auth(keys, "s3", "us-east-1").add_auth(request)
        headers = dict(request.headers)
        answer = pool.urlopen(method, path, body=content, headers=headers, redirect=False)
        assert b"a,b" not in answer.data, climb
        _intact(bob)


def test_batch_delete_cannot_climb_out_of_the_bucket(two: tuple[Person, Person]) -> None:
    ana, bob = two
    keys = [f"../{bob.bucket}/{KEY}", f"x/../../{bob.bucket}/{KEY}", f"/../{bob.bucket}/{KEY}"]
    objects = {"Objects": [{"Key": key} for key in keys]}
    _code(lambda: ana.s3().delete_objects(Bucket=ana.bucket, Delete=objects))
    _intact(bob)


def test_one_sees_ones_own_buckets_only(person: Callable[..., Person], group: Any) -> None:
    project = group("project")
    ana, bob = person("ana", groups=[project]), person("bob")
    seen = {bucket["Name"] for bucket in ana.s3().list_buckets()["Buckets"]}
    assert {ana.bucket, project_bucket(project)} <= seen
    assert seen <= {ana.bucket, project_bucket(project), PUBLIC_BUCKET}
    assert bob.bucket not in seen


def test_a_project_bucket_belongs_to_its_members(person: Callable[..., Person], group: Any) -> None:
    project = group("prices")
    ana, bob, eve = person("ana", groups=[project]), person("bob", groups=[project]), person("eve")
    bucket = project_bucket(project)
    ana.s3().put_object(Bucket=bucket, Key=KEY, Body=b"shared")
    assert bob.s3().get_object(Bucket=bucket, Key=KEY)["Body"].read() == b"shared"
    s3 = eve.s3()
    for name, act in {**READS, **WRITES}.items():
        code = _code(lambda act=act: act(s3, bucket))
        assert code in REFUSED | {"BucketAlreadyExists"}, name


def test_who_leaves_a_project_loses_its_bucket(person: Callable[..., Person], group: Any) -> None:
    project = group("prices")
    ana = person("ana", groups=[project])
    bucket = project_bucket(project)
    ana.s3().put_object(Bucket=bucket, Key=KEY, Body=b"x")
    ana.stack.accounts().ensure(ana.account.name)
    assert _code(lambda: ana.s3().get_object(Bucket=bucket, Key=KEY)) in REFUSED


def test_a_group_name_selects_no_other_policy(person: Callable[..., Person]) -> None:
    """Everybody has the policy ``users``: a project of that name is another one."""
    mallory = person("mallory", groups=["users", "platform", "mlflow"])
    other = person("ana")
    s3 = mallory.s3()
    assert _code(lambda: s3.list_objects_v2(Bucket=other.bucket)) in REFUSED
    assert _code(lambda: s3.list_objects_v2(Bucket="mlflow")) in REFUSED
    assert _code(lambda: s3.list_objects_v2(Bucket=project_bucket("users"))) == "done"


def test_public_is_read_by_all_and_written_by_none(person: Callable[..., Person]) -> None:
    ana = person("ana")
    name = f"{ana.account.slug}.csv"
    ana.stack.storage().s3.put_object(Bucket=PUBLIC_BUCKET, Key=name, Body=b"open")
    s3 = ana.s3()
    assert s3.get_object(Bucket=PUBLIC_BUCKET, Key=name)["Body"].read() == b"open"
    assert _code(lambda: s3.list_objects_v2(Bucket=PUBLIC_BUCKET)) == "done"
    for label, act in WRITES.items():
        code = _code(lambda act=act: act(s3, PUBLIC_BUCKET))
        assert code in REFUSED | {"BucketAlreadyExists"}, label


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("list_access_keys", {}),
        ("delete_access_key", {"AccessKeyId": MLFLOW_KEY}),
        ("create_access_key", {}),
        ("create_access_key", {"UserName": "platform"}),
        ("update_access_key", {"AccessKeyId": MLFLOW_KEY, "Status": "Inactive"}),
        ("get_user", {}),
        ("list_users", {}),
        ("create_user", {"UserName": "evil"}),
        ("create_policy", {"PolicyName": "users", "PolicyDocument": _POLICY}),
        ("put_user_policy", {"UserName": "x", "PolicyName": "x", "PolicyDocument": _POLICY}),
    ],
)
def test_the_iam_api_is_closed(
    person: Callable[..., Person], action: str, parameters: dict[str, str]
) -> None:
    """With ``-s3.iam``, SeaweedFS 4.48 lets a session list and delete the services' keys."""
    ana = person("ana")
    keys = generated.read_document(ana.stack.layout, generated.S3_MLFLOW)
    given = {k: keys["access_key"] if v == MLFLOW_KEY else v for k, v in parameters.items()}
    with pytest.raises(ClientError):
        getattr(ana.s3("iam"), action)(**given)
    service = S3Session(keys["access_key"], keys["secret_key"], "", datetime.now(UTC))
    client(ana.stack.s3_url, service).list_objects_v2(Bucket="mlflow")


@pytest.mark.parametrize(
    ("action", "parameters"),
    [
        ("assume_role", {"RoleArn": "arn:aws:iam:::role/sts-claim-based"}),
        ("assume_role", {"RoleArn": "arn:aws:iam::role/admin"}),
        ("get_session_token", {}),
        ("get_federation_token", {"Name": "platform"}),
    ],
)
def test_a_session_mints_no_wider_session(
    person: Callable[..., Person], action: str, parameters: dict[str, str]
) -> None:
    ana = person("ana")
    wide = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}'
    )
    extra = {"Policy": wide} if action != "get_session_token" else {}
    name = {"RoleSessionName": "bob"} if action == "assume_role" else {}
    with pytest.raises(ClientError):
        getattr(ana.s3("sts"), action)(**parameters, **extra, **name)


def test_table_buckets_are_closed(person: Callable[..., Person]) -> None:
    with pytest.raises(ClientError):
        person("ana").s3("s3tables").create_table_bucket(name="tables")


def test_without_keys_nothing_is_answered(two: tuple[Person, Person]) -> None:
    ana, bob = two
    http = urllib3.PoolManager(retries=False, timeout=5)
    for path in (f"/{bob.bucket}", f"/{bob.bucket}/{KEY}", "/", f"/{PUBLIC_BUCKET}"):
        assert http.request("GET", ana.stack.s3_url + path).status == 403


def test_wrong_keys_are_refused(two: tuple[Person, Person]) -> None:
    ana, bob = two
    mine, his = ana.session(), bob.session()
    mixed = [
        S3Session(mine.access_key, mine.secret_key, his.token, mine.expires),
        S3Session(his.access_key, mine.secret_key, his.token, mine.expires),
        S3Session(his.access_key, his.secret_key, mine.token, mine.expires),
        S3Session(mine.access_key, mine.secret_key, mine.token[:-2] + "xx", mine.expires),
    ]
    for keys in mixed:
        s3 = client(ana.stack.s3_url, keys)
        with pytest.raises(ClientError):
            s3.get_object(Bucket=bob.bucket, Key=KEY)
