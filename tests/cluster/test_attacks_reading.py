"""Attacks on other people's things: read, change, enter, impersonate. Each is refused.

Every attack is made with the token of the attacker's own notebook, and has a positive control: the
same call where it is allowed, so that a refusal cannot come from a mistake in the attack.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from autonoe.errors import AutonoeError, ForbiddenError, NotFoundError
from autonoe.kubernetes.resources import Resource
from support import stack_tenants
from support.attackers import Scene, belongings, pod

KINDS = ["Pod", "ConfigMap", "Secret", "Service", "PersistentVolumeClaim", "Deployment", "Job"]
WATCHED = ["Event", "ServiceAccount", "RoleBinding", "NetworkPolicy", "ResourceQuota", "LimitRange"]
CLUSTER_WIDE = ["Namespace", "Node", "PersistentVolume", "ClusterRole", "ClusterRoleBinding"]
TENANT = Resource("autonoe.dev/v1alpha1", "Tenant", "tenants")


def _refused(error: pytest.ExceptionInfo[AutonoeError]) -> None:
    assert "forbidden" in error.value.message.lower()
    assert "mallory" in error.value.message, "refused for another reason than who asks"


def _victims_namespaces(stage: Scene) -> dict[str, str]:
    tenancy = stage.tenants.tenancy
    return {
        "victim": stage.victims,
        "hub": tenancy.hub_namespace,
        "controller": tenancy.controller_namespace,
        "system": "kube-system",
        "default": "default",
        "everywhere": "",
    }


@pytest.mark.parametrize(
    "where", ["victim", "hub", "controller", "system", "default", "everywhere"]
)
@pytest.mark.parametrize("kind", [*KINDS, *WATCHED])
def test_nothing_of_others_is_listed(stage: Scene, kind: str, where: str) -> None:
    assert isinstance(stage.attacker.list(kind, stage.own), list)  # the positive control
    with pytest.raises(ForbiddenError) as refusal:
        stage.attacker.list(kind, _victims_namespaces(stage)[where])
    _refused(refusal)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_others_is_read_by_name(stage: Scene, kind: str) -> None:
    assert stage.attacker.get(kind, "thing", stage.own)
    assert stage.admin.get(kind, "thing", stage.victims)
    with pytest.raises(ForbiddenError) as refusal:
        stage.attacker.get(kind, "thing", stage.victims)
    _refused(refusal)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_others_is_watched(stage: Scene, kind: str) -> None:
    assert list(stage.attacker.watch(kind, stage.own, timeout_s=1))
    with pytest.raises(ForbiddenError) as refusal:
        list(stage.attacker.watch(kind, stage.victims, timeout_s=1))
    _refused(refusal)


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_of_others_is_deleted(stage: Scene, kind: str) -> None:
    with pytest.raises(ForbiddenError) as refusal:
        stage.attacker.delete(kind, "thing", stage.victims)
    _refused(refusal)
    assert stage.admin.get(kind, "thing", stage.victims)


@pytest.mark.parametrize("wanted", belongings("own"), ids=lambda found: str(found["kind"]))
def test_nothing_is_made_or_changed_at_others(stage: Scene, wanted: dict[str, Any]) -> None:
    def at(namespace: str, name: str) -> dict[str, Any]:
        return {**wanted, "metadata": {**wanted["metadata"], "name": name, "namespace": namespace}}

    assert stage.attacker.create(at(stage.own, "new"), dry_run=True)
    assert stage.admin.create(at(stage.victims, "new"), dry_run=True)
    with pytest.raises(ForbiddenError) as refusal:
        stage.attacker.create(at(stage.victims, "new"))
    _refused(refusal)
    with pytest.raises(ForbiddenError):
        stage.attacker.apply(at(stage.victims, "thing"))


@pytest.mark.parametrize("kind", CLUSTER_WIDE)
def test_nothing_of_the_cluster_is_listed(stage: Scene, kind: str) -> None:
    assert isinstance(stage.admin.list(kind), list)
    with pytest.raises(ForbiddenError) as refusal:
        stage.attacker.list(kind)
    _refused(refusal)


def test_tenant_objects_are_not_a_tenants(stage: Scene) -> None:
    """Not read (they hold people's addresses), not changed (a quota is a wall), not made."""
    hub = stage.tenants.tenancy.hub_namespace
    name = "user-mallory"
    assert stage.admin.get(TENANT, name, hub)
    for attack in (
        lambda: stage.attacker.list(TENANT, hub),
        lambda: stage.attacker.get(TENANT, name, hub),
        lambda: stage.attacker.merge(TENANT, name, {"spec": {"quota": {"cpu": "999"}}}, hub),
        lambda: stage.attacker.merge(TENANT, name, {"status": {}}, hub, subresource="status"),
        lambda: stage.attacker.create(stack_tenants.tenant(stage.tenants.tenancy, "user", "new")),
    ):
        with pytest.raises(ForbiddenError) as refusal:
            attack()
        _refused(refusal)


@pytest.mark.parametrize(
    "sub", ["log", "exec?command=id&stdout=true", "attach?stdout=true", "portforward", "proxy/"]
)
def test_nobody_enters_another_ones_pod(stage: Scene, sub: str) -> None:
    def path(namespace: str) -> str:
        return Resource("v1", "Pod", "pods").path(namespace, "thing") + f"/{sub}"

    if sub == "log":
        assert stage.attacker.get(Resource("v1", "Pod", "pods"), "thing/log", stage.own) == {}
    elif not sub.startswith("proxy"):
        # Allowed; what is missing is the upgrade to a websocket.
        with pytest.raises(AutonoeError) as control:
            stage.attacker.post(path(stage.own), {})
        assert "pgrade" in control.value.message
    with pytest.raises(ForbiddenError) as refusal:
        stage.attacker.post(path(stage.victims), {})
    _refused(refusal)


def test_a_person_runs_commands_in_their_own_pod_only(stage: Scene, tmp_path: Path) -> None:
    """`kubectl exec` with the notebook's own login and nothing else."""
    login = stage.tenants.kubeconfig(tmp_path, stage.own)
    assert stage.tenants.kubectl(login, "exec", "thing", "--", "echo", "hi") == (0, "hi\n")
    code, text = stage.tenants.kubectl(
        login, "exec", f"--namespace={stage.victims}", "thing", "--", "echo", "hi"
    )
    assert code != 0
    assert "Forbidden" in text


@pytest.mark.parametrize("account", ["notebook", "workload", "default"])
def test_a_login_of_others_is_not_to_be_had(stage: Scene, account: str) -> None:
    assert stack_tenants.make_token(stage.admin, stage.victims, account)
    for namespace in (stage.victims, stage.own):
        with pytest.raises(ForbiddenError) as refusal:
            stack_tenants.make_token(stage.attacker, namespace, account)
        _refused(refusal)


@pytest.mark.parametrize("who", ["system:admin", "system:serviceaccount:kube-system:default"])
def test_nobody_acts_as_somebody_else(stage: Scene, tmp_path: Path, who: str) -> None:
    question = ["get", "namespaces", f"--as={who}", "--as-group=system:masters"]
    code, text = stage.tenants.kubectl(stage.tenants.cluster.kubeconfig, *question)
    assert code == 0, text
    code, text = stage.tenants.kubectl(stage.tenants.kubeconfig(tmp_path, stage.own), *question)
    assert code != 0
    assert "cannot impersonate" in text


@pytest.mark.parametrize("account", ["workload", "default"])
def test_the_other_accounts_of_a_namespace_have_no_right_at_all(stage: Scene, account: str) -> None:
    weak = stage.tenants.as_account(stage.own, account)
    for kind in [*KINDS, *WATCHED]:
        with pytest.raises(ForbiddenError):
            weak.list(kind, stage.own)
    with pytest.raises(ForbiddenError):
        weak.create(pod("new", stage.own))


def test_a_projects_members_work_in_it_and_nobody_else(stage: Scene) -> None:
    namespace = stage.tenants.ensure("project", "census", members=["alice"])
    member = stage.tenants.as_account(stage.victims)
    assert member.create(pod("new", namespace), dry_run=True)
    with pytest.raises(ForbiddenError) as refusal:
        stage.attacker.create(pod("new", namespace))
    _refused(refusal)
    stage.tenants.write("project", "census", members=[])
    stage.tenants.wait("project", "census")
    with pytest.raises(ForbiddenError):
        member.create(pod("new", namespace), dry_run=True)


def test_a_thing_that_is_not_there_looks_like_one_that_is(stage: Scene) -> None:
    """The refusal must not tell which names exist at others."""
    texts = []
    for name in ("thing", "nothing"):
        with pytest.raises(ForbiddenError) as refusal:
            stage.attacker.get("Secret", name, stage.victims)
        texts.append(refusal.value.message.replace(name, "NAME"))
    assert texts[0] == texts[1]
    with pytest.raises(NotFoundError):
        stage.attacker.get("Secret", "nothing", stage.own)
