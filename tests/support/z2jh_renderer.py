"""Hub and proxy from the chart's values, for where the z2jh chart is not at hand.

It renders what these tests rest on, with the chart's own names and labels: ServiceAccount, Secret
(values and keys), volume claim, Deployment and Service of hub and proxy, their NetworkPolicies.

Left out, and not supported by values that are given: every ConfigMap (the hub configures itself,
`autonoe_hub.cluster.plain`), the chart's RBAC (`security.yaml` switches it off), user scheduler,
placeholders, pre-puller, disruption budgets, ingress, HTTPS, autohttps, priority classes, the
policy ``singleuser`` (no server runs in the hub's namespace), node affinity and tolerations,
`extraContainers`, `initContainers`, `existingSecret`, `extraConfig`, IPv6.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

Object = dict[str, Any]

CONFIG = "/usr/local/etc/jupyterhub"
POD_SECURITY = {"runAsNonRoot": True, "fsGroup": 1000, "seccompProfile": {"type": "RuntimeDefault"}}


def merged(layers: Iterable[Path | Mapping[str, Any]]) -> Object:
    """Return layers of values as Helm merges them: mappings join, everything else is replaced."""
    found: Object = {}
    for layer in layers:
        document = yaml.safe_load(layer.read_text()) if isinstance(layer, Path) else layer
        found = _join(found, document)
    return found


def _join(below: Mapping[str, Any], above: Mapping[str, Any]) -> Object:
    found = copy.deepcopy(dict(below))
    for key, value in above.items():
        if isinstance(value, Mapping) and isinstance(found.get(key), Mapping):
            found[key] = _join(found[key], value)
        else:
            found[key] = copy.deepcopy(value)
    return found


def render(values: Object, *, release: str, namespace: str) -> list[Object]:
    """Return the objects of hub and proxy.

    Parameters
    ----------
    values : dict
        From `merged`.
    release, namespace : str
        As for ``helm install``.
    """
    hub, chp = values.get("hub", {}), values.get("proxy", {}).get("chp", {})
    labels = _Labels(release)
    services = {
        "hub": (8081, "http", "hub"),
        "proxy-api": (8001, "api", "proxy"),
        "proxy-public": (80, "http", "proxy"),
    }
    secret = _secret(values, labels, release=release, namespace=namespace)
    # Both read it when they start: new values, new pods.
    checksum = hashlib.sha256(repr(secret["data"]).encode()).hexdigest()
    found = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": labels.meta("hub", "hub")},
        secret,
        *_claim(hub, labels),
        _deployment("hub", labels, _hub_pod(hub), _access("proxy-api", "proxy-http", "singleuser")),
        _deployment("proxy", labels, _proxy_pod(chp), _access("hub", "singleuser")),
        *(_service(name, labels, *where) for name, where in services.items()),
        _policy("hub", labels, hub.get("networkPolicy", {})),
        _policy("proxy", labels, chp.get("networkPolicy", {})),
    ]
    for each in found:
        each["metadata"]["namespace"] = namespace
        if each["kind"] == "Deployment":
            each["spec"]["template"]["metadata"]["annotations"] = {"checksum/secret": checksum}
    return found


class _Labels:
    def __init__(self, release: str) -> None:
        self.release = release

    def match(self, component: str) -> dict[str, str]:
        return {"app": "jupyterhub", "component": component, "release": self.release}

    def all(self, component: str) -> dict[str, str]:
        return {
            **self.match(component),
            "app.kubernetes.io/name": "jupyterhub",
            "app.kubernetes.io/instance": self.release,
            "app.kubernetes.io/component": component,
        }

    def meta(self, name: str, component: str) -> Object:
        return {"name": name, "labels": self.all(component)}


def _access(*names: str) -> dict[str, str]:
    return {f"hub.jupyter.org/network-access-{name}": "true" for name in names}


def _secret(values: Object, labels: _Labels, *, release: str, namespace: str) -> Object:
    about = {"Release": {"Name": release, "Namespace": namespace}}
    files = {
        "values.yaml": yaml.safe_dump({**values, **about}),
        "hub.config.ConfigurableHTTPProxy.auth_token": secrets.token_hex(32),
        "hub.config.JupyterHub.cookie_secret": secrets.token_hex(32),
        "hub.config.CryptKeeper.keys": secrets.token_hex(32),
    }
    for name, service in values.get("hub", {}).get("services", {}).items():
        files[f"hub.services.{name}.apiToken"] = service.get("apiToken") or secrets.token_hex(32)
    for name, extra in values.get("hub", {}).get("extraFiles", {}).items():
        files[name] = extra.get("stringData") or yaml.safe_dump(extra["data"])
    data = {name: base64.b64encode(text.encode()).decode() for name, text in files.items()}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": labels.meta("hub", "hub"),
        "type": "Opaque",
        "data": data,
    }


def _claim(hub: Object, labels: _Labels) -> list[Object]:
    db = hub.get("db", {})
    if db.get("type", "sqlite-pvc") != "sqlite-pvc":
        return []
    pvc = db.get("pvc", {})
    spec: Object = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": pvc.get("storage", "1Gi")}},
    }
    if pvc.get("storageClassName"):
        spec["storageClassName"] = pvc["storageClassName"]
    meta = labels.meta("hub-db-dir", "hub")
    return [
        {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec},
    ]


def _hub_pod(hub: Object) -> Object:
    database = hub.get("db", {}).get("type", "sqlite-pvc") == "sqlite-pvc"
    state: Object = {"emptyDir": {}}
    if database:
        state = {"persistentVolumeClaim": {"claimName": "hub-db-dir"}}
    files = hub.get("extraFiles", {})
    env = [
        {"name": "AUTONOE_HUB_MODE", "value": "kubernetes"},
        {"name": "PYTHONUNBUFFERED", "value": "1"},
        {
            "name": "POD_NAMESPACE",
            "valueFrom": {"fieldRef": {"fieldPath": "metadata.namespace"}},
        },
        _proxy_token(),
        *_env(hub.get("extraEnv", {})),
    ]
    return {
        "serviceAccountName": "hub",
        "securityContext": POD_SECURITY,
        "volumes": [
            {"name": "secret", "secret": {"secretName": "hub"}},
            {"name": "state", **state},
            *hub.get("extraVolumes", []),
        ],
        "containers": [
            {
                "name": "hub",
                **_image(hub),
                "args": ["jupyterhub", "--config", f"{CONFIG}/jupyterhub_config.py"],
                "env": env,
                "ports": [{"name": "http", "containerPort": 8081}],
                "readinessProbe": _probe("/hub/health"),
                "resources": hub.get("resources", {}),
                "securityContext": hub.get("containerSecurityContext", {}),
                "volumeMounts": [
                    {"name": "secret", "mountPath": f"{CONFIG}/secret/"},
                    {"name": "state", "mountPath": "/srv/jupyterhub"},
                    *(
                        {"name": "secret", "mountPath": extra["mountPath"], "subPath": name}
                        for name, extra in files.items()
                    ),
                    *hub.get("extraVolumeMounts", []),
                ],
            }
        ],
    }


def _proxy_pod(chp: Object) -> Object:
    return {
        **chp.get("extraPodSpec", {}),
        "containers": [
            {
                "name": "chp",
                **_image(chp),
                "command": ["configurable-http-proxy"],
                "args": [
                    *("--ip=", "--port=8000", "--api-ip=", "--api-port=8001"),
                    "--default-target=http://hub:8081",
                    "--error-target=http://hub:8081/hub/error",
                ],
                "env": [_proxy_token(), *_env(chp.get("extraEnv", {}))],
                "ports": [
                    {"name": "http", "containerPort": 8000},
                    {"name": "api", "containerPort": 8001},
                ],
                "readinessProbe": _probe("/_chp_healthz"),
                "resources": chp.get("resources", {}),
                "securityContext": chp.get("containerSecurityContext", {}),
            }
        ],
    }


def _image(part: Object) -> Object:
    image = part["image"]
    policy = image.get("pullPolicy") or "IfNotPresent"
    return {"image": f"{image['name']}:{image['tag']}", "imagePullPolicy": policy}


def _proxy_token() -> Object:
    key = {"name": "hub", "key": "hub.config.ConfigurableHTTPProxy.auth_token"}
    return {"name": "CONFIGPROXY_AUTH_TOKEN", "valueFrom": {"secretKeyRef": key}}


def _env(given: Mapping[str, Any]) -> list[Object]:
    return [
        {"name": name, **(value if isinstance(value, Mapping) else {"value": str(value)})}
        for name, value in given.items()
    ]


def _probe(path: str) -> Object:
    http = {"path": path, "port": "http"}
    return {"httpGet": http, "periodSeconds": 2, "timeoutSeconds": 1, "failureThreshold": 1000}


def _deployment(name: str, labels: _Labels, pod: Object, access: dict[str, str]) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": labels.meta(name, name),
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels.match(name)},
            "strategy": {"type": "Recreate"},
            "template": {"metadata": {"labels": {**labels.all(name), **access}}, "spec": pod},
        },
    }


def _service(name: str, labels: _Labels, port: int, target: str, component: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": labels.meta(name, name),
        "spec": {
            "type": "ClusterIP",
            "ports": [{"name": "http", "port": port, "targetPort": target}],
            "selector": labels.match(component),
        },
    }


def _policy(name: str, labels: _Labels, given: Object) -> Object:
    """Return the policy of hub or proxy: what the two need of each other, then what is given."""

    def pods(component: str) -> list[Object]:
        return [{"podSelector": {"matchLabels": labels.match(component)}}]

    def having(access: str) -> list[Object]:
        return [{"podSelector": {"matchLabels": _access(access)}}]

    dns = {
        "to": [
            {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}}
        ],
        "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
    }
    if name == "hub":
        ingress = [{"from": having("hub"), "ports": [{"port": "http"}]}]
        egress = [{"to": pods("proxy"), "ports": [{"port": 8001}]}]
    else:
        ingress = [
            {"ports": [{"port": "http"}]},
            {"from": having("proxy-api"), "ports": [{"port": "api"}]},
        ]
        egress = [{"to": pods("hub"), "ports": [{"port": 8081}]}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": labels.meta(name, name),
        "spec": {
            "podSelector": {"matchLabels": labels.match(name)},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [*ingress, *given.get("ingress", [])],
            "egress": [*egress, dns, *given.get("egress", [])],
        },
    }
