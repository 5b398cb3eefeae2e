"""What each identity may do, as the API server itself says it, beside what was agreed.

The files in ``golden`` are reviewed like code. After a wanted change, write them anew with
``WRITE_GOLDEN=1`` and read the difference.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from autonoe.kubernetes.client import Cluster as Api
from autonoe_tenants.rights import ACCOUNT
from support.attackers import Scene

GOLDEN = Path(__file__).parent / "golden"
WRITE = "WRITE_GOLDEN"

Rules = list[dict[str, Any]]


def _review(api: Api, namespace: str) -> Rules:
    answer = api.ask(
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        }
    )
    return list(answer["status"]["resourceRules"])


def _flat(rules: Rules) -> set[tuple[str, str, str, str]]:
    """Return each single right: group, resource, name (empty for all), verb."""
    return {
        (group, resource, name, verb)
        for rule in rules
        for group in rule.get("apiGroups") or [""]
        for resource in rule["resources"]
        for name in rule.get("resourceNames") or [""]
        for verb in rule["verbs"]
    }


def _rights(stage: Scene, account: tuple[str, str], namespace: str) -> dict[str, list[str]]:
    """Return verbs by resource that an account has in a namespace and anybody has not."""
    anybody = stage.tenants.as_account("default", "default")
    asked = stage.tenants.as_account(*account)
    own = _flat(_review(asked, namespace)) - _flat(_review(anybody, namespace))
    found: dict[str, list[str]] = {}
    instance = stage.tenants.tenancy.instance
    for group, resource, name, verb in sorted(own):
        where = f"{group}/{resource}" if group else resource
        key = f"{where} {name.replace(instance, 'INSTANCE')}".strip()
        found.setdefault(key, []).append(verb)
    return found


def _accounts(stage: Scene) -> dict[str, tuple[tuple[str, str], str]]:
    """Return, by the name of the golden file, who is asked and about which namespace."""
    tenancy = stage.tenants.tenancy
    hub = (tenancy.hub_namespace, tenancy.hub_account)
    controller = (tenancy.controller_namespace, ACCOUNT)
    notebook = (stage.own, "notebook")
    return {
        "notebook-at-home": (notebook, stage.own),
        "notebook-elsewhere": (notebook, stage.victims),
        "notebook-at-the-hub": (notebook, tenancy.hub_namespace),
        "workload-at-home": ((stage.own, "workload"), stage.own),
        "hub-at-home": (hub, tenancy.hub_namespace),
        "hub-at-a-tenant": (hub, stage.own),
        "hub-elsewhere": (hub, "kube-system"),
        "controller-at-a-tenant": (controller, stage.own),
        "controller-at-the-hub": (controller, tenancy.hub_namespace),
    }


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.json")), ids=lambda path: path.stem)
def test_rights_are_the_agreed_ones(stage: Scene, path: Path) -> None:
    account, namespace = _accounts(stage)[path.stem]
    found = _rights(stage, account, namespace)
    if os.environ.get(WRITE):
        path.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(path.read_text(encoding="utf-8"))


def test_every_identity_has_its_file(stage: Scene) -> None:
    assert {path.stem for path in GOLDEN.glob("*.json")} == set(_accounts(stage))


def test_those_who_should_have_nothing_have_nothing() -> None:
    for name in ("notebook-elsewhere", "notebook-at-the-hub", "workload-at-home", "hub-elsewhere"):
        assert json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8")) == {}, name
