"""Write the Grafana dashboard of the platform: ``python -m scripts.dashboard``.

JupyterHub's own dashboards show hubs, servers and nodes; this one shows what they cannot know:
tenants beside their shares, what waits, and what people have deployed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

PLACE = Path(__file__).parents[1] / "helm-values" / "companions" / "dashboards" / "autonoe.json"
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_TENANTS = 'namespace=~"$tenant"'

# Which namespaces are tenants' is said by the label that the tenant controller gives them.
_LABELLED = 'kube_namespace_labels{label_autonoe_dev_tenant!=""}'
_OF_TENANTS = f"* on (namespace) group_left () max by (namespace) ({_LABELLED})"


def _panel(
    title: str, why: str, place: tuple[int, int, int, int], *targets: tuple[str, str], **more: Any
) -> dict[str, Any]:
    """Return one panel at (x, y, width, height) with its queries and their legends."""
    unit = more.pop("unit", "short")
    return {
        "type": more.pop("type", "timeseries"),
        "title": title,
        "description": why,
        "datasource": _SOURCE,
        "gridPos": dict(zip("xywh", place, strict=True)),
        "fieldConfig": {"defaults": {"unit": unit, "min": 0, **more}, "overrides": []},
        "targets": [
            {"refId": chr(65 + number), "datasource": _SOURCE, "expr": expr, "legendFormat": legend}
            for number, (expr, legend) in enumerate(targets)
        ],
    }


def _share(resource: str) -> str:
    used, hard = (
        f'max by (namespace) (kube_resourcequota{{{_TENANTS},resource="{resource}",type="{kind}"}})'
        for kind in ("used", "hard")
    )
    return f"{used} / ({hard} > 0)"


def panels() -> list[dict[str, Any]]:
    """Return all panels, from the whole to the part."""
    return [*_whole(), *_parts()]


def _whole() -> list[dict[str, Any]]:
    return [
        _panel(
            "Tenants",
            "Namespaces of people and of projects.",
            (0, 0, 6, 5),
            (f"count by (label_autonoe_dev_tenant) ({_LABELLED})", "{{label_autonoe_dev_tenant}}"),
            type="stat",
        ),
        _panel(
            "Pods that wait",
            "More than a few for more than minutes: the cluster is full, or an image is missing.",
            (6, 0, 6, 5),
            (f'sum(kube_pod_status_phase{{phase="Pending"}} {_OF_TENANTS})', "waiting"),
            type="stat",
        ),
        _panel(
            "Free memory of the nodes",
            "What can still be reserved, not what is unused.",
            (12, 0, 6, 5),
            (
                'sum(kube_node_status_allocatable{resource="memory"}) - '
                'sum(kube_pod_container_resource_requests{resource="memory"})',
                "free",
            ),
            type="stat",
            unit="bytes",
        ),
        _panel(
            "Parts that are not ready",
            "Of the platform itself; `autonoe platform check` says more.",
            (18, 0, 6, 5),
            (
                'sum(kube_deployment_status_replicas_unavailable{namespace=~"$platform"}) + '
                'sum(kube_statefulset_replicas{namespace=~"$platform"} - '
                'kube_statefulset_status_replicas_ready{namespace=~"$platform"})',
                "pods missing",
            ),
            type="stat",
        ),
        _panel(
            "Share of memory in use",
            "Of each tenant's quota. At 100 % their next server does not start.",
            (0, 5, 12, 8),
            (_share("limits.memory"), "{{namespace}}"),
            unit="percentunit",
            max=1,
        ),
        _panel(
            "Share of CPU in use",
            "Of each tenant's quota.",
            (12, 5, 12, 8),
            (_share("limits.cpu"), "{{namespace}}"),
            unit="percentunit",
            max=1,
        ),
    ]


def _parts() -> list[dict[str, Any]]:
    component = 'label_app_kubernetes_io_component="deployment"'
    return [
        _panel(
            "Memory used",
            "By the tenant's containers, against what they reserved.",
            (0, 13, 12, 8),
            (f'sum by (namespace) (container_memory_working_set_bytes{{{_TENANTS},container!=""}})',
             "{{namespace}}"),
            unit="bytes",
        ),
        _panel(
            "Storage claimed",
            "Homes and other volumes.",
            (12, 13, 12, 8),
            (f"sum by (namespace) (kube_persistentvolumeclaim_resource_requests_storage_bytes"
             f"{{{_TENANTS}}})", "{{namespace}}"),
            unit="bytes",
        ),
        _panel(
            "Deployments that answer",
            "Models that people serve: pods that are ready.",
            (0, 21, 12, 8),
            (f"sum by (namespace) (kube_pod_status_ready{{{_TENANTS},condition=\"true\"}} "
             "* on (namespace, pod) group_left () "
             f"max by (namespace, pod) (kube_pod_labels{{{component}}}))", "{{namespace}}"),
        ),
        _panel(
            "Restarts of containers in an hour",
            "A container that restarts again and again ran out of memory, or its model is broken.",
            (12, 21, 12, 8),
            (f"sum by (namespace, pod) (increase(kube_pod_container_status_restarts_total"
             f"{{{_TENANTS}}}[1h])) > 0", "{{namespace}} {{pod}}"),
        ),
    ]  # fmt: skip


def _variable(name: str, label: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "label": label,
        "type": "query",
        "datasource": _SOURCE,
        "query": query,
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
        "sort": 1,
    }


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana reads it."""
    labels = "kube_namespace_labels"
    tenants = f'label_values({labels}{{label_autonoe_dev_tenant!=""}}, namespace)'
    platform = (
        f'label_values({labels}{{label_app_kubernetes_io_instance!="",'
        'label_autonoe_dev_tenant=""}, namespace)'
    )
    return {
        "uid": "autonoe",
        "title": "Autonoe",
        "description": "Tenants, their shares, and what they deployed.",
        "tags": ["autonoe"],
        "schemaVersion": 39,
        "editable": False,
        "time": {"from": "now-24h", "to": "now"},
        "refresh": "1m",
        "templating": {
            "list": [
                {
                    "name": "datasource",
                    "label": "Source",
                    "type": "datasource",
                    "query": "prometheus",
                },
                _variable("tenant", "Tenant", tenants),
                _variable("platform", "Platform", platform),
            ]
        },
        "panels": [{"id": number, **panel} for number, panel in enumerate(panels(), 1)],
    }


if __name__ == "__main__":
    PLACE.write_text(json.dumps(dashboard(), indent=1) + "\n", encoding="utf-8")
