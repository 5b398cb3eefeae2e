"""The controller's own objects: what an administrator applies once."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from autonoe.kubernetes.hub_access import CAPACITY
from autonoe.kubernetes.labels import COMPONENT, INSTANCE, NAME, labels
from autonoe.tenants import network
from autonoe.tenants.common import Object
from autonoe.tenants.roles import cluster_roles
from autonoe.tenants.tenancy import Peer, Tenancy
from autonoe_tenants import admission, capacity, crd
from autonoe_tenants.rights import ACCOUNT, role_objects

PORT = 8080
_SETTINGS = "/etc/autonoe"
_TOKEN = "/var/run/secrets/autonoe/openbao"  # noqa: S105  a folder
_AUDIENCE = "openbao"


def manifests(tenancy: Tenancy, *, image: str) -> list[Object]:
    """Return everything of the controller, in the order in which it is applied.

    Parameters
    ----------
    tenancy : Tenancy
        The installation's settings; they become a ConfigMap.
    image : str
        Image that holds ``autonoe_tenants``.
    """
    return [
        crd.definition(tenancy.instance),
        _namespace(tenancy.hub_namespace, "hub", tenancy),
        _namespace(tenancy.controller_namespace, "tenants", tenancy),
        *cluster_roles(tenancy),
        *admission.policies(tenancy, account=ACCOUNT),
        *role_objects(tenancy),
        _config_map("tenancy", tenancy.controller_namespace, _settings(tenancy), tenancy),
        _config_map(
            CAPACITY,
            tenancy.hub_namespace,
            {capacity.KEY: json.dumps({"updated": "", "nodes": []})},
            tenancy,
        ),
        *_network(tenancy),
        _deployment(tenancy, image),
    ]


def _labels(name: str, tenancy: Tenancy) -> dict[str, str]:
    return labels(name, instance=tenancy.instance, component="tenants")


def _chosen(tenancy: Tenancy) -> dict[str, str]:
    return {NAME: ACCOUNT, INSTANCE: tenancy.instance, COMPONENT: "tenants"}


def _namespace(name: str, what: str, tenancy: Tenancy) -> Object:
    security = {
        f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
    }
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": name,
            "labels": {
                **labels(what, instance=tenancy.instance, component="platform"),
                **security,
            },
        },
    }


def _settings(tenancy: Tenancy) -> dict[str, str]:
    document = tenancy.model_dump(mode="json", exclude_defaults=True)
    # JSON is YAML, and has one spelling only.
    return {"tenancy.yaml": json.dumps(document, indent=2, sort_keys=True)}


def _config_map(name: str, namespace: str, data: dict[str, str], tenancy: Tenancy) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "namespace": namespace, "labels": _labels(name, tenancy)},
        "data": data,
    }


def _network(tenancy: Tenancy) -> list[Object]:
    """Return the controller's own walls: the API server, DNS, and whom enrolment talks to."""
    egress = [network.dns_rule(tenancy.dns), *network.api_rules(tenancy)]
    if tenancy.enrolment is not None:
        platform = Peer(name="platform", namespace=tenancy.platform_namespace)
        egress += [network.out(peer) for peer in (platform, *tenancy.reaches)]
    return [
        {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "NetworkPolicy",
            "metadata": {
                "name": ACCOUNT,
                "namespace": tenancy.controller_namespace,
                "labels": _labels(ACCOUNT, tenancy),
            },
            "spec": {
                "podSelector": {"matchLabels": _chosen(tenancy)},
                "policyTypes": ["Ingress", "Egress"],
                # Prometheus, wherever it is: the page holds counts only.
                "ingress": [
                    {
                        "from": [{"namespaceSelector": {}}],
                        "ports": [{"protocol": "TCP", "port": PORT}],
                    }
                ],
                "egress": egress,
            },
        }
    ]


def _deployment(tenancy: Tenancy, image: str) -> Object:
    settings = json.dumps(_settings(tenancy), sort_keys=True)
    mark = hashlib.sha256(settings.encode()).hexdigest()[:16]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": ACCOUNT,
            "namespace": tenancy.controller_namespace,
            "labels": _labels(ACCOUNT, tenancy),
        },
        "spec": {
            "replicas": 1,
            # Two at a time would write each status twice.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": _chosen(tenancy)},
            "template": {
                "metadata": {
                    "labels": _labels(ACCOUNT, tenancy),
                    # New settings are a new pod.
                    "annotations": {"autonoe.dev/settings": mark},
                },
                "spec": _pod(tenancy, image),
            },
        },
    }


def _pod(tenancy: Tenancy, image: str) -> dict[str, Any]:
    volumes: list[Object] = [
        {"name": "settings", "configMap": {"name": "tenancy"}},
        {"name": "tmp", "emptyDir": {"sizeLimit": "64Mi"}},
    ]
    mounts = [
        {"name": "settings", "mountPath": _SETTINGS, "readOnly": True},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  a mount, not a file
    ]
    if tenancy.enrolment is not None:
        token = {"path": "token", "audience": _AUDIENCE, "expirationSeconds": 600}
        volumes.append(
            {"name": "openbao", "projected": {"sources": [{"serviceAccountToken": token}]}}
        )
        mounts.append({"name": "openbao", "mountPath": _TOKEN, "readOnly": True})
    # A busy machine is no reason to start anew.
    probe = {"httpGet": {"path": "/healthz", "port": PORT}, "timeoutSeconds": 5}
    return {
        "serviceAccountName": ACCOUNT,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "fsGroup": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": ACCOUNT,
                "image": image,
                "imagePullPolicy": "IfNotPresent",
                "command": ["python", "-m", "autonoe_tenants", "run"],
                "args": ["--settings", f"{_SETTINGS}/tenancy.yaml", "--port", str(PORT)],
                "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108
                "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
                "readinessProbe": {**probe, "periodSeconds": 2, "failureThreshold": 3},
                "livenessProbe": {**probe, "initialDelaySeconds": 30, "periodSeconds": 15},
                "resources": {
                    "requests": {"cpu": "50m", "memory": "128Mi"},
                    "limits": {"cpu": "1", "memory": "384Mi"},
                },
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
                "volumeMounts": mounts,
            }
        ],
        "volumes": volumes,
    }
