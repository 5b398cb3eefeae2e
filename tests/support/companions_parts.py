"""Manifests of the companions as the tests run them: one pod each, `restricted`, data in the pod.

An operator uses the charts of ``helm-values/companions``; what the services are told
(``autonoe.identity``) is the same.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autonoe.identity.cluster_openbao import ClusterIdentity, server_config
from autonoe.identity.seaweedfs import certificate_variables
from autonoe.kubernetes.labels import labels

Object = dict[str, Any]

S3_PORT, S3_ADMIN_PORT, OPENBAO_PORT, MLFLOW_PORT, POSTGRES_PORT = 8333, 8334, 8200, 5000, 5432

_SECURITY = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


@dataclass(frozen=True)
class Names:
    """Names of one installation."""

    instance: str
    user_prefix: str
    project_prefix: str

    @property
    def platform(self) -> str:
        """Namespace of the companions."""
        return f"{self.instance}-platform"

    @property
    def controller(self) -> str:
        """Namespace of the tenant controller."""
        return f"{self.instance}-tenants"

    def url(self, service: str, port: int) -> str:
        """Return the address of a companion as pods reach it."""
        return f"http://{service}.{self.platform}.svc.cluster.local:{port}"

    @property
    def identity(self) -> ClusterIdentity:
        """What OpenBao is told about the cluster."""
        return ClusterIdentity(
            openbao_url=self.url("openbao", OPENBAO_PORT),
            tenant_namespaces=(f"{self.user_prefix}*", f"{self.project_prefix}*"),
            controller_namespace=self.controller,
            platform_namespace=self.platform,
        )

    def metadata(self, name: str, component: str) -> Object:
        """Return the metadata of an object in the platform's namespace."""
        return {
            "name": name,
            "namespace": self.platform,
            "labels": labels(component, instance=self.instance, component="companion"),
        }

    def selector(self, component: str) -> dict[str, str]:
        """Return the labels that find the pod of a companion."""
        return {
            "app.kubernetes.io/name": component,
            "app.kubernetes.io/instance": self.instance,
        }


@dataclass(frozen=True)
class Part:
    """One companion: its containers, what they mount, and its ports."""

    name: str
    containers: Sequence[Object]
    volumes: Sequence[Object]
    ports: Mapping[str, int]
    service_account: str = ""


def namespace(names: Names) -> Object:
    """Return the companions' namespace, which admits no pod that is not `restricted`."""
    level = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    own = labels("platform", instance=names.instance, component="namespace")
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": names.platform, "labels": own | level},
    }


def token_review(names: Names) -> list[Object]:
    """Return the accounts of OpenBao and of its operator, and the one right of OpenBao."""
    cluster_wide = {
        "name": f"{names.instance}-openbao-token-review",
        "labels": labels("openbao", instance=names.instance, component="companion"),
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": names.metadata("openbao", "openbao"),
        },
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": names.metadata(names.identity.operator_account, "openbao"),
            "automountServiceAccountToken": False,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": cluster_wide,
            "roleRef": {
                "apiGroup": "rbac.authorization.k8s.io",
                "kind": "ClusterRole",
                "name": "system:auth-delegator",
            },
            "subjects": [
                {"kind": "ServiceAccount", "name": "openbao", "namespace": names.platform}
            ],
        },
    ]


def secret(names: Names, name: str, files: Mapping[str, bytes | str]) -> Object:
    """Return a Secret of the platform's own."""
    data = {
        key: base64.b64encode(value.encode() if isinstance(value, str) else value).decode()
        for key, value in files.items()
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": names.metadata(name, name),
        "type": "Opaque",
        "data": data,
    }


def openbao(names: Names) -> list[Object]:
    """Return OpenBao, which unseals itself and makes its settings at its first start."""
    config = server_config(
        names.identity, data_dir="/data", seal_key_file="/secrets/openbao-seal.key"
    )
    part = Part(
        name="openbao",
        containers=[
            {
                "name": "openbao",
                "command": ["bao", "server", "-config=/etc/openbao/server.hcl"],
                "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108  the pod's own
                "readinessProbe": _http("/v1/identity/oidc/.well-known/keys", OPENBAO_PORT),
                "volumeMounts": [
                    _mount("config", "/etc/openbao"),
                    _mount("secrets", "/secrets"),
                    _mount("data", "/data", writable=True),
                ],
            }
        ],
        volumes=[
            {"name": "config", "configMap": {"name": "openbao"}},
            _secret_volume("secrets", "openbao"),
            {"name": "data", "emptyDir": {}},
        ],
        ports={"http": OPENBAO_PORT},
        service_account="openbao",
    )
    settings = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": names.metadata("openbao", "openbao"),
        "data": {"server.hcl": config},
    }
    return [settings, *_workload(names, part, "openbao")]


def seaweedfs(names: Names) -> list[Object]:
    """Return SeaweedFS with two doors: one for people without IAM, one for the controller."""
    environment = [
        {"name": name, "value": value} for name, value in certificate_variables("/secrets").items()
    ]
    common: Object = {
        "env": [*environment, {"name": "HOME", "value": "/tmp"}],  # noqa: S108  the pod's own
        "envFrom": [{"secretRef": {"name": "seaweedfs-doors"}}],
        "volumeMounts": [_mount("secrets", "/secrets"), _mount("data", "/data", writable=True)],
    }
    server = [
        "weed", "server", "-dir=/data", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
        "-master.telemetry=false", "-master.volumeSizeLimitMB=64", "-volume.max=400",
        "-disableHttp", "-filer", "-filer.disableHttp", "-s3", "-s3.ip.bind=0.0.0.0",
        f"-s3.port={S3_PORT}", "-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.iam=false",
        "-s3.config=/secrets/s3.json", "-s3.iam.config=/secrets/iam.json",
    ]  # fmt: skip
    door = [
        "weed", "s3", f"-port={S3_ADMIN_PORT}", "-port.grpc=18334", "-ip.bind=0.0.0.0",
        "-filer=127.0.0.1:8888", "-port.iceberg=0", "-port.lance=0", "-iam=true",
        "-iam.readOnly=false", "-config=/secrets/door.json",
    ]  # fmt: skip
    part = Part(
        name="seaweedfs",
        containers=[
            {
                "name": "server",
                "command": server,
                "readinessProbe": _http("/healthz", S3_PORT),
                **common,
            },
            {
                "name": "door",
                "command": door,
                "readinessProbe": _http("/healthz", S3_ADMIN_PORT),
                **common,
            },
        ],
        volumes=[_secret_volume("secrets", "seaweedfs"), {"name": "data", "emptyDir": {}}],
        ports={"s3": S3_PORT, "admin": S3_ADMIN_PORT},
    )
    return _workload(names, part, "seaweedfs")


def postgres(names: Names) -> list[Object]:
    """Return the database of MLflow, which nothing else can reach."""
    part = Part(
        name="postgres",
        containers=[
            {
                "name": "postgres",
                "env": [
                    {"name": "POSTGRES_PASSWORD_FILE", "value": "/secrets/password"},
                    {"name": "POSTGRES_DATABASES", "value": "mlflow mlflow_accounts"},
                    {"name": "PGDATA", "value": "/data/cluster"},
                ],
                "readinessProbe": {
                    "exec": {"command": ["pg_isready", "--host", "127.0.0.1"]},
                    "periodSeconds": 1,
                },
                "volumeMounts": [
                    _mount("secrets", "/secrets"),
                    _mount("data", "/data", writable=True),
                ],
            }
        ],
        volumes=[_secret_volume("secrets", "postgres"), {"name": "data", "emptyDir": {}}],
        ports={"sql": POSTGRES_PORT},
    )
    return _workload(names, part, "postgres")


_MLFLOW_START = """\
umask 077
# libpq reads a password file that only its owner can read; a Secret is readable by the group.
rm -f /tmp/pgpass
cat /secrets/pgpass > /tmp/pgpass
until python -c 'import socket; socket.create_connection(("postgres", 5432), 2)' 2> /dev/null; do
    sleep 0.3
done
export MLFLOW_FLASK_SERVER_SECRET_KEY="$(cat /secrets/flask-secret)"
exec mlflow server --app-name basic-auth --host 0.0.0.0 --port 5000 --workers 1 \\
    --serve-artifacts --artifacts-destination s3://mlflow/artifacts
"""


def mlflow(names: Names) -> list[Object]:
    """Return MLflow with accounts; artefacts go through it to the object store."""
    host = f"mlflow.{names.platform}.svc.cluster.local"
    database = f"postgresql+psycopg2://postgres@postgres:{POSTGRES_PORT}/mlflow"
    values = {
        "HOME": "/tmp",  # noqa: S108  the pod's own
        "PGPASSFILE": "/tmp/pgpass",  # noqa: S108  the pod's own
        "MLFLOW_BACKEND_STORE_URI": database,
        "MLFLOW_AUTH_CONFIG_PATH": "/secrets/auth.ini",
        # Loopback is for tests, which come through the API server.
        "MLFLOW_SERVER_ALLOWED_HOSTS": f"{host}:{MLFLOW_PORT},{host},localhost,127.0.0.1:*",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_S3_ENDPOINT_URL": names.url("seaweedfs", S3_PORT),
        "AWS_SHARED_CREDENTIALS_FILE": "/secrets/s3-credentials",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    probe = _http("/health", MLFLOW_PORT)
    probe["httpGet"]["httpHeaders"] = [{"name": "Host", "value": "localhost"}]
    part = Part(
        name="mlflow",
        containers=[
            {
                "name": "mlflow",
                "command": ["sh", "-ec", _MLFLOW_START],
                "env": [{"name": name, "value": value} for name, value in values.items()],
                "readinessProbe": probe,
                "volumeMounts": [_mount("secrets", "/secrets")],
            }
        ],
        volumes=[_secret_volume("secrets", "mlflow")],
        ports={"http": MLFLOW_PORT},
    )
    return _workload(names, part, "mlflow")


def _workload(names: Names, part: Part, image: str) -> list[Object]:
    selector = names.selector(part.name)
    own = names.metadata(part.name, part.name)
    # Every image writes to /tmp only; the volume outlives a container, not the pod.
    temporary = {"name": "tmp", "emptyDir": {}}
    containers = []
    for container in part.containers:
        mounts = [*container["volumeMounts"], _mount("tmp", "/tmp", writable=True)]  # noqa: S108
        containers.append(
            {
                **container,
                "image": f"localhost/autonoe/{image}:dev",
                "imagePullPolicy": "IfNotPresent",
                "securityContext": _SECURITY,
                "resources": {
                    "requests": {"cpu": "20m", "memory": "96Mi"},
                    "limits": {"memory": "1Gi"},
                },
                "volumeMounts": mounts,
            }
        )
    spec: Object = {
        "automountServiceAccountToken": bool(part.service_account),
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "fsGroup": 1000,
        },
        "terminationGracePeriodSeconds": 5,
        "containers": containers,
        "volumes": [*part.volumes, temporary],
    }
    if part.service_account:
        spec["serviceAccountName"] = part.service_account
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": own,
            "spec": {
                "replicas": 1,
                "strategy": {"type": "Recreate"},
                "selector": {"matchLabels": selector},
                "template": {"metadata": {"labels": own["labels"]}, "spec": spec},
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": own,
            "spec": {
                "selector": selector,
                "ports": [
                    {"name": name, "port": port, "targetPort": port}
                    for name, port in part.ports.items()
                ],
            },
        },
    ]


def _http(path: str, port: int) -> Object:
    return {"httpGet": {"path": path, "port": port}, "periodSeconds": 1, "timeoutSeconds": 3}


def _mount(name: str, path: str, *, writable: bool = False) -> Object:
    return {"name": name, "mountPath": path, "readOnly": not writable}


def _secret_volume(name: str, secret_name: str) -> Object:
    return {"name": name, "secret": {"secretName": secret_name, "defaultMode": 0o440}}
