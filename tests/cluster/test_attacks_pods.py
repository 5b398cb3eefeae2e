"""Attacks by pods: weaker ones than allowed, other people's volumes, more than one's share.

Each attack stands beside the harmless form of the same object, which has to be accepted: so that a
refusal is about the attack and not about a mistake in the object.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from autonoe.errors import ForbiddenError
from autonoe.kubernetes.errors import QuotaExceededError
from autonoe.kubernetes.pending import why_pending
from autonoe.waiting import wait_until
from support.attackers import Scene, pod

Object = dict[str, Any]


# -- weaker pods ----------------------------------------------------------------------------


def _main(found: Object) -> Object:
    container: Object = found["spec"]["containers"][0]
    return container


def _set(**security: Any) -> Callable[[Object], Any]:
    return lambda found: _main(found)["securityContext"].update(security)


def _spec(**spec: Any) -> Callable[[Object], Any]:
    return lambda found: found["spec"].update(spec)


def _volume(**volume: Any) -> Callable[[Object], Any]:
    return _spec(volumes=[{"name": "v", **volume}])


WEAKER: dict[str, tuple[str, Callable[[Object], Any]]] = {
    "hostPath": ("pod_security", _volume(hostPath={"path": "/"})),
    "hostPath of the runtime": (
        "pod_security",
        _volume(hostPath={"path": "/run/containerd/containerd.sock"}),
    ),
    "another machine's disk": ("pod_security", _volume(nfs={"server": "10.0.0.1", "path": "/"})),
    "privileged": ("pod_security", _set(privileged=True, allowPrivilegeEscalation=True)),
    "root by number": ("pod_security", _set(runAsUser=0)),
    "root by leave": ("pod_security", _set(runAsNonRoot=False)),
    "setuid": ("pod_security", _set(allowPrivilegeEscalation=True)),
    "a capability": ("pod_security", _set(capabilities={"drop": ["ALL"], "add": ["NET_ADMIN"]})),
    "all capabilities kept": ("pod_security", _set(capabilities={})),
    "no seccomp": ("pod_security", _set(seccompProfile={"type": "Unconfined"})),
    "the machine's network": ("pod_security", _spec(hostNetwork=True)),
    "the machine's processes": ("pod_security", _spec(hostPID=True)),
    "the machine's memory": ("pod_security", _spec(hostIPC=True)),
    "a port of the machine": (
        "pod_security",
        lambda found: _main(found).update(ports=[{"containerPort": 80, "hostPort": 80}]),
    ),
    "a kernel setting": (
        "pod_security",
        _spec(securityContext={"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}),
    ),
    "root in an init container": (
        "pod_security",
        lambda found: found["spec"].update(
            initContainers=[
                {**copy.deepcopy(_main(found)), "name": "i", "securityContext": {"runAsUser": 0}}
            ]
        ),
    ),
    "priority over the platform": (
        "policy_refused",
        _spec(priorityClassName="system-cluster-critical"),
    ),
    "a chosen machine": ("policy_refused", _spec(nodeName="node1")),
    "every machine": ("policy_refused", _spec(tolerations=[{"operator": "Exists"}])),
    "the control plane": (
        "policy_refused",
        _spec(tolerations=[{"key": "node-role.kubernetes.io/control-plane", "operator": "Exists"}]),
    ),
}


@pytest.mark.parametrize("what", WEAKER)
def test_a_weaker_pod_is_refused(stage: Scene, what: str) -> None:
    code, weaken = WEAKER[what]
    wanted = pod("weaker", stage.own)
    assert stage.attacker.create(wanted, dry_run=True)
    weaken(wanted)
    with pytest.raises(ForbiddenError) as refusal:
        stage.attacker.create(wanted)
    assert refusal.value.code == code
    assert refusal.value.hint


def test_a_weaker_pod_is_refused_in_a_deployment_too_and_the_reason_is_found(stage: Scene) -> None:
    template = pod("x", stage.own)
    _main(template)["securityContext"]["privileged"] = True
    _main(template)["securityContext"]["allowPrivilegeEscalation"] = True
    wanted = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "attack", "namespace": stage.own},
        "spec": {
            "selector": {"matchLabels": {"app": "attack"}},
            "template": {"metadata": {"labels": {"app": "attack"}}, "spec": template["spec"]},
        },
    }
    stage.attacker.create(wanted)  # it is the pods that are refused

    def explained() -> str:
        events = [
            event
            for event in stage.attacker.list("Event", stage.own)
            if event["involvedObject"]["name"].startswith("attack")
        ]
        return why_pending(None, events).code

    try:
        wait_until(
            lambda: explained() == "pod_security", timeout_s=20, what="the reason", interval_s=0.2
        )
        pods = stage.attacker.list("Pod", stage.own, labels={"app": "attack"})
        assert not pods
    finally:
        stage.attacker.delete("Deployment", "attack", stage.own)


@pytest.mark.parametrize("account", ["hub", "tenants", "cluster-admin"])
def test_an_account_of_another_namespace_cannot_be_used(stage: Scene, account: str) -> None:
    """Accounts are found in the pod's own namespace only, and nothing strong is kept there."""
    assert stage.attacker.create(pod("own", stage.own, serviceAccountName="workload"), dry_run=True)
    with pytest.raises(ForbiddenError) as refusal:
        stage.attacker.create(pod("other", stage.own, serviceAccountName=account))
    assert "not found" in refusal.value.message


def test_the_accounts_of_a_tenant_are_all_as_weak_as_its_owner(stage: Scene) -> None:
    bindings = stage.admin.list("RoleBinding", stage.own)
    roles = {
        binding["roleRef"]["name"]
        for binding in bindings
        for subject in binding["subjects"]
        if subject.get("namespace") == stage.own
    }
    assert roles == {stage.tenants.tenancy.member_role}
    everywhere = [
        binding["metadata"]["name"]
        for binding in stage.admin.list("ClusterRoleBinding")
        for subject in binding.get("subjects") or []
        if subject.get("namespace") == stage.own
    ]
    assert not everywhere


# -- other people's volumes -----------------------------------------------------------------


def _claim(stage: Scene, name: str, **spec: Any) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": stage.own},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": "16Mi"}},
            **spec,
        },
    }


def _victims_volume(stage: Scene) -> str:
    return wait_until(
        lambda: str(
            stage.admin.get("PersistentVolumeClaim", "thing", stage.victims)["spec"].get(
                "volumeName", ""
            )
        ),
        timeout_s=30,
        what="the victim's volume",
    )


def test_a_claim_cannot_name_the_victims_volume(stage: Scene) -> None:
    volume = _victims_volume(stage)
    assert stage.attacker.create(_claim(stage, "grab"), dry_run=True)
    with pytest.raises(ForbiddenError) as refusal:
        stage.attacker.create(_claim(stage, "grab", volumeName=volume))
    assert refusal.value.code == "policy_refused"
    # Nor afterwards, while it is not bound yet.
    stage.attacker.create(_claim(stage, "grab", storageClassName="no-such-class"))
    try:
        change = {"spec": {"volumeName": volume}}
        with pytest.raises(ForbiddenError) as refusal:
            stage.attacker.merge("PersistentVolumeClaim", "grab", change, stage.own)
        assert refusal.value.code == "policy_refused"
    finally:
        stage.attacker.delete("PersistentVolumeClaim", "grab", stage.own)


def test_the_victims_claim_is_not_found_from_elsewhere(stage: Scene) -> None:
    """Claims are found in the pod's own namespace only, whatever a volume is called there."""
    name = "only-the-victim-has-this"
    victims = _claim(stage, name)
    victims["metadata"]["namespace"] = stage.victims
    stage.admin.apply(victims)
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": name}}
    wanted = pod("grabber", stage.own, volumes=[volume])
    stage.attacker.create(wanted)

    def why() -> str:
        events = [
            event
            for event in stage.attacker.list("Event", stage.own)
            if event["involvedObject"]["name"] == "grabber"
        ]
        found = stage.attacker.get("Pod", "grabber", stage.own)
        return why_pending(found, events).code

    try:
        wait_until(lambda: why() == "volume_missing", timeout_s=20, what="the reason")
        assert not stage.attacker.get("Pod", "grabber", stage.own)["spec"].get("nodeName")
    finally:
        stage.attacker.delete("Pod", "grabber", stage.own, grace_s=0)


# -- more than one's share ------------------------------------------------------------------

SHARES: dict[str, tuple[str, str, Callable[[Scene], Object]]] = {
    "memory": (
        "compute",
        "4 GiB",
        lambda stage: _sized(stage, limits={"memory": "9Gi", "cpu": "1"}),
    ),
    "CPU": ("compute", "4 CPUs", lambda stage: _sized(stage, limits={"cpu": "9", "memory": "1Gi"})),
    "GPU": (
        "compute",
        "0 GPU",
        lambda stage: _sized(
            stage,
            limits={"nvidia.com/gpu": "1", "cpu": "1", "memory": "1Gi"},
            requests={"nvidia.com/gpu": "1"},
        ),
    ),
    "storage": (
        "storage",
        "1 GiB",
        lambda stage: _claim(stage, "large", resources={"requests": {"storage": "5Gi"}}),
    ),
}


def _sized(stage: Scene, **resources: Any) -> Object:
    found = pod("large", stage.own)
    _main(found)["resources"] = resources
    return found


@pytest.mark.parametrize("what", SHARES)
def test_more_than_ones_share_is_refused_and_the_quota_named(stage: Scene, what: str) -> None:
    quota, limit, build = SHARES[what]
    with pytest.raises(QuotaExceededError) as refusal:
        stage.attacker.create(build(stage))
    error = refusal.value
    assert error.code == "quota_exceeded"
    assert f"'{quota}'" in error.message
    assert limit in error.message
    assert "larger quota" in error.hint


def test_no_more_pods_than_ones_share(stage: Scene) -> None:
    names = [f"many-{number}" for number in range(12)]
    made = []
    try:
        with pytest.raises(QuotaExceededError) as refusal:  # noqa: PT012  which one is refused, depends
            for name in names:
                wanted = pod(name, stage.own)
                _main(wanted)["resources"] = {"limits": {"cpu": "10m", "memory": "16Mi"}}
                stage.attacker.create(wanted)
                made.append(name)
        assert made  # the share itself is to be had
        assert "'compute'" in refusal.value.message
        assert "12 pods" in refusal.value.message
    finally:
        for name in made:
            stage.attacker.delete("Pod", name, stage.own, grace_s=0)


def test_a_pod_that_says_nothing_gets_defaults_and_counts(stage: Scene) -> None:
    found = pod("silent", stage.own)
    del _main(found)["resources"]
    made = stage.attacker.create(found, dry_run=True)
    defaults = stage.tenants.tenancy.container_defaults
    assert _main(made)["resources"]["limits"] == {"cpu": defaults.cpu, "memory": defaults.memory}
