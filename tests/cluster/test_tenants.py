"""The tenant controller on a real cluster: made, kept, taken away, never anyone else's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from autonoe.errors import ConflictError, InvalidInputError
from autonoe.kubernetes.resources import identity
from autonoe.tenants.manifests import manifests
from autonoe.tenants.spec import TenantSpec, tenant_name
from autonoe.tenants.tenancy import Tenancy
from autonoe.waiting import wait_until
from autonoe_tenants.difference import differs
from support import stack_tenants
from support.cluster import Cluster
from support.stack_tenants import Tenants

WAIT_S = 2
"""Shortest wait before a removal, in these tests."""

_NAMES = [
    (found["kind"], found["metadata"]["name"])
    for found in manifests(TenantSpec("user", "drift"), Tenancy(api_servers=("10.0.0.1:6443",)))
]


@pytest.fixture(scope="module")
def tenants(cluster: Cluster) -> Iterator[Tenants]:
    made = stack_tenants.deploy(cluster, stack_tenants.unique(), removal_wait_s=WAIT_S)
    yield made
    made.remove()


@pytest.fixture(scope="module")
def drift(tenants: Tenants) -> TenantSpec:
    """Return a tenant whose objects are disturbed one after the other."""
    tenants.ensure("user", "drift")
    return TenantSpec("user", "drift")


# -- made -----------------------------------------------------------------------------------


def test_a_tenant_gets_everything_within_seconds(tenants: Tenants) -> None:
    namespace = tenants.ensure("project", "Enquête emploi", members=["alice", "Zoë"])
    spec = TenantSpec("project", "Enquête emploi", members=("alice", "zoë"))
    assert namespace.startswith(tenants.tenancy.project_prefix + "enqu-te-emploi--")
    for wanted in manifests(spec, tenants.tenancy):
        assert tenants.is_right(wanted), identity(wanted)
    status = tenants.wait("project", "Enquête emploi")
    assert status["message"] == "Ready."
    assert status["enrolled"] is False  # this installation has no stores


def test_a_changed_quota_and_changed_members_arrive(tenants: Tenants) -> None:
    namespace = tenants.ensure("project", "moving", members=["alice"])
    tenants.write("project", "moving", members=["bob"], quota={"pods": "3"})
    tenants.wait("project", "moving")
    hard = tenants.api.get("ResourceQuota", "compute", namespace)["spec"]["hard"]
    assert hard["pods"] == "3"
    assert hard["limits.cpu"] == tenants.tenancy.project_defaults.cpu
    subjects = tenants.api.get("RoleBinding", "members", namespace)["subjects"]
    prefix = tenants.tenancy.user_prefix
    assert [row["namespace"] for row in subjects] == [namespace, f"{prefix}bob"]


def test_who_a_tenant_is_cannot_be_changed(tenants: Tenants) -> None:
    tenants.ensure("user", "fixed")
    name = tenant_name("user", "fixed")
    for change in ({"owner": "mallory"}, {"kind": "project"}):
        with pytest.raises(InvalidInputError, match="cannot be changed"):
            tenants.api.merge("Tenant", name, {"spec": change}, tenants.tenancy.hub_namespace)


def test_free_capacity_is_published_for_the_hub(tenants: Tenants) -> None:
    def published() -> dict[str, Any] | None:
        found = tenants.api.get("ConfigMap", "autonoe-capacity", tenants.tenancy.hub_namespace)
        document = json.loads(found["data"]["capacity.json"])
        return document if document["nodes"] else None

    document = wait_until(published, timeout_s=15, what="the capacity")
    age = datetime.now(UTC) - datetime.fromisoformat(document["updated"])
    assert age < timedelta(seconds=30)
    node = document["nodes"][0]
    real = tenants.api.get("Node", node["name"])["status"]["allocatable"]
    assert node["allocatable"]["cpu_millis"] == int(real["cpu"]) * 1000
    # This controller's own pod asks for 50m and 128Mi there.
    assert node["free"]["cpu_millis"] <= node["allocatable"]["cpu_millis"] - 50
    assert node["free"]["memory_bytes"] <= node["allocatable"]["memory_bytes"] - 128 * 2**20
    assert set(node["free"]) == {"cpu_millis", "memory_bytes", "gpu"}


def test_health_and_metrics_are_there(tenants: Tenants) -> None:
    where = tenants.tenancy.controller_namespace
    (pod,) = tenants.api.list("Pod", where)
    base = f"/api/v1/namespaces/{where}/pods/{pod['metadata']['name']}:8080/proxy"
    assert tenants.cluster.kubectl("get", "--raw", f"{base}/healthz").strip() == "ok"
    page = tenants.cluster.kubectl("get", "--raw", f"{base}/metrics")
    assert "autonoe_tenants_visits_total" in page


# -- kept -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "name"), [row for row in _NAMES if row[0] != "Namespace"])
def test_a_deleted_object_is_back(
    tenants: Tenants, drift: TenantSpec, kind: str, name: str
) -> None:
    wanted = tenants.wanted(drift, kind, name)
    before = tenants.api.get(*identity(wanted)[::2], identity(wanted)[1])["metadata"]["uid"]
    tenants.api.delete(kind, name, tenants.tenancy.namespace(drift))

    def back() -> bool:
        found = tenants.api.find(kind, name, tenants.tenancy.namespace(drift))
        return found is not None and found["metadata"]["uid"] != before and tenants.is_right(wanted)

    wait_until(back, timeout_s=10, what=f"{kind} {name} to be made again")


_EVERYBODY: dict[str, Any] = {
    "kind": "Group",
    "apiGroup": "rbac.authorization.k8s.io",
    "name": "system:authenticated",
}
_WIDER: dict[str, Callable[[dict[str, Any]], Any]] = {
    "Namespace": lambda found: found["metadata"]["labels"].update(
        {"pod-security.kubernetes.io/enforce": "privileged"}
    ),
    "NetworkPolicy": lambda found: found["spec"].update(
        ingress=[{}], egress=[{}], policyTypes=["Ingress", "Egress"]
    ),
    "ResourceQuota": lambda found: found["spec"]["hard"].update({"pods": "9999"}),
    "LimitRange": lambda found: found["spec"]["limits"][0]["default"].update({"memory": "900Gi"}),
    "ServiceAccount": lambda found: found.update(automountServiceAccountToken=True),
    "RoleBinding": lambda found: found["subjects"].append(_EVERYBODY),
}


@pytest.mark.parametrize(("kind", "name"), _NAMES)
def test_an_object_made_wider_is_narrow_again(
    tenants: Tenants, drift: TenantSpec, kind: str, name: str
) -> None:
    wanted = tenants.wanted(drift, kind, name)
    _, namespace, real_name = identity(wanted)
    found = tenants.api.get(kind, real_name, namespace)
    _WIDER[kind](found)
    assert differs(found, wanted)
    tenants.api.replace(found)
    tenants.wait_right(wanted)


def test_a_binding_to_another_role_is_made_anew(tenants: Tenants, drift: TenantSpec) -> None:
    wanted = tenants.wanted(drift, "RoleBinding", "members")
    namespace = tenants.tenancy.namespace(drift)
    strong = json.loads(json.dumps(wanted))
    strong["roleRef"]["name"] = "cluster-admin"
    tenants.api.delete("RoleBinding", "members", namespace)
    # The controller may be quicker than this test: then there is nothing to overwrite.
    wait_until(
        lambda: _overwritten(tenants, strong), timeout_s=20, what="the strong binding to be put"
    )
    tenants.wait_right(wanted)


def _overwritten(tenants: Tenants, strong: dict[str, Any]) -> bool:
    kind, namespace, name = identity(strong)
    tenants.api.delete(kind, name, namespace)
    try:
        tenants.api.create(strong)
    except ConflictError:
        return False
    return True


def test_a_deleted_namespace_is_made_again(tenants: Tenants) -> None:
    namespace = tenants.ensure("user", "swept")
    before = tenants.api.get("Namespace", namespace)["metadata"]["uid"]
    tenants.api.delete("Namespace", namespace)

    def again() -> bool:
        found = tenants.api.find("Namespace", namespace)
        return found is not None and found["metadata"]["uid"] != before

    wait_until(again, timeout_s=60, what="the namespace to be made again", interval_s=0.2)
    for wanted in manifests(TenantSpec("user", "swept"), tenants.tenancy):
        tenants.wait_right(wanted)


def test_what_others_add_beside_stays(tenants: Tenants, drift: TenantSpec) -> None:
    """An administrator's labels and the tenant's own objects are not the controller's business."""
    namespace = tenants.tenancy.namespace(drift)
    change = {"metadata": {"labels": {"cost-centre": "42"}}}
    tenants.api.merge("Namespace", namespace, change)
    config = {"apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "b"}}
    tenants.api.create({**config, "metadata": {"name": "mine", "namespace": namespace}})
    tenants.api.delete("LimitRange", "containers", namespace)
    tenants.wait_right(tenants.wanted(drift, "LimitRange", "containers"))
    assert tenants.api.get("Namespace", namespace)["metadata"]["labels"]["cost-centre"] == "42"
    assert tenants.api.get("ConfigMap", "mine", namespace)["data"] == {"a": "b"}


# -- taken away -----------------------------------------------------------------------------


def _in(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def test_a_tenant_is_removed_after_the_waiting_period(tenants: Tenants) -> None:
    namespace = tenants.ensure("user", "leaver")
    tenants.write("user", "leaver", removeAfter=_in(4))
    status = tenants.wait("user", "leaver", "Removing")
    assert "removeAfter to null takes it back" in status["message"]
    assert not tenants.api.get("Namespace", namespace)["metadata"].get("deletionTimestamp")
    wait_until(
        lambda: tenants.get("user", "leaver") is None,
        timeout_s=60,
        what="the Tenant object to go",
        interval_s=0.2,
    )
    assert tenants.api.find("Namespace", namespace) is None


def test_a_removal_can_be_taken_back(tenants: Tenants) -> None:
    namespace = tenants.ensure("user", "stayer")
    uid = tenants.api.get("Namespace", namespace)["metadata"]["uid"]
    tenants.write("user", "stayer", removeAfter=_in(3))
    tenants.wait("user", "stayer", "Removing")
    due = datetime.now(UTC) + timedelta(seconds=4)
    where = tenants.tenancy.hub_namespace
    tenants.api.merge(
        "Tenant", tenant_name("user", "stayer"), {"spec": {"removeAfter": None}}, where
    )
    status = tenants.wait("user", "stayer", "Ready")
    assert "removalDueAt" not in status
    wait_until(lambda: datetime.now(UTC) > due, timeout_s=10, what="the time of the removal")
    assert tenants.api.get("Namespace", namespace)["metadata"]["uid"] == uid


def test_nobody_can_shorten_the_wait(tenants: Tenants) -> None:
    namespace = tenants.ensure("user", "hurried")
    tenants.write("user", "hurried", removeAfter=_in(-3600))
    status = tenants.wait("user", "hurried", "Removing")
    due = datetime.fromisoformat(status["removalDueAt"])
    asked = datetime.fromisoformat(status["removalRequestedAt"])
    assert due - asked == timedelta(seconds=WAIT_S)
    found = tenants.api.find("Namespace", namespace)
    assert (
        found is None or datetime.now(UTC) >= due or not found["metadata"].get("deletionTimestamp")
    )


def test_deleting_the_object_alone_deletes_no_data(tenants: Tenants) -> None:
    namespace = tenants.ensure("user", "mishap")
    uid = tenants.api.get("Namespace", namespace)["metadata"]["uid"]
    tenants.api.delete("Tenant", tenant_name("user", "mishap"), tenants.tenancy.hub_namespace)
    wait_until(lambda: tenants.get("user", "mishap") is None, timeout_s=20, what="the object to go")
    found = tenants.api.get("Namespace", namespace)
    assert not found["metadata"].get("deletionTimestamp")
    assert tenants.ensure("user", "mishap") == namespace
    assert tenants.api.get("Namespace", namespace)["metadata"]["uid"] == uid
