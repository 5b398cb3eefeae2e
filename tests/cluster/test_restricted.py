"""Every object that the platform makes is accepted where ``restricted`` is enforced."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from autonoe.kubernetes.labels import TENANT
from autonoe.tenants.manifests import manifests
from autonoe.tenants.spec import TenantSpec
from autonoe_tenants.install import manifests as controller_manifests
from support.attackers import Scene, pod
from support.collisions import ground_pair, short_hash
from support.manifests import check_labels

Object = dict[str, Any]


def _dry_run(stage: Scene, *objects: Object) -> str:
    """Return what the API server says about objects; warnings of Pod Security are in it."""
    answer = subprocess.run(
        [
            stage.tenants.cluster.tool("kubectl"),
            f"--kubeconfig={stage.tenants.cluster.kubeconfig}",
            *("apply", "--server-side", "--force-conflicts", "--dry-run=server", "--filename=-"),
        ],
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stderr


def _ours(stage: Scene) -> Iterator[Object]:
    tenancy = stage.tenants.tenancy
    yield from controller_manifests(tenancy, image="localhost/autonoe/tenants:dev")
    yield from manifests(TenantSpec("user", "alice"), tenancy)


def test_every_object_of_ours_is_accepted_without_a_warning(stage: Scene) -> None:
    objects = list(_ours(stage))
    assert len(objects) > 30
    assert _dry_run(stage, *objects) == ""
    check_labels(objects)


def test_a_warning_would_have_been_seen(stage: Scene) -> None:
    """The positive control: a Deployment of a weaker pod is accepted, with a warning."""
    weaker = pod("weaker", stage.own)["spec"]
    del weaker["containers"][0]["securityContext"]
    template = {"metadata": {"labels": {"a": "b"}}, "spec": weaker}
    found = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "weaker", "namespace": stage.own},
        "spec": {"selector": {"matchLabels": {"a": "b"}}, "template": template},
    }
    assert "would violate PodSecurity" in _dry_run(stage, found)


@pytest.mark.parametrize("kind", ["NetworkPolicy", "ResourceQuota", "LimitRange", "RoleBinding"])
def test_what_is_on_the_cluster_says_whose_it_is(stage: Scene, kind: str) -> None:
    found = stage.admin.list(kind, stage.own)
    check_labels(found)
    assert {row["metadata"]["labels"][TENANT] for row in found} == {"user"}
    assert {row["metadata"]["annotations"]["autonoe.dev/owner"] for row in found} == {"mallory"}


def test_names_that_collide_in_32_bits_get_two_namespaces(stage: Scene) -> None:
    one, other = ground_pair()
    assert short_hash(one) == short_hash(other)
    assert stage.tenants.ensure("user", one) != stage.tenants.ensure("user", other)
