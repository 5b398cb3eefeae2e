"""Secrets and MLflow from a worker and from a notebook; and which doors stay shut to them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from autonoe.identity.cluster import ClusterEnrolment
from support.stack_companions import Companions
from support.tenant_pods import Tenant, tenant

HERE = Path(__file__).parent
SCRIPTS = [HERE / name for name in ("standard_clients.py", "in_notebook.py", "boto3_loop.py")]
CLIENTS = "/scripts/standard_clients.py"

_DOORS = """
import json, socket, sys
found = {}
for host, port in json.loads(sys.argv[1]):
    try:
        socket.create_connection((host, port), 3).close()
        found[f"{host.split('.')[0]}:{port}"] = "open"
    except OSError:
        found[f"{host.split('.')[0]}:{port}"] = "shut"
print(json.dumps(found))
"""
_STATUS = """
import urllib.request
with urllib.request.urlopen("http://127.0.0.1:8888/autonoe/status", timeout=60) as answer:
    print(answer.read().decode())
"""


@pytest.fixture(scope="module")
def ana(companions: Companions, enrolment: ClusterEnrolment) -> Iterator[Tenant]:
    with tenant(companions, enrolment, "ana") as one:
        one.start(one.worker("worker", ["sleep", "3600"]), *SCRIPTS)
        one.start(one.notebook("notebook"))
        one.cluster.wait_ready(one.namespace, "worker", "notebook", timeout_s=240)
        yield one


def test_a_worker_uses_secrets_and_mlflow(ana: Tenant, companions: Companions) -> None:
    script = f'. "$AUTONOE_AGENT_ENVIRONMENT"; exec python -I {CLIENTS}'
    printed = ana.exec("worker", "sh", "-c", script, container="main", timeout_s=240)
    _check(printed)


def test_a_notebook_uses_secrets_and_mlflow(ana: Tenant) -> None:
    printed = ana.exec("notebook", "python", "/scripts/in_notebook.py", CLIENTS, "x", timeout_s=500)
    _check(printed)


def _check(printed: str) -> None:
    # MLflow prints where the run is before.
    report = json.loads(printed.strip().splitlines()[-1])
    secret = report["secret"]
    assert isinstance(secret, dict)
    assert secret["data"] == {"password": "x"}
    assert report["run"]
    assert report["text"] == "hello"


def test_the_panel_of_the_pod_says_who_it_is(ana: Tenant) -> None:
    status = json.loads(ana.exec("notebook", "python", "-c", _STATUS))
    assert status["platform"] is True
    card = status["credentials"]
    assert (card["state"], card["account"]) == ("ready", ana.name)
    assert card["buckets"][0]["name"] == ana.bucket


def test_mlflow_is_open_to_nobody_without_an_account(companions: Companions) -> None:
    http = urllib3.PoolManager(retries=False, timeout=60)
    url = f"{companions.local_mlflow}/api/2.0/mlflow/experiments/search"
    body = json.dumps({"max_results": 1})
    headers = {"Content-Type": "application/json"}
    assert http.request("POST", url, body=body, headers=headers).status == 401
    wrong = headers | urllib3.make_headers(basic_auth="admin:password1234")
    assert http.request("POST", url, body=body, headers=wrong).status == 401


def test_only_the_doors_for_people_are_open(ana: Tenant, companions: Companions) -> None:
    where = f"{companions.names.platform}.svc.cluster.local"
    doors = [
        (f"{name}.{where}", port)
        for name, port in (
            ("openbao", 8200), ("seaweedfs", 8333), ("mlflow", 5000),
            ("seaweedfs", 8334), ("postgres", 5432),
        )
    ]  # fmt: skip
    printed = ana.exec("worker", "python", "-c", _DOORS, json.dumps(doors), container="main")
    assert json.loads(printed) == {
        "openbao:8200": "open",
        "seaweedfs:8333": "open",
        "mlflow:5000": "open",
        "seaweedfs:8334": "shut",
        "postgres:5432": "shut",
    }
