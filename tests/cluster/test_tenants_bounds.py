"""The tenant controller takes nothing that is another's, even when it is taken over itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from autonoe.errors import ForbiddenError
from autonoe.kubernetes.labels import INSTANCE, OWNER
from autonoe.kubernetes.resources import identity
from autonoe.tenants.manifests import manifests
from autonoe.tenants.spec import TenantSpec
from autonoe.waiting import wait_until
from autonoe_tenants.rights import ACCOUNT
from support import stack_tenants
from support.cluster import Cluster
from support.stack_tenants import Tenants


@pytest.fixture(scope="module")
def tenants(cluster: Cluster) -> Iterator[Tenants]:
    made = stack_tenants.deploy(cluster, stack_tenants.unique())
    yield made
    made.remove()


# -- never anyone else's --------------------------------------------------------------------


def _untouched(tenants: Tenants, namespace: str) -> bool:
    """Tell whether nothing of ours is in a namespace."""
    kinds = ("NetworkPolicy", "RoleBinding", "ResourceQuota", "LimitRange")
    return not any(tenants.api.list(kind, namespace) for kind in kinds)


@pytest.mark.parametrize("made_by", ["nobody", "another installation", "us for another owner"])
def test_a_namespace_of_others_is_refused_and_left_alone(tenants: Tenants, made_by: str) -> None:
    owner = f"taken-{made_by.split()[0]}"
    spec = TenantSpec("user", owner)
    found = manifests(spec, tenants.tenancy)[0]
    if made_by == "nobody":
        found["metadata"] = {"name": found["metadata"]["name"]}
    elif made_by == "another installation":
        found["metadata"]["labels"][INSTANCE] = "another"
    else:
        found["metadata"]["annotations"][OWNER] = "somebody else"
    tenants.api.create(found)
    try:
        tenants.write("user", owner)
        status = tenants.wait("user", owner, "Refused")
        assert "belongs to somebody else" in status["message"] or "not made by" in status["message"]
        assert "somebody else'" not in status["message"], "the message must not name the other"
        assert _untouched(tenants, found["metadata"]["name"])
    finally:
        tenants.api.delete("Namespace", found["metadata"]["name"])


def test_a_tenant_object_under_another_name_is_refused(tenants: Tenants) -> None:
    found = stack_tenants.tenant(tenants.tenancy, "user", "victim")
    found["metadata"]["name"] = "user-attacker"
    tenants.api.create(found)
    where = tenants.tenancy.hub_namespace

    def refused() -> str:
        status = tenants.api.get("Tenant", "user-attacker", where).get("status") or {}
        return str(status.get("message", "")) if status.get("phase") == "Refused" else ""

    assert "must be named user-victim" in wait_until(refused, timeout_s=10, what="the refusal")
    assert tenants.api.find("Namespace", tenants.tenancy.namespace_of("user", "victim")) is None


def test_tenant_objects_elsewhere_are_not_honoured(tenants: Tenants, namespace: str) -> None:
    found = stack_tenants.tenant(tenants.tenancy, "user", "elsewhere")
    found["metadata"]["namespace"] = namespace
    tenants.api.create(found)
    # Whatever the controller sees afterwards, it has had time to see this one.
    tenants.ensure("user", "after-elsewhere")
    assert "status" not in tenants.api.get("Tenant", "user-elsewhere", namespace)
    assert tenants.api.find("Namespace", tenants.tenancy.namespace_of("user", "elsewhere")) is None


def test_a_second_installation_does_not_interfere(cluster: Cluster, tenants: Tenants) -> None:
    """It even has the same prefixes, by mistake: it must not take over, only refuse."""
    prefixes = {key: getattr(tenants.tenancy, key) for key in ("user_prefix", "project_prefix")}
    namespace = tenants.ensure("user", "shared")
    kept = {
        identity(wanted): tenants.api.get(*identity(wanted)[::2], identity(wanted)[1])
        for wanted in manifests(TenantSpec("user", "shared"), tenants.tenancy)
    }
    second = stack_tenants.deploy(cluster, stack_tenants.unique(), **prefixes)
    try:
        second.write("user", "shared")
        assert "not made by this platform" in second.wait("user", "shared", "Refused")["message"]
        theirs = second.ensure("user", "only-theirs")
        assert theirs.startswith(prefixes["user_prefix"])
        for (kind, where, name), before in kept.items():
            now = tenants.api.get(kind, name, where)
            assert now["metadata"]["uid"] == before["metadata"]["uid"]
            assert now.get("spec") == before.get("spec")
            assert now["metadata"]["labels"] == before["metadata"]["labels"]
        # With its controller gone, an edit of the second's object stays: the first leaves it be.
        second.api.delete("Deployment", ACCOUNT, second.tenancy.controller_namespace)
        wait_until(
            lambda: not second.api.list("Pod", second.tenancy.controller_namespace),
            timeout_s=60,
            what="the second controller to end",
        )
        second.api.merge("ResourceQuota", "compute", {"spec": {"hard": {"pods": "1234"}}}, theirs)
        tenants.api.delete("LimitRange", "containers", namespace)
        tenants.wait_right(tenants.wanted(TenantSpec("user", "shared"), "LimitRange", "containers"))
        found = second.api.get("ResourceQuota", "compute", theirs)
        assert found["spec"]["hard"]["pods"] == "1234"
    finally:
        second.remove()


# -- the controller itself ------------------------------------------------------------------


@pytest.mark.parametrize(
    "wanted",
    [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}},
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": "x", "namespace": "kube-system"},
        },
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {"name": "x", "namespace": "default"},
            "spec": {"podSelector": {}, "ingress": [{}]},
        },
    ],
    ids=lambda wanted: f"{wanted['kind']} in {wanted['metadata'].get('namespace', 'cluster')}",
)
def test_a_taken_over_controller_is_held_in_tenants_namespaces(
    tenants: Tenants, namespace: str, wanted: dict[str, Any]
) -> None:
    controller = tenants.as_account(tenants.tenancy.controller_namespace, ACCOUNT)
    with pytest.raises(ForbiddenError, match="only touch namespaces of tenants"):
        controller.create(wanted)
    with pytest.raises(ForbiddenError, match="only touch namespaces of tenants"):
        controller.delete("Namespace", namespace)


def test_a_taken_over_controller_hands_out_two_roles_only(tenants: Tenants) -> None:
    tenants.ensure("user", "bound")
    spec = TenantSpec("user", "bound")
    controller = tenants.as_account(tenants.tenancy.controller_namespace, ACCOUNT)
    namespace = tenants.tenancy.namespace(spec)
    binding = tenants.wanted(spec, "RoleBinding", "members")
    binding["metadata"] = {"name": "trial", "namespace": namespace}
    assert controller.create(binding, dry_run=True)  # the positive control
    binding["roleRef"]["name"] = "cluster-admin"
    with pytest.raises(ForbiddenError):
        controller.create(binding)
    for kind in ("Secret", "ConfigMap"):
        with pytest.raises(ForbiddenError):
            controller.list(kind, namespace)
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "x", "namespace": namespace},
        "spec": {"containers": [{"name": "x", "image": "x"}]},
    }
    with pytest.raises(ForbiddenError):
        controller.create(pod)
