"""A deployment as Kubernetes objects. Typed request in, plain dicts out; nothing is asked or sent.

Four objects, all named after the deployment: its hashed keys (a ConfigMap), the Deployment, the
Service, and the PodDisruptionBudget. A NetworkPolicy is not among them: tenants may not write any,
and the namespace's own lets in its own pods and, with the label ``autonoe.dev/exposed``, the hub's
proxy.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from urllib.parse import urlsplit

import yaml
from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from autonoe.apikeys import KeyEntry
from autonoe.backends.base import DeploymentRequest
from autonoe.credentials.settings import AgentSettings
from autonoe.kubernetes.labels import (
    EXPOSED,
    GROUP,
    INSTANCE,
    NAME,
    labels,
    owned_by,
)
from autonoe.kubernetes.pods import GROUP as FILE_GROUP
from autonoe.kubernetes.pods import with_agent
from autonoe.names import account_bucket

Object = dict[str, Any]

COMPONENT = "deployment"
"""Label ``component`` of all four objects and of the pods."""
CONTAINER = "serving"
REQUEST = f"{GROUP}/request"
"""Annotation: the request as JSON, from which the deployment is read back."""
KEYS = f"{GROUP}/keys"
"""Annotation of the pods: which keys they were started with. A new key makes new pods."""
_STATE = "/var/lib/autonoe"
_KEYS_DIR = "/etc/autonoe/keys"
_KEYS_FILE = "keys.json"


class KubernetesSettings(BaseSettings):
    """Where deployments go and what they run, from ``AUTONOE_*`` variables. It holds no secret."""

    model_config = SettingsConfigDict(env_prefix="AUTONOE_", frozen=True, extra="ignore")

    kubernetes_namespace: str
    """Namespace of the account. The hub sets it in each person's pod."""
    instance: str = "autonoe"
    """Which installation of Autonoe it belongs to."""
    serving_image: str = "localhost/autonoe/serving:dev"
    """Image of the server."""
    agent_image: str = "localhost/autonoe/agent:dev"
    """Image of the credential agent beside it."""
    serving_port: int = Field(8000, ge=1024, le=65_535)
    """Port of the server; the namespaces' policies know it (``serving_port`` of the tenants)."""
    serving_replicas: int = Field(1, ge=1, le=20)
    """Pods of one deployment. With two, a node can be drained without a pause."""
    serving_cpu: str = "1"
    """Most CPU of one pod; a fifth of a core is reserved."""
    serving_memory: str = "1Gi"
    """Most memory of one pod; a third of a GiB is reserved."""
    deployment_url: str = ""
    """Public address of a deployment, such as ``https://{namespace}-{name}.example.org/``, when
    somebody routes it there; empty: deployments are reached from within the cluster only."""

    def service_url(self, name: str) -> str:
        """Return the address within the cluster, with a slash at the end."""
        return f"http://{name}.{self.kubernetes_namespace}.svc:{self.serving_port}/"

    def public_url(self, name: str) -> str:
        """Return the address for people and programs, with a slash at the end."""
        if not self.deployment_url:
            return self.service_url(name)
        url = self.deployment_url.format(name=name, namespace=self.kubernetes_namespace)
        return url if url.endswith("/") else f"{url}/"

    def root_path(self, name: str) -> str:
        """Return the path that a proxy leaves on each request, without a slash at the end."""
        return urlsplit(self.public_url(name)).path.rstrip("/")


class Builder:
    """Makes the objects of an account's deployments.

    Parameters
    ----------
    settings : KubernetesSettings
        Where they go.
    account : AgentSettings
        Whose they are, and where its platform is.
    """

    def __init__(self, settings: KubernetesSettings, account: AgentSettings) -> None:
        self.settings = settings
        self.account = account

    def objects(self, request: DeploymentRequest, keys: Sequence[KeyEntry]) -> list[Object]:
        """Return all objects of a deployment, in the order to apply them.

        Parameters
        ----------
        request : DeploymentRequest
            What to serve.
        keys : sequence of KeyEntry
            Who may call it: hashes, never keys.
        """
        return [
            self.key_file(request.name, keys),
            self.deployment(request, digest(keys)),
            self.service(request.name),
            self.disruption_budget(request.name),
        ]

    def labels(self, name: str) -> dict[str, str]:
        """Return the labels of the objects of the deployment ``name``."""
        return {
            **labels(
                name,
                instance=self.settings.instance,
                component=COMPONENT,
                tenant=self.account.account_kind,
                owner=self.account.account,
            ),
        }

    def selector(self, name: str) -> dict[str, str]:
        """Return the labels that choose the deployment's pods; they never change."""
        return {
            NAME: name,
            INSTANCE: self.settings.instance,
            "app.kubernetes.io/component": COMPONENT,
        }

    def key_file(self, name: str, keys: Sequence[KeyEntry]) -> Object:
        """Return the ConfigMap of hashed keys. A hash opens nothing, so it is no Secret."""
        document = {"keys": [asdict(entry) for entry in keys]}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": self._metadata(name, f"{name}-keys"),
            "data": {_KEYS_FILE: json.dumps(document, indent=1)},
        }

    def service(self, name: str) -> Object:
        """Return the Service that gives the deployment its address."""
        port = self.settings.serving_port
        return {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": self._metadata(name),
            "spec": {
                "type": "ClusterIP",
                "selector": self.selector(name),
                "ports": [
                    {"name": "http", "port": port, "targetPort": port, "protocol": "TCP"},
                ],
            },
        }

    def disruption_budget(self, name: str) -> Object:
        """Return the budget: a drained node takes one pod at a time, and waits for no sick one."""
        return {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": self._metadata(name),
            "spec": {
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": self.selector(name)},
            },
        }

    def deployment(self, request: DeploymentRequest, keys_digest: str) -> Object:
        """Return the Deployment: the server, and the credential agent beside it."""
        name = request.name
        exposed = {EXPOSED: "true"} if self.settings.deployment_url else {}
        template = {
            "metadata": {
                "labels": {**self.labels(name), **exposed},
                "annotations": {**owned_by(self.account.account), KEYS: keys_digest},
            },
            "spec": self._pod(request),
        }
        metadata = self._metadata(name)
        metadata["annotations"][REQUEST] = json.dumps(request.to_dict(), sort_keys=True)
        return {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {
                "replicas": self.settings.serving_replicas,
                "revisionHistoryLimit": 3,
                "progressDeadlineSeconds": 600,
                # the new pod answers before the old one goes
                "strategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0},
                },
                "selector": {"matchLabels": self.selector(name)},
                "template": with_agent(template, self.account, self.settings.agent_image),
            },
        }

    def _metadata(self, name: str, own_name: str = "") -> Object:
        return {
            "name": own_name or name,
            "namespace": self.settings.kubernetes_namespace,
            "labels": self.labels(name),
            "annotations": owned_by(self.account.account),
        }

    def _pod(self, request: DeploymentRequest) -> Object:
        return {
            "automountServiceAccountToken": False,
            # long enough for requests in progress and for the last logs to reach the object store
            "terminationGracePeriodSeconds": 45,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "runAsGroup": 1000,
                "fsGroup": FILE_GROUP,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [self._server(request)],
            "volumes": [
                # logs that wait for the object store, and the fetched model
                {"name": "state", "emptyDir": {"sizeLimit": "2Gi"}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "512Mi"}},
                {
                    "name": "keys",
                    "configMap": {"name": f"{request.name}-keys", "defaultMode": 0o440},
                },
            ],
        }

    def _server(self, request: DeploymentRequest) -> Object:
        port = self.settings.serving_port
        return {
            "name": CONTAINER,
            "image": self.settings.serving_image,
            "imagePullPolicy": "IfNotPresent",
            # the agent beside it left the variables of its clients in a file
            "command": [
                *("/bin/sh", "-c"),
                '. "$AUTONOE_AGENT_ENVIRONMENT" && exec python -m autonoe_nace.serving "$@"',
                "serving",
            ],
            "args": self.arguments(request),
            "env": [
                {"name": "HOME", "value": "/tmp"},  # noqa: S108  a volume of the pod's own
                {"name": "LANG", "value": "C.UTF-8"},
                # one record is too little work for more threads
                {"name": "OMP_NUM_THREADS", "value": "1"},
                {"name": "PYTHONSAFEPATH", "value": "1"},
                {"name": "PYTHONUNBUFFERED", "value": "1"},
                {
                    "name": "AUTONOE_POD_NAME",
                    "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}},
                },
            ],
            "ports": [{"name": "http", "containerPort": port, "protocol": "TCP"}],
            "resources": {
                "requests": {"cpu": "200m", "memory": "320Mi"},
                "limits": {
                    "cpu": self.settings.serving_cpu,
                    "memory": self.settings.serving_memory,
                },
            },
            "startupProbe": _probe("/health/live", port, period_s=1, failures=120),
            "readinessProbe": _probe("/health/ready", port, period_s=2, failures=2),
            "livenessProbe": _probe("/health/live", port, period_s=10, failures=6),
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            },
            "volumeMounts": [
                {"name": "state", "mountPath": _STATE},
                {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  as above
                {"name": "keys", "mountPath": _KEYS_DIR, "readOnly": True},
            ],
        }

    def arguments(self, request: DeploymentRequest) -> list[str]:
        """Return the arguments of the server in the pod."""
        root = self.settings.root_path(request.name)
        return [
            *("--model", request.model_uri, "--threshold", str(request.threshold)),
            *("--host", "0.0.0.0", "--port", str(self.settings.serving_port)),  # noqa: S104  a pod
            *("--deployment", request.name, "--state-dir", _STATE),
            *("--key-file", f"{_KEYS_DIR}/{_KEYS_FILE}"),
            *(["--root-path", root] if root else []),
            # a full node starts a client slowly, and each try that is cut off begins anew
            *("--registry-timeout", "180"),
            *("--logs-to", self.logs_uri(request.name)),
            *("--logs-part", "predictions-$(AUTONOE_POD_NAME).parquet"),
            *(["--pseudonymise", "--pseudonym-secret"] if request.pseudonymise else []),
        ]

    def logs_uri(self, name: str) -> str:
        """Return where the pods send their prediction logs."""
        bucket = account_bucket(self.account.account, self.account.account_kind)
        return f"s3://{bucket}/nace/logs/service={name}"

    def equivalents(self, request: DeploymentRequest) -> dict[str, str]:
        """Return the request in each form: ``python``, ``shell``, ``yaml`` and ``kubectl``.

        The YAML is what the call applies, without the hashed keys; the ``kubectl`` form makes a
        key and its hash with common tools.
        """
        objects = [found for found in self.objects(request, ()) if found["kind"] != "ConfigMap"]
        return {
            **request.equivalents(),
            "yaml": yaml.safe_dump_all(objects, sort_keys=False),
            "kubectl": self._kubectl(request.name),
        }

    def _kubectl(self, name: str) -> str:
        own = self.labels(name)
        tags = " ".join(shlex.quote(f"{key}={value}") for key, value in own.items())
        owner = next(iter(owned_by(self.account.account).items()))
        return (
            "# a new key, which only you see, and its hash for the server\n"
            "KEY=ank_$(openssl rand -base64 32 | tr '+/' '-_' | tr -d '=')\n"
            'HASH=$(printf %s "$KEY" | sha256sum | cut -d" " -f1)\n'
            f"kubectl create configmap {name}-keys --from-literal=keys.json="
            '"{\\"keys\\": [{\\"id\\": \\"$(openssl rand -hex 4)\\", \\"sha256\\": \\"$HASH\\", '
            '\\"created\\": \\"$(date -u +%FT%TZ)\\"}]}"\n'
            f"kubectl label configmap {name}-keys {tags}\n"
            f"kubectl annotate configmap {name}-keys {shlex.quote('='.join(owner))}\n"
            f"kubectl apply --server-side --field-manager=autonoe -f {name}.yaml\n"
            f"kubectl rollout status deployment {name}"
        )


def digest(keys: Sequence[KeyEntry]) -> str:
    """Return a short name of a set of keys, so that a new one makes new pods."""
    text = ",".join(sorted(entry.sha256 for entry in keys))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _probe(path: str, port: int, *, period_s: int, failures: int) -> Object:
    return {
        "httpGet": {"path": path, "port": port},
        "periodSeconds": period_s,
        "failureThreshold": failures,
        "timeoutSeconds": 3,
    }
