"""Attacks on the walls themselves: more rights, torn policies, services that catch traffic.

Each attack stands beside the harmless form of the same object, which has to be accepted: so that a
refusal is about the attack and not about a mistake in the object.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from autonoe.errors import AutonoeError, ForbiddenError, NotFoundError
from autonoe.kubernetes.resources import Resource
from support.attackers import Scene

RBAC = "rbac.authorization.k8s.io"
Object = dict[str, Any]


# -- more rights ----------------------------------------------------------------------------


def _rules(group: str, resource: str, *verbs: str) -> list[Object]:
    return [{"apiGroups": [group], "resources": [resource], "verbs": list(verbs)}]


def _named(kind: str, version: str, **more: Any) -> Object:
    return {"apiVersion": version, "kind": kind, "metadata": {"name": "attack"}, **more}


def _to(role: str) -> Object:
    return {"apiGroup": RBAC, "kind": "ClusterRole", "name": role}


_MYSELF = [{"kind": "ServiceAccount", "name": "notebook", "namespace": "default"}]
MAKING: dict[str, Object] = {
    "a role with everything": _named("Role", f"{RBAC}/v1", rules=_rules("*", "*", "*")),
    "a role with what one has": _named("Role", f"{RBAC}/v1", rules=_rules("", "pods", "get")),
    "a binding to cluster-admin": _named(
        "RoleBinding", f"{RBAC}/v1", roleRef=_to("cluster-admin"), subjects=_MYSELF
    ),
    "a binding to edit": _named("RoleBinding", f"{RBAC}/v1", roleRef=_to("edit"), subjects=_MYSELF),
    "a policy that opens the way out": _named(
        "NetworkPolicy",
        "networking.k8s.io/v1",
        spec={"podSelector": {}, "policyTypes": ["Egress"], "egress": [{}]},
    ),
    "an ingress on the hub's host": _named(
        "Ingress",
        "networking.k8s.io/v1",
        spec={
            "rules": [
                {
                    "host": "hub.example.org",
                    "http": {
                        "paths": [
                            {
                                "path": "/hub/login",
                                "pathType": "Prefix",
                                "backend": {"service": {"name": "a", "port": {"number": 80}}},
                            }
                        ]
                    },
                }
            ]
        },
    ),
    "endpoints that lead elsewhere": _named(
        "EndpointSlice",
        "discovery.k8s.io/v1",
        addressType="IPv4",
        endpoints=[{"addresses": ["10.0.0.9"]}],
        ports=[{"port": 5432}],
    ),
    "a larger quota": _named("ResourceQuota", "v1", spec={"hard": {"pods": "99"}}),
    "a service account": _named("ServiceAccount", "v1"),
    "a pod on every machine": _named(
        "DaemonSet",
        "apps/v1",
        spec={
            "selector": {"matchLabels": {"a": "b"}},
            "template": {
                "metadata": {"labels": {"a": "b"}},
                "spec": {"containers": [{"name": "a", "image": "a"}]},
            },
        },
    ),
    "a lease": _named("Lease", "coordination.k8s.io/v1", spec={}),
}


@pytest.mark.parametrize("what", MAKING)
def test_a_tenant_cannot_make(stage: Scene, what: str) -> None:
    wanted = copy.deepcopy(MAKING[what])
    wanted["metadata"]["namespace"] = stage.own
    assert stage.admin.create(wanted, dry_run=True)  # well-formed, and a matter of rights
    with pytest.raises(ForbiddenError, match=r"mallory.*cannot create"):
        stage.attacker.create(wanted)


CLUSTER_WIDE: dict[str, Object] = {
    "a namespace": _named("Namespace", "v1"),
    "a role everywhere": _named("ClusterRole", f"{RBAC}/v1", rules=_rules("*", "*", "*")),
    "a binding everywhere": _named(
        "ClusterRoleBinding", f"{RBAC}/v1", roleRef=_to("cluster-admin"), subjects=_MYSELF
    ),
    "a volume of the machine": _named(
        "PersistentVolume",
        "v1",
        spec={
            "capacity": {"storage": "1Gi"},
            "accessModes": ["ReadWriteOnce"],
            "hostPath": {"path": "/"},
        },
    ),
    "a class of priority": _named("PriorityClass", "scheduling.k8s.io/v1", value=1000000),
}


@pytest.mark.parametrize("what", CLUSTER_WIDE)
def test_a_tenant_cannot_make_for_the_whole_cluster(stage: Scene, what: str) -> None:
    wanted = CLUSTER_WIDE[what]
    assert stage.admin.create(wanted, dry_run=True)
    with pytest.raises(ForbiddenError, match=r"mallory.*cannot create"):
        stage.attacker.create(wanted)


def _tear_down(kind: str, name: str) -> Callable[[Scene], Any]:
    return lambda stage: stage.attacker.delete(kind, name, stage.own)


TEARING: dict[str, Callable[[Scene], Any]] = {
    "default-deny": _tear_down("NetworkPolicy", "default-deny"),
    "the quota": _tear_down("ResourceQuota", "compute"),
    "the limits": _tear_down("LimitRange", "containers"),
    "the binding": _tear_down("RoleBinding", "members"),
    "the account": _tear_down("ServiceAccount", "notebook"),
    "its own namespace": lambda stage: stage.attacker.delete("Namespace", stage.own),
    "pod security": lambda stage: stage.attacker.merge(
        "Namespace",
        stage.own,
        {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "privileged"}}},
    ),
    "its own role": lambda stage: stage.attacker.merge(
        "ClusterRole", stage.tenants.tenancy.member_role, {"rules": []}
    ),
    "the admission policy": lambda stage: stage.attacker.delete(
        "ValidatingAdmissionPolicy", f"{stage.tenants.tenancy.instance}-tenants"
    ),
}


@pytest.mark.parametrize("what", TEARING)
def test_a_tenant_cannot_tear_down(stage: Scene, what: str) -> None:
    with pytest.raises(ForbiddenError, match="mallory"):
        TEARING[what](stage)


# -- services and secrets -------------------------------------------------------------------

_PORTS = [{"port": 80}]
SERVICES: dict[str, tuple[type[AutonoeError], Object]] = {
    "a port on all machines": (AutonoeError, {"type": "NodePort", "ports": _PORTS}),
    "a public address": (AutonoeError, {"type": "LoadBalancer", "ports": _PORTS}),
    "somebody else's address": (ForbiddenError, {"externalIPs": ["10.0.0.9"], "ports": _PORTS}),
    "another name": (ForbiddenError, {"type": "ExternalName", "externalName": "a.example.org"}),
}


@pytest.mark.parametrize("what", SERVICES)
def test_a_service_cannot_take(stage: Scene, what: str) -> None:
    kind, spec = SERVICES[what]
    wanted = _named("Service", "v1", spec={"ports": _PORTS})
    wanted["metadata"]["namespace"] = stage.own
    assert stage.attacker.create(wanted, dry_run=True)
    wanted["spec"] = spec
    with pytest.raises(kind) as refusal:
        stage.attacker.create(wanted)
    assert refusal.value.code in {"policy_refused", "quota_exceeded"}
    mine = stage.attacker.get("Service", "thing", stage.own)
    mine["spec"] |= {**spec, "selector": mine["spec"].get("selector")}
    with pytest.raises(AutonoeError):
        stage.attacker.replace(mine)


def test_a_login_that_never_ends_is_not_to_be_had(stage: Scene) -> None:
    wanted = _named("Secret", "v1", type="Opaque")
    wanted["metadata"] |= {
        "namespace": stage.own,
        "annotations": {"kubernetes.io/service-account.name": "notebook"},
    }
    assert stage.attacker.create(wanted, dry_run=True)
    wanted["type"] = "kubernetes.io/service-account-token"
    with pytest.raises(ForbiddenError) as refusal:
        stage.attacker.create(wanted)
    assert refusal.value.code == "policy_refused"


# -- what the platform extends --------------------------------------------------------------


@pytest.mark.parametrize("sub", ["binding", "eviction", "ephemeralcontainers", "status", "resize"])
def test_the_side_doors_of_a_pod_are_closed(stage: Scene, sub: str) -> None:
    change = {"metadata": {"labels": {"a": "b"}}}
    for attack in (
        lambda: stage.attacker.merge("Pod", "thing", change, stage.own, subresource=sub),
        lambda: stage.attacker.post(
            Resource("v1", "Pod", "pods").path(stage.own, "thing") + f"/{sub}", {}
        ),
    ):
        with pytest.raises((ForbiddenError, NotFoundError)):
            attack()
