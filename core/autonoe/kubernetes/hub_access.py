"""The hub's rights in its own namespace.

With the RoleBinding ``hub`` in each tenant's namespace that is all it has: there is no
ClusterRoleBinding.
"""

from __future__ import annotations

from typing import Any

from autonoe.kubernetes.labels import GROUP, labels

Object = dict[str, Any]

CAPACITY = "autonoe-capacity"
"""ConfigMap in which the tenant controller publishes what is free."""

OWN_RULES: list[Object] = [
    # Asking for a namespace. Deleting is not the hub's: an administrator removes a tenant, with a
    # waiting period.
    {
        "apiGroups": [GROUP],
        "resources": ["tenants"],
        "verbs": ["get", "list", "watch", "create", "patch"],
    },
    {
        "apiGroups": [""],
        "resources": ["configmaps"],
        "resourceNames": [CAPACITY],
        "verbs": ["get"],
    },
]
"""Left out on purpose: pods, Secrets and Services of the hub's own namespace, which the chart's
own Role would give. Whoever takes over the hub could read the OIDC client's password with them."""


def hub_access(instance: str, namespace: str, *, account: str = "hub") -> list[Object]:
    """Return Role and RoleBinding of the hub in its own namespace.

    Parameters
    ----------
    instance : str
        Name of the installation.
    namespace : str
        The hub's namespace.
    account : str
        Its ServiceAccount there.
    """
    group = "rbac.authorization.k8s.io"
    metadata = {
        "name": "autonoe-hub",
        "namespace": namespace,
        "labels": labels("hub", instance=instance, component="access"),
    }
    subject = {"kind": "ServiceAccount", "name": account, "namespace": namespace}
    return [
        {
            "apiVersion": f"{group}/v1",
            "kind": "Role",
            "metadata": metadata,
            "rules": OWN_RULES,
        },
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": "autonoe-hub"},
            "subjects": [subject],
        },
    ]
