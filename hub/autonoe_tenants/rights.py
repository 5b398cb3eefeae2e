"""What the controller and the hub may do, outside of the tenants' namespaces."""

from __future__ import annotations

from autonoe.kubernetes.hub_access import CAPACITY, hub_access
from autonoe.kubernetes.labels import GROUP, labels
from autonoe.tenants.common import Object
from autonoe.tenants.tenancy import Tenancy
from autonoe_tenants.crd import PLURAL

RBAC = "rbac.authorization.k8s.io"
ACCOUNT = "tenants"
"""The controller's ServiceAccount, in its own namespace."""

_KEEP = ["get", "list", "watch", "create", "patch", "update"]


def controller_rules(tenancy: Tenancy) -> list[Object]:
    """Return the controller's rights on the whole cluster: no Secret, no making of a pod.

    RBAC cannot say "in namespaces that begin with u-"; the admission policy beside it does.
    """
    return [
        {
            "apiGroups": [""],
            "resources": ["namespaces"],
            "verbs": ["get", "list", "watch", "create", "patch", "delete"],
        },
        {
            "apiGroups": [""],
            "resources": ["serviceaccounts", "resourcequotas", "limitranges"],
            "verbs": _KEEP,
        },
        {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": _KEEP},
        {"apiGroups": [RBAC], "resources": ["rolebindings"], "verbs": [*_KEEP, "delete"]},
        # Lets it hand out these two roles, which hold more than its own rights, and no others.
        {
            "apiGroups": [RBAC],
            "resources": ["clusterroles"],
            "resourceNames": [tenancy.hub_role, tenancy.member_role],
            "verbs": ["bind"],
        },
        # For the free capacity.
        {"apiGroups": [""], "resources": ["nodes", "pods"], "verbs": ["list"]},
    ]


def controller_rules_in_hub() -> list[Object]:
    """Return the controller's rights in the hub's namespace."""
    return [
        {
            "apiGroups": [GROUP],
            "resources": [PLURAL],
            "verbs": ["get", "list", "watch", "patch", "delete"],
        },
        {"apiGroups": [GROUP], "resources": [f"{PLURAL}/status"], "verbs": ["patch"]},
        {
            "apiGroups": [""],
            "resources": ["configmaps"],
            "resourceNames": [CAPACITY],
            "verbs": ["get", "patch"],
        },
    ]


def role_objects(tenancy: Tenancy) -> list[Object]:
    """Return the controller's account, and all roles and bindings, the hub's own among them."""
    controller = (ACCOUNT, tenancy.controller_namespace)
    name = f"{tenancy.instance}-tenants"
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": _metadata(ACCOUNT, tenancy, tenancy.controller_namespace),
        },
        *_role(name, controller_rules(tenancy), controller, tenancy, ""),
        *_role(name, controller_rules_in_hub(), controller, tenancy, tenancy.hub_namespace),
        *hub_access(tenancy.instance, tenancy.hub_namespace, account=tenancy.hub_account),
    ]


def _metadata(name: str, tenancy: Tenancy, namespace: str) -> Object:
    own = labels(name, instance=tenancy.instance, component="access")
    return {"name": name, "labels": own, **({"namespace": namespace} if namespace else {})}


def _role(
    name: str, rules: list[Object], who: tuple[str, str], tenancy: Tenancy, namespace: str
) -> list[Object]:
    scope = "" if namespace else "Cluster"
    return [
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": f"{scope}Role",
            "metadata": _metadata(name, tenancy, namespace),
            "rules": rules,
        },
        {
            "apiVersion": f"{RBAC}/v1",
            "kind": f"{scope}RoleBinding",
            "metadata": _metadata(name, tenancy, namespace),
            "roleRef": {"apiGroup": RBAC, "kind": f"{scope}Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": who[0], "namespace": who[1]}],
        },
    ]
