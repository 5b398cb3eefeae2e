"""The two ClusterRoles that hold in a tenant's namespace, and what is left out of them, and why.

They are ClusterRoles only so that one definition serves all namespaces; they are bound by
RoleBindings, so nobody has them anywhere else.
"""

from __future__ import annotations

from autonoe.kubernetes.labels import labels
from autonoe.tenants.common import Object
from autonoe.tenants.tenancy import Tenancy

_READ = ["get", "list", "watch"]
_ALL = [*_READ, "create", "update", "patch", "delete", "deletecollection"]

MEMBER_RULES: list[Object] = [
    # What a person works with: `kubectl apply`, `helm install`, Spark's driver, scripts.
    {
        "apiGroups": [""],
        "resources": ["pods", "services", "configmaps", "secrets", "persistentvolumeclaims"],
        "verbs": _ALL,
    },
    {"apiGroups": [""], "resources": ["pods/log"], "verbs": ["get"]},
    # Websocket clients ask with GET, older ones with POST.
    {
        "apiGroups": [""],
        "resources": ["pods/exec", "pods/attach", "pods/portforward"],
        "verbs": ["get", "create"],
    },
    {
        "apiGroups": ["apps"],
        "resources": ["deployments", "replicasets", "statefulsets"],
        "verbs": _ALL,
    },
    {
        "apiGroups": ["apps"],
        "resources": ["deployments/scale", "statefulsets/scale"],
        "verbs": ["get", "update", "patch"],
    },
    {"apiGroups": ["batch"], "resources": ["jobs", "cronjobs"], "verbs": _ALL},
    {"apiGroups": ["autoscaling"], "resources": ["horizontalpodautoscalers"], "verbs": _ALL},
    {"apiGroups": ["policy"], "resources": ["poddisruptionbudgets"], "verbs": _ALL},
    {
        "apiGroups": ["kubernetes.dask.org"],
        "resources": ["daskclusters", "daskworkergroups", "daskjobs", "daskautoscalers"],
        "verbs": _ALL,
    },
    {
        "apiGroups": ["sparkoperator.k8s.io"],
        "resources": ["sparkapplications", "scheduledsparkapplications", "sparkconnects"],
        "verbs": _ALL,
    },
    # To see why something does not start, what is used up, and what the walls are.
    {
        "apiGroups": [""],
        "resources": ["events", "resourcequotas", "limitranges", "serviceaccounts", "endpoints"],
        "verbs": _READ,
    },
    {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": _READ},
    {"apiGroups": ["networking.k8s.io"], "resources": ["networkpolicies"], "verbs": _READ},
    {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["roles", "rolebindings"],
        "verbs": _READ,
    },
    {"apiGroups": ["metrics.k8s.io"], "resources": ["pods"], "verbs": ["get", "list"]},
]
"""Rights of a person in their own namespace. Left out, each for its reason:

- writing NetworkPolicies: they add up, so one more can only open what ours close;
- writing Roles, RoleBindings and ServiceAccounts, `serviceaccounts/token`: no lasting logins, and
  nothing for a bug in escalation prevention to work with;
- Ingresses and routes: a route of the hub's own host would catch other people's logins;
- Endpoints and EndpointSlices: a Service that leads to any address makes whoever forwards to it,
  such as the hub's proxy, reach that address;
- ResourceQuotas and LimitRanges, Leases, DaemonSets (one pod on every machine), `pods/proxy` and
  `services/proxy` (the API server would make the connection, past all NetworkPolicies).
"""

HUB_RULES: list[Object] = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch", "create", "delete"]},
    {"apiGroups": [""], "resources": ["events"], "verbs": ["list", "watch"]},
    {
        "apiGroups": [""],
        "resources": ["persistentvolumeclaims"],
        "verbs": ["get", "create", "delete"],
    },
    {"apiGroups": [""], "resources": ["resourcequotas"], "verbs": ["get", "list"]},
]
"""Rights of the hub in each tenant's namespace: servers and their disks, no Secret, no exec."""


def cluster_roles(tenancy: Tenancy) -> list[Object]:
    """Return both ClusterRoles."""
    return [
        _role(tenancy.member_role, MEMBER_RULES, tenancy),
        _role(tenancy.hub_role, HUB_RULES, tenancy),
    ]


def _role(name: str, rules: list[Object], tenancy: Tenancy) -> Object:
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {
            "name": name,
            "labels": labels(name, instance=tenancy.instance, component="access"),
        },
        "rules": rules,
    }
