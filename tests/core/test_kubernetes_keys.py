"""Keys of a deployment on a cluster that several people change at once: none is lost."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autonoe import apikeys
from autonoe.backends.base import DeploymentRequest
from autonoe.backends.keys import KeyRequest
from autonoe.backends.kubernetes import KubernetesBackend
from autonoe.backends.kubernetes_keys import TRIES
from autonoe.backends.kubernetes_objects import KubernetesSettings
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import ConflictError, NotFoundError
from autonoe.kubernetes.client import Cluster
from support.kube_api import KubeApi

REQUEST = DeploymentRequest("nace-api", "models:/nace@champion")
ACCOUNT = AgentSettings(
    account="ana",
    proof_file=Path("/unused"),
    openbao_url="http://openbao.platform.svc:8200",
    s3_url="http://s3.platform.svc:8333",
    mlflow_url="http://mlflow.platform.svc:5000",
)
KEYS = "/api/v1/namespaces/u-ana/configmaps/nace-api-keys"


@pytest.fixture
def api() -> Iterator[KubeApi]:
    with KubeApi() as api:
        yield api


@pytest.fixture
def backend(api: KubeApi, tmp_path: Path) -> KubernetesBackend:
    """Return the backend with one deployment, whose first key is ana's own."""
    cluster = Cluster.connect(api.kubeconfig(tmp_path))
    made = KubernetesBackend(KubernetesSettings(kubernetes_namespace="u-ana"), ACCOUNT, cluster)
    made.deploy(REQUEST, wait_s=0)
    return made


def labels(backend: KubernetesBackend) -> list[str]:
    return [key.label for key in backend.keys("nace-api")]


def meanwhile(api: KubeApi, change: object) -> None:
    """Let ``change`` happen once, after the next writer has read and before it has written."""

    def once(path: str) -> None:
        if path == KEYS:
            api.before_write = None
            assert callable(change)
            change()

    api.before_write = once


def test_a_key_that_is_added_meanwhile_is_kept(api: KubeApi, backend: KubernetesBackend) -> None:
    other: list[str | None] = []

    def add() -> None:
        made = backend.add_key("nace-api", KeyRequest("ben"), wait_s=0)
        other.append(made.api_key)

    meanwhile(api, add)
    mine = backend.add_key("nace-api", KeyRequest("cleo"), wait_s=0)
    assert labels(backend) == ["ana", "ben", "cleo"]
    assert api.refused == [KEYS], "the second of the two was told, once"
    rows = json.loads(api.objects[KEYS]["data"]["keys.json"])["keys"]
    for key in (mine.api_key, *other):
        assert key is not None
        assert apikeys.digest(key) in {row["sha256"] for row in rows}, "both callers can call"


def test_many_at_once_lose_none(api: KubeApi, backend: KubernetesBackend) -> None:
    names = [f"caller-{n}" for n in range(8)]
    start = threading.Barrier(len(names), timeout=60)

    def add(name: str) -> None:
        start.wait()
        backend.add_key("nace-api", KeyRequest(name), wait_s=0)

    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(add, names))
    assert sorted(labels(backend)) == sorted(["ana", *names])


def test_a_key_that_was_revoked_meanwhile_stays_revoked(
    api: KubeApi, backend: KubernetesBackend
) -> None:
    ben = backend.add_key("nace-api", KeyRequest("ben"), wait_s=0)
    meanwhile(api, lambda: backend.revoke_key("nace-api", ben.id, wait_s=0))
    backend.add_key("nace-api", KeyRequest("cleo"), wait_s=0)
    assert labels(backend) == ["ana", "cleo"]
    # of two who revoke one key, the second is told that it is gone
    dan = backend.add_key("nace-api", KeyRequest("dan"), wait_s=0)
    meanwhile(api, lambda: backend.revoke_key("nace-api", dan.id, wait_s=0))
    with pytest.raises(NotFoundError):
        backend.revoke_key("nace-api", dan.id, wait_s=0)
    assert labels(backend) == ["ana", "cleo"]


def test_other_settings_keep_a_key_that_is_added_meanwhile(
    api: KubeApi, backend: KubernetesBackend
) -> None:
    meanwhile(api, lambda: backend.add_key("nace-api", KeyRequest("ben"), wait_s=0))
    changed = DeploymentRequest("nace-api", "models:/nace@champion", threshold=0.9)
    assert backend.deploy(changed, wait_s=0).threshold == 0.9
    assert labels(backend) == ["ana", "ben"]
    deployment = api.objects["/apis/apps/v1/namespaces/u-ana/deployments/nace-api"]
    (owner,) = api.objects[KEYS]["metadata"]["ownerReferences"]
    assert owner["uid"] == deployment["metadata"]["uid"], "the keys end with their deployment"


def test_who_never_gets_a_turn_is_told_after_a_while(
    api: KubeApi, backend: KubernetesBackend
) -> None:
    def always(path: str) -> None:
        if path == KEYS:
            found = api.objects[KEYS]
            version = str(int(found["metadata"]["resourceVersion"]) + 1_000)
            api.objects[KEYS] = found | {
                "metadata": found["metadata"] | {"resourceVersion": version}
            }

    api.before_write = always
    with pytest.raises(ConflictError, match=f"changed by others {TRIES} times") as caught:
        backend.add_key("nace-api", KeyRequest("ben"), wait_s=0)
    assert "Try again" in caught.value.hint
    assert api.refused == [KEYS] * TRIES
    api.before_write = None
    assert labels(backend) == ["ana"]
