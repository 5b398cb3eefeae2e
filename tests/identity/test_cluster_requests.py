"""OpenBao takes the cluster's settings, from an operator as at its own first start."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autonoe.embedded.certificates import write_internal_tls
from autonoe.embedded.components.openbao import program
from autonoe.embedded.ports import choose
from autonoe.errors import AutonoeError, UnavailableError
from autonoe.identity.client import OpenBaoClient
from autonoe.identity.cluster_openbao import (
    ClusterIdentity,
    LoginClient,
    login_requests,
    openbao_requests,
    server_config,
)
from autonoe.identity.enrolment import ensure_alias, ensure_entity
from autonoe.identity.openbao_policies import CONTROLLER_POLICY
from autonoe.identity.openbao_requests import Request, apply_requests
from autonoe.waiting import wait_until

ROOT = "for-tests-only"


@pytest.fixture
def bao(tmp_path: Path) -> Iterator[OpenBaoClient]:
    """Start an OpenBao in memory, as its root."""
    port = choose(1)[0]
    command = [
        program(), "server", "-dev", f"-dev-root-token-id={ROOT}", "-dev-no-store-token",
        f"-dev-listen-address=127.0.0.1:{port}",
    ]  # fmt: skip
    env = {"PATH": os.defpath, "HOME": str(tmp_path)}
    with subprocess.Popen(
        command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        client = OpenBaoClient(f"http://127.0.0.1:{port}", token=ROOT, timeout_s=30)
        wait_until(
            lambda: client.call("GET", "sys/health"),
            timeout_s=60,
            what="OpenBao",
            ignoring=(UnavailableError,),
        )
        yield client
        process.kill()


@pytest.fixture
def identity(bao: OpenBaoClient, tmp_path: Path) -> ClusterIdentity:
    write_internal_tls(tmp_path / "tls")
    # Outside of a pod the API server's authority has to be given.
    authority = (tmp_path / "tls" / "ca.crt").read_text()
    config = {"disable_local_ca_jwt": True, "kubernetes_ca_cert": authority}
    return ClusterIdentity(openbao_url=bao.url, kubernetes_config=config)


def test_an_operator_applies_them_as_often_as_they_like(
    bao: OpenBaoClient, identity: ClusterIdentity
) -> None:
    requests = [
        *openbao_requests(identity),
        *login_requests(LoginClient("hub", ("http://hub/callback",)), issuer_base=bao.url),
    ]
    apply_requests(bao, requests)
    key = bao.read("identity/oidc/key/s3")
    group = (bao.read("identity/group/name/users") or {})["id"]
    client = (bao.read("identity/oidc/client/hub") or {})["client_id"]
    apply_requests(bao, requests)
    assert bao.read("identity/oidc/key/s3") == key
    assert (bao.read("identity/group/name/users") or {})["id"] == group
    assert (bao.read("identity/oidc/client/hub") or {})["client_id"] == client


def test_each_role_is_bound_to_one_account_and_its_namespaces(
    bao: OpenBaoClient, identity: ClusterIdentity
) -> None:
    apply_requests(bao, openbao_requests(identity))
    rows = {
        ("kubernetes", "tenant"): (["notebook"], ["u-*", "p-*"], ["user"]),
        ("kubernetes-workload", "tenant"): (["workload"], ["u-*", "p-*"], ["user"]),
        ("kubernetes", "tenants-controller"): (
            ["tenants"], ["autonoe-tenants"], ["tenants-controller"],
        ),
        ("kubernetes", "operator"): (["operator"], ["autonoe-platform"], ["operator"]),
    }  # fmt: skip
    for (mount, name), (accounts, namespaces, policies) in rows.items():
        role = bao.read(f"auth/{mount}/role/{name}") or {}
        assert role["bound_service_account_names"] == accounts
        assert role["bound_service_account_namespaces"] == namespaces
        assert role["token_policies"] == policies
        assert role["audience"] == "openbao"
        assert role["alias_name_source"] == "serviceaccount_name"
        assert role["token_no_default_policy"] is True
        assert 0 < role["token_max_ttl"] <= 1200
    assert bao.list("auth/kubernetes-workload/role") == ["tenant"]


def test_aws_finds_the_account_in_its_own_claim(
    bao: OpenBaoClient, identity: ClusterIdentity
) -> None:
    apply_requests(bao, openbao_requests(replace(identity, aws_tags=True)))
    bao.write("sys/auth/userpass", {"type": "userpass"})
    bao.write("auth/userpass/users/ana", {"password": ROOT, "token_policies": ["user"]})
    entity = ensure_entity(bao, "ana", "ana", "ana@example.org")
    ensure_alias(bao, entity, mount="userpass", name="ana")
    token = bao.call("POST", "auth/userpass/login/ana", {"password": ROOT})["auth"]["client_token"]
    found = OpenBaoClient(bao.url, token=token).read("identity/oidc/token/s3") or {}
    body = found["token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    assert claims["https://aws.amazon.com/tags"] == {
        "principal_tags": {"preferred_username": ["ana"]}
    }
    assert claims["preferred_username"] == "ana"


def test_something_else_at_a_path_of_ours_is_not_overwritten(bao: OpenBaoClient) -> None:
    bao.write("sys/auth/kubernetes", {"type": "userpass"})
    with pytest.raises(AutonoeError, match="kubernetes"):
        apply_requests(bao, [Request("kubernetes", "sys/auth/kubernetes", {"type": "kubernetes"})])


def test_the_controller_cannot_read_what_is_a_persons(bao: OpenBaoClient) -> None:
    assert "kv/data/users" not in CONTROLLER_POLICY
    assert "approle" not in CONTROLLER_POLICY
    assert "sudo" not in CONTROLLER_POLICY


def test_the_first_start_makes_the_same(identity: ClusterIdentity) -> None:
    config = server_config(identity, data_dir="/data", seal_key_file="/secrets/key")
    paths = [f'path      = "{request.path}"' for request in openbao_requests(identity)]
    assert [path for path in paths if path not in config] == []
