"""Who may reach which companion: everything else is dropped."""

from __future__ import annotations

from typing import Any

from autonoe.kubernetes.labels import TENANT
from support.companions_parts import (
    MLFLOW_PORT,
    OPENBAO_PORT,
    POSTGRES_PORT,
    S3_ADMIN_PORT,
    S3_PORT,
    Names,
)

Object = dict[str, Any]


def policies(names: Names, api_server: tuple[str, int]) -> list[Object]:
    """Return the policies of the companions' namespace.

    Parameters
    ----------
    names : Names
        The installation.
    api_server : tuple
        Address and port of the API server itself: rules act after the service's translation.
    """
    instance_tenants = {
        "namespaceSelector": {
            "matchLabels": {"app.kubernetes.io/instance": names.instance},
            "matchExpressions": [{"key": TENANT, "operator": "Exists"}],
        }
    }
    hub, controller = _namespace(names.instance), _namespace(names.controller)
    to_openbao = _to_pod(names, "openbao", OPENBAO_PORT)
    to_s3 = _to_pod(names, "seaweedfs", S3_PORT)
    api = {
        "to": [{"ipBlock": {"cidr": f"{api_server[0]}/32"}}],
        "ports": [{"protocol": "TCP", "port": api_server[1]}],
    }
    return [
        _policy(names, "default", {}, ingress=[], egress=[_dns()]),
        _policy(
            names,
            "openbao",
            names.selector("openbao"),
            ingress=[
                _from([instance_tenants, hub, controller, _pods(names, "seaweedfs")], OPENBAO_PORT)
            ],
            egress=[api],
        ),
        _policy(
            names,
            "seaweedfs",
            names.selector("seaweedfs"),
            ingress=[
                _from([instance_tenants, controller, _pods(names, "mlflow")], S3_PORT),
                _from([controller], S3_ADMIN_PORT),
            ],
            egress=[to_openbao],
        ),
        _policy(
            names,
            "postgres",
            names.selector("postgres"),
            ingress=[_from([_pods(names, "mlflow")], POSTGRES_PORT)],
            egress=[],
        ),
        _policy(
            names,
            "mlflow",
            names.selector("mlflow"),
            ingress=[_from([instance_tenants, controller], MLFLOW_PORT)],
            egress=[to_s3, _to_pod(names, "postgres", POSTGRES_PORT)],
        ),
    ]


def _policy(
    names: Names,
    name: str,
    pods: dict[str, str],
    *,
    ingress: list[Object],
    egress: list[Object],
) -> Object:
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": names.metadata(name, name),
        "spec": {
            "podSelector": {"matchLabels": pods} if pods else {},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": ingress,
            "egress": egress,
        },
    }


def _namespace(name: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _pods(names: Names, component: str) -> Object:
    return {"podSelector": {"matchLabels": names.selector(component)}}


def _from(sources: list[Object], port: int) -> Object:
    return {"from": sources, "ports": [{"protocol": "TCP", "port": port}]}


def _to_pod(names: Names, component: str, port: int) -> Object:
    return {"to": [_pods(names, component)], "ports": [{"protocol": "TCP", "port": port}]}


def _dns() -> Object:
    return {
        "to": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
        ],
        "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")],
    }
