"""Tenants of a cluster and pods that act for them, without hub and tenant controller."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autonoe.credentials.settings import AgentSettings
from autonoe.identity.cluster import ClusterEnrolment
from autonoe.identity.cluster_openbao import TENANT_ACCOUNTS
from autonoe.kubernetes.labels import labels, owned_by
from autonoe.kubernetes.pods import notebook_fragment, with_agent
from autonoe.waiting import wait_until
from support.cluster import RESTRICTED
from support.stack_companions import Companions

AGENT = "localhost/autonoe/agent:dev"
FOREIGN = "localhost/autonoe/mlflow:dev"
"""An image with boto3 that is none of the platform's parts for people; it stands for any."""
JUPYTER = "localhost/autonoe/jupyter-python:dev"
FOREIGN_UID = 4321
_CLOSED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "readOnlyRootFilesystem": True,
}


@dataclass
class Tenant:
    """A person with a namespace."""

    companions: Companions
    name: str
    namespace: str
    projects: tuple[str, ...] = ()
    changes: dict[str, Any] = field(default_factory=dict)
    """Settings of the agent that differ from the installation's."""

    @property
    def bucket(self) -> str:
        """The person's bucket."""
        return self.settings.bucket

    @property
    def settings(self) -> AgentSettings:
        """What the agent in the person's pods is told."""
        return self.companions.agent_settings(self.name, groups=self.projects, **self.changes)

    def worker(self, name: str, command: list[str], **spec: Any) -> dict[str, Any]:
        """Return a pod with somebody else's container and our sidecar beside it."""
        container = {
            "name": "main",
            "image": FOREIGN,
            "imagePullPolicy": "IfNotPresent",
            "command": command,
            "env": [{"name": "HOME", "value": "/tmp"}],  # noqa: S108  the pod's own
            "securityContext": _CLOSED,
            "volumeMounts": [_TMP_MOUNT, _SCRIPTS_MOUNT],
        }
        template = {
            "metadata": {"labels": {"app": name}},
            "spec": {
                "restartPolicy": "Never",
                "terminationGracePeriodSeconds": 1,
                "securityContext": _user(FOREIGN_UID),
                "containers": [container],
                "volumes": [_TMP, _SCRIPTS],
                **spec,
            },
        }
        return self._pod(name, with_agent(template, self.settings, AGENT))

    def notebook(self, name: str) -> dict[str, Any]:
        """Return a Jupyter pod, as the hub makes one; its server listens to the pod alone."""
        ours = notebook_fragment(self.settings)
        container = {
            "name": "notebook",
            "image": JUPYTER,
            "imagePullPolicy": "IfNotPresent",
            "command": [
                "jupyter", "server", "--ip=127.0.0.1", "--port=8888", "--no-browser",
                "--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True",
            ],
            "env": [*ours.env, {"name": "HOME", "value": "/home/jovyan"}],
            "readinessProbe": {
                "exec": {"command": ["python", "-c", _ANSWERS]},
                "periodSeconds": 5,
                "timeoutSeconds": 10,
            },
            "securityContext": _CLOSED,
            "volumeMounts": [
                *ours.mounts,
                _TMP_MOUNT,
                _SCRIPTS_MOUNT,
                {"name": "home", "mountPath": "/home/jovyan"},
            ],
        }  # fmt: skip
        spec = {
            "serviceAccountName": "notebook",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 1,
            "securityContext": {**_user(1000), "fsGroup": 1000},
            "containers": [container],
            "volumes": [*ours.volumes, _TMP, _SCRIPTS, {"name": "home", "emptyDir": {}}],
        }
        return self._pod(name, {"metadata": {"labels": {"app": name}}, "spec": spec})

    def start(self, pod: dict[str, Any], *scripts: Path) -> None:
        """Create a pod, with these files at ``/scripts``."""
        files = {path.name: path.read_text() for path in scripts}
        metadata = {"name": "scripts", "namespace": self.namespace}
        known = self.cluster.kubectl(
            "get", "configmap", "scripts", self._here, "--ignore-not-found", "--output=json"
        )
        files = {**(json.loads(known)["data"] if known else {}), **files}
        self.cluster.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": files}, pod
        )

    def exec(self, pod: str, *command: str, container: str = "", timeout_s: float = 120) -> str:
        """Run a command in a container, and return what it prints."""
        inside = [f"--container={container}"] if container else []
        return self.cluster.kubectl(
            "exec", self._here, pod, *inside, "--", *command, timeout_s=timeout_s
        )

    def logs(self, pod: str, container: str) -> str:
        """Return what a container printed."""
        return self.cluster.kubectl("logs", self._here, pod, f"--container={container}")

    def wait_succeeded(self, pod: str, *, timeout_s: float) -> None:
        """Wait until every container of a pod ended well."""

        def phase() -> str:
            found = self.cluster.get("pod", pod, self._here)["status"]["phase"]
            assert found != "Failed", self.cluster.diagnose(self.namespace)
            return str(found)

        wait_until(
            lambda: phase() == "Succeeded",
            timeout_s=timeout_s,
            what=f"the end of {pod}",
            interval_s=0.5,
        )

    @property
    def cluster(self) -> Any:
        """The cluster."""
        return self.companions.cluster

    @property
    def _here(self) -> str:
        return f"--namespace={self.namespace}"

    def _pod(self, name: str, template: dict[str, Any]) -> dict[str, Any]:
        metadata = {**template["metadata"], "name": name, "namespace": self.namespace}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]}


_TMP = {"name": "tmp", "emptyDir": {}}
_TMP_MOUNT = {"name": "tmp", "mountPath": "/tmp"}  # noqa: S108  the pod's own
_SCRIPTS = {"name": "scripts", "configMap": {"name": "scripts"}}
_SCRIPTS_MOUNT = {"name": "scripts", "mountPath": "/scripts", "readOnly": True}
_ANSWERS = "import urllib.request as r; r.urlopen('http://127.0.0.1:8888/api', timeout=5)"


def _user(uid: int) -> dict[str, Any]:
    return {
        "runAsNonRoot": True,
        "runAsUser": uid,
        "runAsGroup": uid,
        "seccompProfile": {"type": "RuntimeDefault"},
    }


@contextmanager
def tenant(
    companions: Companions,
    enrolment: ClusterEnrolment,
    stem: str,
    projects: tuple[str, ...] = (),
) -> Iterator[Tenant]:
    """Give a person of a name that nobody else has, with a namespace; both are removed after."""
    name = f"{stem}-{secrets.token_hex(3)}"
    names = companions.names
    namespace = f"{names.user_prefix}{name}"
    own = labels(
        "tenant", instance=names.instance, component="namespace", tenant="user", owner=name
    )
    metadata = {"name": namespace, "labels": own | RESTRICTED, "annotations": owned_by(name)}
    accounts = [
        {
            "apiVersion": "v1",
            "kind": "ServiceAccount",
            "metadata": {"name": account, "namespace": namespace},
            "automountServiceAccountToken": False,
        }
        for account in TENANT_ACCOUNTS
    ]
    companions.cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata})
    companions.cluster.apply(*accounts)
    try:
        enrolment.ensure(name, projects, f"{name}@example.org", namespace)
        yield Tenant(companions, name, namespace, projects)
    finally:
        enrolment.remove(name, namespace, purge=True)
        companions.cluster.kubectl("delete", "namespace", namespace, "--wait=false")
