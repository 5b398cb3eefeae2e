"""The companions of the cluster tests are valid objects, labelled, and `restricted`."""

from __future__ import annotations

from typing import Any

import pytest

from support import companions_parts as parts
from support.companions_policies import policies
from support.manifests import MINORS, check, check_labels


@pytest.fixture
def objects() -> list[dict[str, Any]]:
    names = parts.Names("autonoe", "u-", "p-")
    return [
        parts.namespace(names),
        *parts.token_review(names),
        parts.secret(names, "openbao", {"key": b"\0"}),
        *policies(names, ("10.0.0.1", 6443)),
        *parts.openbao(names),
        *parts.seaweedfs(names),
        *parts.postgres(names),
        *parts.mlflow(names),
    ]


@pytest.mark.parametrize("minor", MINORS)
def test_each_object_is_valid(objects: list[dict[str, Any]], minor: str) -> None:
    check(objects, minor)
    check_labels(objects)


def test_each_pod_is_restricted_and_reads_no_secret_from_its_arguments(
    objects: list[dict[str, Any]],
) -> None:
    specs = [o["spec"]["template"]["spec"] for o in objects if o["kind"] == "Deployment"]
    assert len(specs) == 4
    for spec in specs:
        assert spec["securityContext"]["runAsNonRoot"]
        for container in spec["containers"]:
            security = container["securityContext"]
            assert security["readOnlyRootFilesystem"]
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert not security["allowPrivilegeEscalation"]
            assert security["seccompProfile"] == {"type": "RuntimeDefault"}


def test_only_openbao_may_ask_the_cluster_about_tokens(objects: list[dict[str, Any]]) -> None:
    (binding,) = [o for o in objects if o["kind"] == "ClusterRoleBinding"]
    assert binding["roleRef"]["name"] == "system:auth-delegator"
    assert [subject["name"] for subject in binding["subjects"]] == ["openbao"]
    with_token = {
        o["metadata"]["name"]
        for o in objects
        if o["kind"] == "Deployment"
        and o["spec"]["template"]["spec"]["automountServiceAccountToken"]
    }
    assert with_token == {"openbao"}
