"""``autonoe platform connect``: an OpenBao that knows nobody learns cluster and services."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from autonoe.errors import AutonoeError
from autonoe.identity.client import OpenBaoClient
from autonoe.waiting import wait_until
from support.cluster import Cluster


@pytest.fixture
def openbao(tmp_path: Path) -> Iterator[OpenBaoClient]:
    """Start an OpenBao in memory, as its administrator."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token = f"root-{secrets.token_hex(8)}"
    program = Path(sys.executable).parent / "bao"
    running = subprocess.Popen(
        [program, "server", "-dev", "-dev-no-store-token", f"-dev-listen-address=127.0.0.1:{port}"],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), "BAO_DEV_ROOT_TOKEN_ID": token},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    client = OpenBaoClient(f"http://127.0.0.1:{port}", token=token)
    try:
        wait_until(
            lambda: client.call("GET", "sys/health"),
            timeout_s=60,
            what="OpenBao",
            ignoring=(AutonoeError,),
        )
        yield client
    finally:
        running.terminate()
        running.wait(10)


@pytest.fixture
def api_server(cluster: Cluster, tmp_path: Path) -> list[str]:
    """Return where an OpenBao outside of the cluster finds the API server."""
    config = yaml.safe_load(cluster.kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = tmp_path / "ca.pem"
    if "certificate-authority-data" in config:
        authority.write_bytes(base64.b64decode(config["certificate-authority-data"]))
    else:
        authority = cluster.kubeconfig.parent / config["certificate-authority"]
    return ["--kubernetes-host", config["server"], "--kubernetes-ca", str(authority)]


def connect(cluster: Cluster, client: OpenBaoClient, instance: str, token: str, *more: str) -> str:
    done = subprocess.run(
        [
            *(sys.executable, "-m", "autonoe", "platform", "connect", "--json"),
            *("--instance", instance, "--openbao-url", client.url, *more),
        ],
        env={**cluster.environment(), "AUTONOE_HELM": cluster.tool("helm"), "BAO_TOKEN": token},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.stdout


def test_openbao_learns_the_cluster_and_the_services_keys(
    cluster: Cluster, openbao: OpenBaoClient, api_server: list[str]
) -> None:
    instance = f"g{secrets.token_hex(3)}"
    keys = {"platform-access-key": "access", "platform-secret-key": secrets.token_hex(20)}
    namespace = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": ""}}
    namespace["metadata"]["name"] = f"{instance}-platform"  # type: ignore[index]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "object-store", "namespace": f"{instance}-platform"},
        "stringData": keys,
    }
    cluster.apply(namespace, secret)
    try:
        printed = connect(cluster, openbao, instance, openbao.token, *api_server)
        assert json.loads(printed) == {"keys": ["s3"]}
        assert keys["platform-secret-key"] not in printed
        again = connect(cluster, openbao, instance, openbao.token, *api_server)
        assert json.loads(again) == {"keys": ["s3"]}
    finally:
        cluster.kubectl("delete", "namespace", f"{instance}-platform", "--wait=false")
    stored = openbao.read("kv/data/operator/s3") or {}
    assert stored["data"]["secret_key"] == keys["platform-secret-key"]
    role = openbao.read("auth/kubernetes/role/tenant") or {}
    assert role["bound_service_account_namespaces"] == ["u-*", "p-*"]
    issuer = openbao.read("identity/oidc/config") or {}
    assert issuer["issuer"] == f"http://openbao.{instance}-platform.svc:8200"


def test_a_token_without_rights_is_refused(cluster: Cluster, openbao: OpenBaoClient) -> None:
    answer = json.loads(connect(cluster, openbao, "autonoe", "none"))
    assert answer["error"]["code"] == "forbidden"
    assert json.loads(connect(cluster, openbao, "autonoe", ""))["error"]["code"] == "invalid_input"
