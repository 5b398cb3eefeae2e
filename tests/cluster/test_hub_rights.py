"""The hub's rights, as the API server itself tells them: a new one has to be written here first."""

from __future__ import annotations

from typing import Any

import pytest

from autonoe.kubernetes.client import Cluster as Api
from support.stack import Stack

OWN = {
    ("autonoe.dev/tenants", ""): "create get list patch watch",
    ("configmaps", "autonoe-capacity"): "get",
}
IN_A_TENANT = {
    ("events", ""): "list watch",
    ("persistentvolumeclaims", ""): "create delete get",
    ("pods", ""): "create delete list watch",
    ("resourcequotas", ""): "get list",
}


@pytest.fixture(scope="module")
def as_hub(stack: Stack) -> Api:
    stack.tenants.ensure("user", "oskar", groups=[])
    return stack.tenants.as_account(stack.instance, "hub")


def _rules(api: Api, namespace: str) -> dict[tuple[str, str], str]:
    answer = api.ask(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        }
    )
    assert not answer["status"]["incomplete"]
    found: dict[tuple[str, str], set[str]] = {}
    for rule in answer["status"]["resourceRules"]:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                for name in rule.get("resourceNames") or [""]:
                    key = (f"{group}/{resource}" if group else resource, name)
                    found.setdefault(key, set()).update(rule["verbs"])
    return {key: " ".join(sorted(verbs)) for key, verbs in found.items()}


def test_the_hub_has_these_rights_and_no_others(stack: Stack, as_hub: Api) -> None:
    names = stack.companions.names
    # What every login has, such as asking what it may do.
    nobody = stack.tenants.as_account(stack.instance, "default")
    everyones = set(_rules(nobody, stack.instance))

    def beyond(namespace: str) -> dict[tuple[str, str], str]:
        found = _rules(as_hub, namespace)
        return {key: verbs for key, verbs in found.items() if key not in everyones}

    assert beyond(stack.instance) == OWN
    assert beyond(stack.hub.tenant("oskar")) == IN_A_TENANT
    for elsewhere in ("default", "kube-system", names.platform, names.controller):
        assert beyond(elsewhere) == {}


@pytest.mark.parametrize(
    ("verb", "resource", "group", "where"),
    [
        ("create", "namespaces", "", None),
        ("list", "pods", "", None),
        ("create", "pods", "", "kube-system"),
        ("create", "pods", "", "own"),
        ("get", "secrets", "", "own"),
        ("get", "secrets", "", "tenant"),
        ("create", "serviceaccounts/token", "", "tenant"),
        ("create", "pods/exec", "", "tenant"),
        ("create", "rolebindings", "rbac.authorization.k8s.io", "tenant"),
        ("delete", "tenants", "autonoe.dev", "own"),
        ("list", "nodes", "", None),
    ],
)
def test_what_would_make_it_more_is_refused(
    stack: Stack, as_hub: Api, verb: str, resource: str, group: str, where: str | None
) -> None:
    named = {"own": stack.instance, "tenant": stack.hub.tenant("oskar")}
    resource, _, subresource = resource.partition("/")
    attributes: dict[str, Any] = {"verb": verb, "resource": resource, "group": group}
    if subresource:
        attributes["subresource"] = subresource
    if where is not None:
        attributes["namespace"] = named.get(where, where)
    answer = as_hub.ask(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        }
    )
    assert answer["status"]["allowed"] is False
