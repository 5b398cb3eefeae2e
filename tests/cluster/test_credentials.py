"""A worker with somebody else's container, and a notebook, outlive their keys five times."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from autonoe.identity.cluster import ClusterEnrolment
from support.stack_companions import Companions
from support.tenant_pods import AGENT, Tenant, tenant

HERE = Path(__file__).parent
LOOP, IN_NOTEBOOK = HERE / "boto3_loop.py", HERE / "in_notebook.py"
GATE = HERE.parent / "identity" / "gate.py"
TTL_S = 15
MARGIN_S = 8
EXPIRIES = 5
SHORT_ROLE = "tenant-for-seconds"


@pytest.fixture
def short_lived(companions: Companions, enrolment: ClusterEnrolment) -> Iterator[Tenant]:
    """Give a tenant whose S3 keys and OpenBao tokens end after seconds.

    SeaweedFS grants no session under 900 s: what ends them is a gate before it, which notes when
    each was made and refuses older ones with SeaweedFS's own words. OpenBao's tokens really end.
    """
    operator = companions.operator()
    for mount in ("kubernetes", "kubernetes-workload"):
        role = operator.read(f"auth/{mount}/role/tenant") or {}
        short = {**role, "token_ttl": TTL_S, "token_max_ttl": TTL_S}
        operator.write(f"auth/{mount}/role/{SHORT_ROLE}", short)
    with tenant(companions, enrolment, "ana") as ana:
        ana.changes = {
            "openbao_role": SHORT_ROLE,
            "s3_url": f"http://gate.{ana.namespace}.svc.cluster.local:8333",
            "session_ttl_s": TTL_S,
            "renew_margin_s": MARGIN_S,
        }
        yield ana


def _gate(ana: Tenant, target: str) -> list[dict[str, Any]]:
    pod = ana.worker("gate", ["python", "/scripts/gate.py", target, str(TTL_S), "8333"])
    # Only the program is ours: the gate acts for nobody.
    spec = pod["spec"]
    spec.pop("initContainers")
    spec["volumes"] = [v for v in spec["volumes"] if v["name"] in ("tmp", "scripts")]
    (main,) = spec["containers"]
    main["image"] = AGENT
    main["volumeMounts"] = [m for m in main["volumeMounts"] if m["name"] in ("tmp", "scripts")]
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "gate", "namespace": ana.namespace},
        "spec": {"selector": {"app": "gate"}, "ports": [{"port": 8333}]},
    }
    return [pod, service]


def _check(report: dict[str, Any]) -> None:
    assert report["failures"] == []
    assert report["rounds"] > 2 * EXPIRIES
    assert report["keys"] > EXPIRIES, "the keys did not change often enough to show anything"
    assert report["first_keys"] == "InvalidAccessKeyId", "keys that ended must be refused"


def test_a_worker_and_a_notebook_outlive_five_expiries(
    short_lived: Tenant, companions: Companions
) -> None:
    ana = short_lived
    gate, service = _gate(ana, companions.s3_url)
    ana.cluster.apply(service)
    ana.start(gate, GATE, LOOP, IN_NOTEBOOK)
    ana.cluster.wait_ready(ana.namespace, "gate", timeout_s=180)
    seconds = str((EXPIRIES + 1) * TTL_S)
    ana.start(ana.worker("worker", ["python", "-I", "/scripts/boto3_loop.py", seconds]))
    ana.start(ana.notebook("notebook"))
    ana.cluster.wait_ready(ana.namespace, "notebook", timeout_s=300)
    printed = ana.exec(
        "notebook", "python", "/scripts/in_notebook.py", "/scripts/boto3_loop.py", seconds,
        timeout_s=500,
    )  # fmt: skip
    _check(json.loads(printed))
    # The pod ends when its own container does: the sidecar keeps no job from being done.
    ana.wait_succeeded("worker", timeout_s=300)
    _check(json.loads(ana.logs("worker", "main")))
