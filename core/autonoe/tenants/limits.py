"""How much of the cluster one tenant gets, and what a container gets that asks for nothing."""

from __future__ import annotations

from autonoe.tenants.common import Object, metadata
from autonoe.tenants.spec import TenantSpec
from autonoe.tenants.tenancy import Tenancy

GPU = "nvidia.com/gpu"

# Enough for work, too little to fill etcd: one namespace must not slow the API server down for all.
_OBJECTS = {
    "count/configmaps": "200",
    "count/cronjobs.batch": "50",
    "count/deployments.apps": "50",
    "count/jobs.batch": "200",
    "count/secrets": "200",
    "count/services": "50",
    "count/statefulsets.apps": "20",
    "persistentvolumeclaims": "20",
    # Ports on the machines and public addresses are not a tenant's to open.
    "services.loadbalancers": "0",
    "services.nodeports": "0",
}


def resource_quotas(spec: TenantSpec, tenancy: Tenancy) -> list[Object]:
    """Return the quotas ``compute``, ``storage`` and ``objects``; a refusal names the full one."""
    quota = tenancy.default_quota(spec)
    compute = {
        "limits.cpu": quota.cpu,
        "limits.memory": quota.memory,
        "pods": quota.pods,
        "requests.cpu": quota.cpu,
        "requests.memory": quota.memory,
        f"requests.{GPU}": quota.gpu,
    }
    storage = {"requests.storage": quota.storage}
    return [
        {
            "apiVersion": "v1",
            "kind": "ResourceQuota",
            "metadata": metadata(name, spec, tenancy),
            "spec": {"hard": hard},
        }
        for name, hard in (("compute", compute), ("storage", storage), ("objects", _OBJECTS))
    ]


def limit_range(spec: TenantSpec, tenancy: Tenancy) -> Object:
    """Return the defaults of containers: without them a quota refuses a pod that states nothing."""
    chosen = tenancy.container_defaults
    return {
        "apiVersion": "v1",
        "kind": "LimitRange",
        "metadata": metadata("containers", spec, tenancy),
        "spec": {
            "limits": [
                {
                    "type": "Container",
                    "default": {"cpu": chosen.cpu, "memory": chosen.memory},
                    "defaultRequest": {
                        "cpu": chosen.request_cpu,
                        "memory": chosen.request_memory,
                    },
                }
            ]
        },
    }
