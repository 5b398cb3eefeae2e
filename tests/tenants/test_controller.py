"""What the controller decides without a cluster: differences, capacity, its own manifests."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from autonoe.errors import InvalidInputError
from autonoe.kubernetes.labels import OWNER
from autonoe.kubernetes.quantities import human, human_bytes, parse
from autonoe.tenants.manifests import manifests
from autonoe.tenants.spec import TenantSpec
from autonoe.tenants.tenancy import Tenancy
from autonoe_tenants import __main__ as program
from autonoe_tenants.capacity import capacity
from autonoe_tenants.difference import differs

TENANCY = Tenancy(api_servers=("10.0.0.1:6443",))
OBJECTS = {
    (found["kind"], found["metadata"]["name"]): found
    for found in manifests(TenantSpec("user", "ana"), TENANCY)
}
POLICY = OBJECTS["NetworkPolicy", "default-deny"]


def _as_served(found: dict[str, Any]) -> dict[str, Any]:
    """Return an object as the API server would give it back: more fields, empty lists left out."""
    served = copy.deepcopy(found)
    served["metadata"] |= {"uid": "1", "resourceVersion": "7", "managedFields": [{}]}
    if "spec" in served:
        served["spec"] = {key: value for key, value in served["spec"].items() if value != []}
    served["status"] = {"phase": "Active"}
    return served


@pytest.mark.parametrize(
    "found", OBJECTS.values(), ids=lambda found: str(found["metadata"]["name"])
)
def test_what_the_api_server_gives_back_is_no_difference(found: dict[str, Any]) -> None:
    assert not differs(_as_served(found), found)


CHANGES: list[tuple[str, Callable[[dict[str, Any]], Any]]] = [
    ("open ingress", lambda found: found["spec"].update(ingress=[{}])),
    ("open egress", lambda found: found["spec"].update(egress=[{}])),
    ("other pods", lambda found: found["spec"].update(podSelector={"matchLabels": {"a": "b"}})),
    ("one direction", lambda found: found["spec"].update(policyTypes=["Ingress"])),
    ("a label of ours", lambda found: found["metadata"]["labels"].clear()),
    (
        "the owner",
        lambda found: found["metadata"]["annotations"].update({OWNER: "x"}),
    ),
]


@pytest.mark.parametrize(("what", "change"), CHANGES, ids=[what for what, _ in CHANGES])
def test_a_change_is_seen(what: str, change: Callable[[dict[str, Any]], Any]) -> None:
    served = _as_served(POLICY)
    change(served)
    assert differs(served, POLICY)


def test_an_empty_selector_inside_a_rule_is_not_nothing() -> None:
    """`from: [{}]` lets everyone in; it must never count as `from: []`."""
    wanted = OBJECTS["NetworkPolicy", "same-namespace"]
    served = _as_served(wanted)
    served["spec"]["ingress"] = [{"from": [{"podSelector": {}, "namespaceSelector": {}}]}]
    assert differs(served, wanted)
    served["spec"]["ingress"] = [{}]
    assert differs(served, wanted)


def test_another_spelling_of_a_quantity_is_no_difference() -> None:
    wanted = OBJECTS["ResourceQuota", "compute"]
    served = _as_served(wanted)
    served["spec"]["hard"]["limits.cpu"] = "8000m"
    served["spec"]["hard"]["limits.memory"] = "32768Mi"
    assert not differs(served, wanted)
    served["spec"]["hard"]["limits.cpu"] = "8001m"
    assert differs(served, wanted)


def test_a_label_of_somebody_else_is_no_difference() -> None:
    served = _as_served(POLICY)
    served["metadata"]["labels"]["cost-centre"] = "42"
    assert not differs(served, POLICY)


# -- capacity -------------------------------------------------------------------------------


def _node(name: str, **spec: Any) -> dict[str, Any]:
    status = {
        "allocatable": {"cpu": "4", "memory": "8Gi", "nvidia.com/gpu": "1"},
        "conditions": [{"type": "Ready", "status": spec.pop("ready", "True")}],
    }
    return {"metadata": {"name": name, "labels": {"zone": "a"}}, "spec": spec, "status": status}


def _asks(cpu: str, memory: str = "0", **more: Any) -> dict[str, Any]:
    return {"resources": {"requests": {"cpu": cpu, "memory": memory}}, **more}


def _pod(*containers: dict[str, Any], init: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {"spec": {"nodeName": "n", "containers": containers, "initContainers": init or []}}


def test_what_pods_ask_for_is_taken_off() -> None:
    pods = [_pod(_asks("500m", "1Gi"), _asks("1", "512Mi")), {"spec": {"containers": []}}]
    (row,) = capacity([_node("n")], pods)
    assert row["allocatable"] == {"cpu_millis": 4000, "memory_bytes": 8 * 2**30, "gpu": 1}
    assert row["free"] == {"cpu_millis": 2500, "memory_bytes": int(6.5 * 2**30), "gpu": 1}
    assert row["labels"] == {"zone": "a"}


def test_init_containers_count_by_their_largest_and_sidecars_all_the_time() -> None:
    sidecar = _asks("200m", restartPolicy="Always")
    (row,) = capacity([_node("n")], [_pod(_asks("1"), init=[_asks("3"), _asks("2")])])
    assert row["free"]["cpu_millis"] == 1000
    (row,) = capacity([_node("n")], [_pod(_asks("1"), init=[sidecar, _asks("500m")])])
    assert row["free"]["cpu_millis"] == 2800


def test_closed_and_lost_machines_are_left_out() -> None:
    nodes = [_node("b"), _node("closed", unschedulable=True), _node("lost", ready="Unknown")]
    assert [row["name"] for row in capacity([*nodes, _node("a")], [])] == ["a", "b"]


def test_more_taken_than_there_is_leaves_nothing_and_no_less() -> None:
    (row,) = capacity([_node("n")], [_pod(_asks("9", "99Gi"))])
    assert row["free"] == {"cpu_millis": 0, "memory_bytes": 0, "gpu": 1}


# -- quantities -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [("250m", 0.25), ("2", 2), ("1.5Gi", 1610612736), ("2e3", 2000), ("100M", 1e8), ("1k", 1000)],
)
def test_quantities_are_read(text: str, value: float) -> None:
    assert float(parse(text)) == value


@pytest.mark.parametrize("text", ["", "many", "1 Gi", "1GiB", "Gi", "1mi"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError):
        parse(text)


def test_amounts_read_well() -> None:
    assert human("limits.memory", "16Gi") == "16 GiB"
    assert human("requests.cpu", "1500m") == "1.5 CPUs"
    assert human("requests.nvidia.com/gpu", "1") == "1 GPU"
    assert human("pods", "20") == "20 pods"
    assert human_bytes(1023) == "1023 B"


# -- the program ----------------------------------------------------------------------------


def test_the_program_prints_what_an_administrator_applies() -> None:
    answer = CliRunner().invoke(
        program.main,
        [
            "manifests",
            "--instance",
            "stats",
            "--image",
            "x/tenants:1",
            "--api-server",
            "10.0.0.1:6443",
        ],
    )
    assert answer.exit_code == 0, answer.output
    objects = list(yaml.safe_load_all(answer.output))
    assert objects[0]["metadata"]["name"] == "tenants.autonoe.dev"
    wide = [o["metadata"]["name"] for o in objects if "namespace" not in o["metadata"]]
    assert all("stats" in name or name == "tenants.autonoe.dev" for name in wide)
    (deployment,) = (o for o in objects if o["kind"] == "Deployment")
    assert deployment["metadata"]["namespace"] == "stats-tenants"
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "x/tenants:1"


def test_the_program_says_what_is_missing() -> None:
    answer = CliRunner().invoke(program.main, ["manifests", "--image", "x"])
    assert isinstance(answer.exception, InvalidInputError)
    assert "api_servers" in answer.exception.message
