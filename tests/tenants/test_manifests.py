"""The objects of a tenant, without a cluster: valid, labelled, and no wider than they must be."""

from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest

from autonoe.errors import ConflictError, InvalidInputError
from autonoe.kubernetes.hub_access import OWN_RULES
from autonoe.kubernetes.labels import OWNER, TENANT, labels, owned_by, verify_owner
from autonoe.tenants.manifests import manifests
from autonoe.tenants.network import network_policies
from autonoe.tenants.roles import HUB_RULES, MEMBER_RULES, cluster_roles
from autonoe.tenants.spec import Quota, TenantSpec
from autonoe.tenants.tenancy import METADATA, Tenancy
from autonoe_tenants import rights
from autonoe_tenants.install import manifests as controller_manifests
from support.manifests import MINORS, check, check_labels

API = "10.0.0.1:6443"
TENANCY = Tenancy(api_servers=(API,))
FULL = Tenancy.from_dict(
    {
        "api_servers": [API, "[2001:db8::1]:6443"],
        "internet": True,
        "internet_except": ["203.0.113.0/24"],
        "priority_classes": ["batch"],
        "reaches": [{"name": "s3", "cidr": "198.51.100.7/32", "ports": [443]}],
        "reached_by": [
            {
                "name": "dask",
                "namespace": "dask",
                "ports": [8786],
                "to": {"dask.org/role": "s"},
            }
        ],
        "enrolment": {"openbao_url": "http://openbao:8200", "s3_url": "http://s3:8333"},
    }
)
SPECS = [
    TenantSpec("user", "ana", groups=("census",)),
    TenantSpec("project", "Enquête emploi", members=("ana", "Zoë"), quota=Quota(gpu="2")),
]


def _all() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for tenancy in (TENANCY, FULL):
        for spec in SPECS:
            found += manifests(spec, tenancy)
        found += controller_manifests(tenancy, image="localhost/autonoe/tenants:dev")
    return found


@pytest.mark.parametrize("minor", MINORS)
def test_every_object_is_valid(minor: str) -> None:
    check(_all(), minor)


def test_every_object_says_what_it_is_and_whose() -> None:
    check_labels(_all())
    for spec in SPECS:
        for found in manifests(spec, FULL):
            assert found["metadata"]["labels"][TENANT] == spec.kind
            assert found["metadata"]["annotations"][OWNER] == spec.owner.casefold()


def test_the_same_spec_gives_the_same_objects() -> None:
    first, second = (json.dumps(manifests(SPECS[1], FULL)) for _ in range(2))
    assert first == second


# -- names ----------------------------------------------------------------------------------


def test_names_that_differ_in_case_or_form_are_one_tenant() -> None:
    names = {TENANCY.namespace_of("user", name) for name in ("Zoë", "zoë", "ZOE\u0308")}
    assert len(names) == 1


def test_a_person_and_a_project_never_share_a_namespace() -> None:
    assert TENANCY.namespace_of("user", "census") != TENANCY.namespace_of("project", "census")


@pytest.mark.parametrize(
    "prefixes", [("u-", "u-"), ("u-", "u-p-"), ("p-u-", "p-"), ("kube-", "p-"), ("autonoe-", "p-")]
)
def test_prefixes_that_could_meet_are_refused(prefixes: tuple[str, str]) -> None:
    with pytest.raises(InvalidInputError, match=r"prefix|begin like"):
        Tenancy.from_dict(
            {"api_servers": [API], "user_prefix": prefixes[0], "project_prefix": prefixes[1]}
        )


def test_the_longest_name_is_a_valid_namespace() -> None:
    tenancy = Tenancy(api_servers=(API,), user_prefix="a" * 19 + "-")
    assert len(tenancy.namespace_of("user", "x" * 255)) <= 63


def test_an_owner_is_verified_before_reuse() -> None:
    found = {
        "kind": "Namespace",
        "metadata": {
            "name": "u-ana",
            "labels": labels("namespace", instance="autonoe", component="tenant"),
            "annotations": owned_by("Ana"),
        },
    }
    verify_owner(found, "ana", instance="autonoe")
    with pytest.raises(ConflictError, match="somebody else") as mismatch:
        verify_owner(found, "eve", instance="autonoe")
    assert "ana" not in str(mismatch.value).replace("u-ana", "")
    with pytest.raises(ConflictError, match="not made by this platform"):
        verify_owner(found, "ana", instance="other")
    with pytest.raises(ConflictError, match="not made by this platform"):
        verify_owner(
            {"kind": "Namespace", "metadata": {"name": "u-ana"}}, "ana", instance="autonoe"
        )


# -- walls ----------------------------------------------------------------------------------


def _peers(policy: dict[str, Any]) -> list[dict[str, Any]]:
    rules = [*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])]
    return [peer for rule in rules for peer in rule.get("from", rule.get("to", [{}]))]


def test_no_policy_trusts_a_label_that_another_tenant_could_set() -> None:
    for policy in network_policies(SPECS[0], FULL):
        for peer in _peers(policy):
            if "ipBlock" in peer:
                continue
            if "namespaceSelector" in peer:
                chosen = peer["namespaceSelector"]["matchLabels"]
                assert set(chosen) == {"kubernetes.io/metadata.name"}
            else:
                assert peer == {"podSelector": {}}, "of the same namespace, whatever its labels"


def test_no_rule_is_open_to_everyone() -> None:
    for policy in network_policies(SPECS[0], FULL):
        for peer in _peers(policy):
            assert peer, policy["metadata"]["name"]
        for rule in [*policy["spec"].get("ingress", []), *policy["spec"].get("egress", [])]:
            assert rule.get("from") or rule.get("to"), policy["metadata"]["name"]


def _reached(policies: list[dict[str, Any]], address: str) -> bool:
    """Tell whether an address is open by some egress rule."""
    host = ipaddress.ip_address(address)
    for policy in policies:
        for rule in policy["spec"].get("egress", []):
            for peer in rule["to"]:
                block = peer.get("ipBlock")
                if block and host in ipaddress.ip_network(block["cidr"]):
                    closed = [ipaddress.ip_network(row) for row in block.get("except", [])]
                    if not any(host in row for row in closed if row.version == host.version):
                        return True
    return False


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254", "169.254.170.2", "168.63.129.16", "100.100.100.200", "10.96.0.1",
        "172.16.3.4", "192.168.1.1", "100.64.0.1", "127.0.0.1", "203.0.113.9", "fd00:ec2::254",
        "fe80::a9fe:a9fe", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1",
    ],
)  # fmt: skip
def test_the_way_to_the_internet_leaves_out_what_is_inside(address: str) -> None:
    policies = network_policies(SPECS[0], FULL)
    assert not _reached(policies, address)
    assert _reached(policies, "93.184.215.14")  # the positive controls
    assert _reached(policies, "2606:2800:21f::1")
    assert not _reached(network_policies(SPECS[0], TENANCY), "93.184.215.14")


def test_what_is_left_out_lies_inside_what_is_let_out() -> None:
    """The API server refuses a policy whose exceptions are outside of its block."""
    (policy,) = (p for p in network_policies(SPECS[0], FULL) if p["metadata"]["name"] == "internet")
    for peer in policy["spec"]["egress"][0]["to"]:
        whole = ipaddress.ip_network(peer["ipBlock"]["cidr"])
        for row in peer["ipBlock"]["except"]:
            assert ipaddress.ip_network(row).version == whole.version
    assert all(ipaddress.ip_network(row) for row in METADATA)


# -- rights ---------------------------------------------------------------------------------

WRITE = {"create", "update", "patch", "delete", "deletecollection", "bind", "escalate", "*"}


def _may(rules: list[dict[str, Any]], verb: str, group: str, resource: str) -> bool:
    return any(
        group in rule["apiGroups"] and resource in rule["resources"] and verb in rule["verbs"]
        for rule in rules
    )


@pytest.mark.parametrize(
    ("group", "resource"),
    [
        ("networking.k8s.io", "networkpolicies"),
        ("networking.k8s.io", "ingresses"),
        ("gateway.networking.k8s.io", "httproutes"),
        ("rbac.authorization.k8s.io", "roles"),
        ("rbac.authorization.k8s.io", "rolebindings"),
        ("", "serviceaccounts"),
        ("", "serviceaccounts/token"),
        ("", "resourcequotas"),
        ("", "limitranges"),
        ("", "endpoints"),
        ("discovery.k8s.io", "endpointslices"),
        ("", "pods/proxy"),
        ("", "services/proxy"),
        ("", "pods/ephemeralcontainers"),
        ("", "pods/binding"),
        ("apps", "daemonsets"),
        ("", "namespaces"),
        ("", "nodes"),
        ("autonoe.dev", "tenants"),
    ],
)
def test_a_tenant_writes_nothing_that_opens_a_wall(group: str, resource: str) -> None:
    assert not any(_may(MEMBER_RULES, verb, group, resource) for verb in WRITE)


def test_no_role_of_ours_holds_a_wildcard() -> None:
    roles = [*cluster_roles(FULL), *rights.role_objects(FULL)]
    rules = [rule for role in roles for rule in role.get("rules", [])]
    assert rules
    assert not any("*" in value for rule in rules for value in rule.values())


def test_the_hub_has_no_secret_no_exec_and_nothing_cluster_wide() -> None:
    hub = [*HUB_RULES, *OWN_RULES]
    for resource in ("secrets", "pods/exec", "namespaces", "nodes", "serviceaccounts/token"):
        assert not any(resource in rule["resources"] for rule in hub)
    for found in rights.role_objects(FULL):
        if found["kind"] == "ClusterRoleBinding":
            assert [row["name"] for row in found["subjects"]] == [rights.ACCOUNT]


def test_the_controller_makes_no_pods_and_reads_no_secrets() -> None:
    rules = [*rights.controller_rules(FULL), *rights.controller_rules_in_hub()]
    assert not any("secrets" in rule["resources"] for rule in rules)
    pods = [rule for rule in rules if "pods" in rule["resources"]]
    assert [rule["verbs"] for rule in pods] == [["list"]]
    (bind,) = (rule for rule in rules if "bind" in rule["verbs"])
    assert set(bind["resourceNames"]) == {FULL.hub_role, FULL.member_role}


# -- shares ---------------------------------------------------------------------------------


def test_a_quota_of_the_tenant_goes_before_the_default() -> None:
    found = {o["metadata"]["name"]: o for o in manifests(SPECS[1], FULL) if "Quota" in o["kind"]}
    hard = found["compute"]["spec"]["hard"]
    assert hard["requests.nvidia.com/gpu"] == "2"
    assert hard["limits.memory"] == FULL.project_defaults.memory
    assert found["objects"]["spec"]["hard"]["services.loadbalancers"] == "0"


@pytest.mark.parametrize(
    "document",
    [
        {"kind": "robot", "owner": "ana"},
        {"kind": "user", "owner": ""},
        {"kind": "user", "owner": "a\u0000b"},
        {"kind": "user", "owner": "ana", "groups": "census"},
        {"kind": "user", "owner": "ana", "quota": {"cpu": "many"}},
        {"kind": "user", "owner": "ana", "quota": {"cpu": "-1"}},
        {"kind": "user", "owner": "ana", "quota": {"ponies": "1"}},
    ],
)
def test_a_spec_that_cannot_be_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        TenantSpec.from_dict(document)


def test_settings_name_each_mistake() -> None:
    with pytest.raises(InvalidInputError, match=r"api_servers.*instance|instance.*api_servers"):
        Tenancy.from_dict({"instance": "No Good"})
    with pytest.raises(InvalidInputError, match="hub_namspace"):
        Tenancy.from_dict({"api_servers": [API], "hub_namspace": "x"})
    with pytest.raises(InvalidInputError, match="api_servers"):
        Tenancy.from_dict({"api_servers": ["kubernetes.default:443"]})
