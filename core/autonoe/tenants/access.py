"""Namespace, ServiceAccounts and who may do what there."""

from __future__ import annotations

from autonoe.kubernetes.labels import owned_by
from autonoe.tenants.common import Object, metadata, tenant_labels
from autonoe.tenants.spec import NOTEBOOK, WORKLOAD, TenantSpec
from autonoe.tenants.tenancy import Tenancy

RBAC = "rbac.authorization.k8s.io"


def namespace(spec: TenantSpec, tenancy: Tenancy) -> Object:
    """Return the namespace: pods weaker than ``restricted`` are refused, audited and warned of."""
    security = {
        f"pod-security.kubernetes.io/{mode}{suffix}": value
        for mode in ("enforce", "audit", "warn")
        for suffix, value in (("", "restricted"), ("-version", "latest"))
    }
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": tenancy.namespace(spec),
            "labels": {**tenant_labels("namespace", spec, tenancy), **security},
            "annotations": owned_by(spec.owner),
        },
    }


def service_accounts(spec: TenantSpec, tenancy: Tenancy) -> list[Object]:
    """Return ``notebook`` and ``workload``; neither is mounted into a pod by itself."""
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": metadata(name, spec, tenancy),
            "automountServiceAccountToken": False,
        }
        for name in (NOTEBOOK, WORKLOAD)
    ]


def role_bindings(spec: TenantSpec, tenancy: Tenancy) -> list[Object]:
    """Return who may work here: the owner's notebooks (a project: its members'), and the hub."""
    own = tenancy.namespace(spec)
    namespaces = [own]
    if spec.kind == "project":
        namespaces += [tenancy.namespace_of("user", member) for member in spec.members]
    members = [(NOTEBOOK, namespace) for namespace in namespaces]
    return [
        _binding("members", tenancy.member_role, members, spec, tenancy),
        _binding(
            "hub", tenancy.hub_role, [(tenancy.hub_account, tenancy.hub_namespace)], spec, tenancy
        ),
    ]


def _binding(
    name: str, role: str, accounts: list[tuple[str, str]], spec: TenantSpec, tenancy: Tenancy
) -> Object:
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": metadata(name, spec, tenancy),
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": role},
        "subjects": [
            {"kind": "ServiceAccount", "name": account, "namespace": namespace}
            for account, namespace in accounts
        ],
    }
