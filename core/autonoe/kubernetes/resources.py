"""Where each kind of object lives in the API: a table of the usual ones, discovery for others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Resource:
    """One kind of object of the API."""

    api_version: str
    """``v1`` or ``GROUP/VERSION``."""
    kind: str
    plural: str
    namespaced: bool = True

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return the path of the collection, or of one object of it.

        Raises
        ------
        ValueError
            If a kind that lives in namespaces is asked for by name without one.
        """
        root = (
            f"/apis/{self.api_version}" if "/" in self.api_version else f"/api/{self.api_version}"
        )
        if self.namespaced and name and not namespace:
            raise ValueError(f"{self.kind} {name} needs a namespace")
        where = f"/namespaces/{namespace}" if self.namespaced and namespace else ""
        return f"{root}{where}/{self.plural}" + (f"/{name}" if name else "")


def _table() -> dict[tuple[str, str], Resource]:
    core = "Pod Service ConfigMap Secret ServiceAccount PersistentVolumeClaim ResourceQuota Event"
    rows = [
        *[("v1", kind, True) for kind in [*core.split(), "LimitRange", "Endpoints"]],
        *[("v1", kind, False) for kind in ("Namespace", "Node", "PersistentVolume")],
        *[("apps/v1", kind, True) for kind in ("Deployment", "ReplicaSet", "StatefulSet")],
        ("apps/v1", "DaemonSet", True),
        ("batch/v1", "Job", True),
        ("batch/v1", "CronJob", True),
        ("autoscaling/v2", "HorizontalPodAutoscaler", True),
        ("policy/v1", "PodDisruptionBudget", True),
        ("coordination.k8s.io/v1", "Lease", True),
        *[("rbac.authorization.k8s.io/v1", kind, True) for kind in ("Role", "RoleBinding")],
        ("rbac.authorization.k8s.io/v1", "ClusterRole", False),
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding", False),
        ("apiextensions.k8s.io/v1", "CustomResourceDefinition", False),
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicyBinding", False),
        ("storage.k8s.io/v1", "StorageClass", False),
        ("autonoe.dev/v1alpha1", "Tenant", True),
    ]
    irregular = {
        ("v1", "Endpoints"): Resource("v1", "Endpoints", "endpoints"),
        ("networking.k8s.io/v1", "NetworkPolicy"): Resource(
            "networking.k8s.io/v1", "NetworkPolicy", "networkpolicies"
        ),
        ("networking.k8s.io/v1", "Ingress"): Resource(
            "networking.k8s.io/v1", "Ingress", "ingresses"
        ),
        ("scheduling.k8s.io/v1", "PriorityClass"): Resource(
            "scheduling.k8s.io/v1", "PriorityClass", "priorityclasses", namespaced=False
        ),
        ("storage.k8s.io/v1", "StorageClass"): Resource(
            "storage.k8s.io/v1", "StorageClass", "storageclasses", namespaced=False
        ),
        ("admissionregistration.k8s.io/v1", "ValidatingAdmissionPolicy"): Resource(
            "admissionregistration.k8s.io/v1",
            "ValidatingAdmissionPolicy",
            "validatingadmissionpolicies",
            namespaced=False,
        ),
    }
    regular = {
        (version, kind): Resource(version, kind, f"{kind.lower()}s", namespaced)
        for version, kind, namespaced in rows
    }
    return regular | irregular


KNOWN: Mapping[tuple[str, str], Resource] = _table()
"""By API version and kind. What is not here is asked of the API server once."""

BY_KIND: Mapping[str, Resource] = {resource.kind: resource for resource in KNOWN.values()}


def identity(found: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return kind, namespace (empty for none) and name of an object."""
    metadata = found["metadata"]
    return str(found["kind"]), str(metadata.get("namespace", "")), str(metadata["name"])
