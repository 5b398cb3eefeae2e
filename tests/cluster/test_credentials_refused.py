"""What a pod's proof does not open: once its pod is gone, from elsewhere, at other people's."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from autonoe.credentials.chain import IdentityChain
from autonoe.errors import AutonoeError, ForbiddenError
from autonoe.identity.client import OpenBaoClient
from autonoe.identity.cluster import ClusterEnrolment
from autonoe.kubernetes.pods import PROOF_FILE
from autonoe.waiting import wait_until
from identity.stack import client
from identity.test_openbao_isolation import VERBS
from identity.test_s3_isolation import KEY, READS, REFUSED, WRITES
from support.cluster import Cluster
from support.stack_companions import Companions
from support.tenant_pods import Tenant, tenant

WORKLOAD_MOUNT = "kubernetes-workload"
MEMORY_S = 10
"""How long an API server remembers that a token was good."""


@pytest.fixture(scope="module")
def ana(companions: Companions, enrolment: ClusterEnrolment) -> Iterator[Tenant]:
    with tenant(companions, enrolment, "ana") as one:
        yield one


@pytest.fixture(scope="module")
def bob(companions: Companions, enrolment: ClusterEnrolment) -> Iterator[Tenant]:
    with tenant(companions, enrolment, "bob") as one:
        yield one


def _log_in(
    companions: Companions, jwt: str, *, role: str = "tenant", mount: str = WORKLOAD_MOUNT
) -> OpenBaoClient:
    bao = OpenBaoClient(companions.local_openbao, timeout_s=30)
    bao.login_kubernetes(jwt, role=role, mount=mount)
    return bao


def _chain(one: Tenant, folder: Path) -> IdentityChain:
    """Return the chain of a worker of this tenant, walked from here."""
    proof = folder / f"{one.name}.token"
    proof.write_text(one.companions.pod_token("workload", one.namespace))
    settings = one.settings.model_copy(
        update={
            "proof_file": proof,
            "openbao_mount": WORKLOAD_MOUNT,
            "openbao_url": one.companions.local_openbao,
            "s3_url": one.companions.local_s3,
        }
    )
    return IdentityChain(settings, timeout_s=30)


@pytest.mark.parametrize("just_used", [False, True])
def test_the_token_of_a_deleted_pod_is_refused(
    companions: Companions, ana: Tenant, just_used: bool
) -> None:
    """At once; if it was used within the last ten seconds, when these are over.

    The API server remembers for ten seconds that a token was good, and OpenBao asks it.
    """
    name = f"short-{str(just_used).lower()}"
    ana.start(ana.worker(name, ["sleep", "600"]), Path(__file__).with_name("boto3_loop.py"))
    ana.cluster.wait_ready(ana.namespace, name, timeout_s=180)
    jwt = ana.exec(name, "cat", PROOF_FILE, container="autonoe-agent")
    claims = json.loads(_decode(jwt.split(".")[1]))
    assert claims["aud"] == ["openbao"]
    assert claims["exp"] - time.time() > 120, "the token must outlive the pod by far"
    _log_in(companions, jwt)
    used = time.monotonic()
    if not just_used:
        wait_until(
            lambda: time.monotonic() - used > MEMORY_S + 1, timeout_s=30, what="the memory's end"
        )
    ana.cluster.kubectl("delete", "pod", name, f"--namespace={ana.namespace}", "--now")
    if just_used:
        wait_until(
            lambda: not _accepts(companions, jwt),
            timeout_s=MEMORY_S + 10,
            what="the refusal",
            interval_s=0.5,
        )
    else:
        assert not _accepts(companions, jwt)


def test_other_tokens_of_the_cluster_are_refused(companions: Companions, ana: Tenant) -> None:
    cluster = ana.cluster
    here = ana.namespace
    right = companions.pod_token("workload", here)
    _log_in(companions, right)
    refused = {
        "the API server's audience": companions.pod_token("workload", here, audience=""),
        "another audience": companions.pod_token("workload", here, audience="vault"),
        "another service account": companions.pod_token("default", here),
        "the other login's account": companions.pod_token("notebook", here),
    }
    with cluster.namespace("stranger") as stranger:
        _account(cluster, "workload", stranger)
        refused["the same account elsewhere"] = companions.pod_token("workload", stranger)
        head, body, signature = right.split(".")
        refused["forged claims"] = f"{head}.{_renamed(body, here, stranger)}.{signature}"
        refused["no signature"] = f"{_unsigned()}.{body}."
        refused["a cut signature"] = right[:-8]
        refused["nothing"] = ""
        accepted = [name for name, jwt in refused.items() if _accepts(companions, jwt)]
    assert accepted == []
    # The right token opens no role but its own.
    for role in ("tenants-controller", "operator"):
        for mount in ("kubernetes", WORKLOAD_MOUNT):
            with pytest.raises(AutonoeError):
                _log_in(companions, right, role=role, mount=mount)


def _accepts(companions: Companions, jwt: str) -> bool:
    try:
        _log_in(companions, jwt)
    except AutonoeError:
        return False
    return True


@pytest.mark.own_node
def test_an_expired_token_is_refused(companions: Companions, ana: Tenant) -> None:
    """Signed with the cluster's own key: nothing is wrong with it but its time."""
    good = companions.pod_token("workload", ana.namespace)
    head, body, _ = (_decode(part) for part in good.split("."))
    claims = json.loads(body)
    assert _accepts(companions, _sign(ana.cluster, json.loads(head), claims)), "the control"
    now = int(time.time())
    claims |= {"iat": now - 3600, "nbf": now - 3600, "exp": now - 300}
    assert not _accepts(companions, _sign(ana.cluster, json.loads(head), claims))


def test_an_enrolled_login_ends_with_the_account(
    companions: Companions, enrolment: ClusterEnrolment, tmp_path: Path
) -> None:
    with tenant(companions, enrolment, "eve") as eve:
        chain = _chain(eve, tmp_path)
        chain.s3_session()
        enrolment.remove(eve.name, eve.namespace)
        # A token that was made before dies with the entity.
        assert not chain.is_alive(chain.token())
        # The pod may still log in, as nobody: with neither bucket nor secrets.
        nobody = _chain(eve, tmp_path)
        assert _refused(nobody.client(timeout_s=30), "LIST", f"kv/metadata/users/{eve.name}")
        assert _listing(nobody, eve) in REFUSED
        # An account that is made again is the same one to its pods.
        enrolment.ensure(eve.name, (), "", eve.namespace)
        assert _listing(_chain(eve, tmp_path), eve) == "done"


def _listing(chain: IdentityChain, one: Tenant) -> str:
    try:
        session = chain.s3_session()
    except ForbiddenError:
        return "AccessDenied"
    return _code(READS["list"], client(one.companions.local_s3, session), one.bucket)


def test_another_persons_bucket_is_closed_to_every_verb(
    companions: Companions, ana: Tenant, bob: Tenant, tmp_path: Path
) -> None:
    theirs = client(companions.local_s3, _chain(bob, tmp_path).s3_session())
    theirs.put_object(Bucket=bob.bucket, Key=KEY, Body=b"a,b\n")
    s3 = client(companions.local_s3, _chain(ana, tmp_path).s3_session())
    assert _code(READS["list"], s3, ana.bucket) == "done", "the control"
    answers = {
        name: _code(action, s3, bob.bucket)
        for actions in (READS, WRITES)
        for name, action in actions.items()
    }
    # A bucket that exists may say so to whoever tries to make it.
    assert answers.pop("make the bucket") in REFUSED | {"BucketAlreadyExists"}
    assert {name: code for name, code in answers.items() if code not in REFUSED} == {}
    assert theirs.get_object(Bucket=bob.bucket, Key=KEY)["Body"].read() == b"a,b\n"


def test_another_persons_secrets_are_closed_to_every_verb(
    companions: Companions, ana: Tenant, bob: Tenant, tmp_path: Path
) -> None:
    theirs = _chain(bob, tmp_path).client(timeout_s=30)
    path = f"users/{bob.name}/db"
    theirs.write(f"kv/data/{path}", {"data": {"password": "1"}})
    bao = _chain(ana, tmp_path).client(timeout_s=30)
    paths = [
        f"kv/data/{path}", f"kv/metadata/{path}", f"kv/metadata/users/{bob.name}",
        f"kv/delete/{path}", f"kv/destroy/{path}", f"kv/data/platform/{bob.name}/mlflow",
        "kv/data/operator/s3", "kv/data/operator/mlflow", "kv/metadata/operator",
        "sys/policies/acl/user", "sys/auth", "auth/kubernetes/role/tenant",
        "auth/kubernetes/config", "identity/entity/name", "identity/oidc/key/s3",
        "identity/oidc/role/s3", "identity/entity-alias", "sys/seal", "sys/raw",
    ]  # fmt: skip
    done = [(verb, path) for path in paths for verb in VERBS if not _refused(bao, verb, path)]
    assert done == []
    assert (theirs.read(f"kv/data/{path}") or {})["data"] == {"password": "1"}


def test_a_project_and_a_person_of_its_name_share_nothing(
    companions: Companions, enrolment: ClusterEnrolment, ana: Tenant, tmp_path: Path
) -> None:
    """A person who calls themselves like a project reaches nothing of it."""
    project = enrolment.ensure(ana.name, (), "", "no-namespace", kind="project")
    try:
        session = _chain(ana, tmp_path).s3_session()
        assert project.entity != ana.settings.entity
        s3 = client(companions.local_s3, session)
        assert _code(READS["list"], s3, project.bucket) in REFUSED
    finally:
        enrolment.remove(ana.name, "no-namespace", kind="project", purge=True)


def test_the_controller_reads_no_persons_secret(companions: Companions, ana: Tenant) -> None:
    identity = companions.names.identity
    token = companions.pod_token(identity.controller_account, identity.controller_namespace)
    bao = _log_in(companions, token, role="tenants-controller", mount="kubernetes")
    for path in (
        f"kv/data/users/{ana.name}/db", "kv/data/projects/x/y", "sys/mounts", "sys/raw/x",
        "auth/kubernetes/role/tenant", "identity/oidc/role/s3", "sys/policies/acl/user",
    ):  # fmt: skip
        assert _refused(bao, "GET", path), path


def _code(action: Any, s3: Any, bucket: str) -> str:
    try:
        action(s3, bucket)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return "done"


def _refused(bao: OpenBaoClient, method: str, path: str) -> bool:
    try:
        bao.call(method, path, {} if method in ("POST", "PUT", "PATCH") else None)
    except ForbiddenError:
        return True
    except AutonoeError as error:
        # Answered before the right was looked at, and nothing was done: no such method there.
        return "status 405" in error.message
    return False


def _account(cluster: Cluster, name: str, namespace: str) -> None:
    metadata = {"name": name, "namespace": namespace}
    cluster.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
    wait_until(
        lambda: cluster.kubectl("get", "serviceaccount", name, f"--namespace={namespace}"),
        timeout_s=20,
        what="the service account",
    )


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def _encode(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _renamed(body: str, old: str, new: str) -> str:
    return _encode(_decode(body).replace(old.encode(), new.encode()))


def _unsigned() -> str:
    return _encode(json.dumps({"alg": "none", "typ": "JWT"}).encode())


def _sign(cluster: Cluster, head: dict[str, Any], claims: dict[str, Any]) -> str:
    assert cluster.node is not None
    key = serialization.load_pem_private_key((cluster.node.pki / "sa.key").read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    text = f"{_encode(json.dumps(head).encode())}.{_encode(json.dumps(claims).encode())}"
    signature = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{text}.{_encode(signature)}"
