"""A person with bad intentions, their victim, and pods for both."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

from autonoe.kubernetes.client import Cluster as Api
from autonoe.kubernetes.client import Object
from autonoe.kubernetes.labels import labels
from autonoe.waiting import wait_until
from support.stack_tenants import IMAGE, Tenants

ATTACKER, VICTIM = "mallory", "alice"
SECRET = "victims-secret"

_SECURITY: Object = {
    "allowPrivilegeEscalation": False,
    "runAsNonRoot": True,
    "runAsUser": 1000,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}


def pod(name: str, namespace: str, *command: str, **spec: Any) -> Object:
    """Return a pod that ``restricted`` accepts; it needs nothing but Python."""
    container = {
        "name": "main",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": list(command) or ["sleep", "infinity"],
        "securityContext": copy.deepcopy(_SECURITY),
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"cpu": "500m", "memory": "64Mi"},
        },
    }
    own = labels(name, instance="tests", component="tests")
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "labels": own},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
            **spec,
        },
    }


def listener(name: str, namespace: str, ports: list[int], **labels: str) -> Object:
    """Return a pod that accepts connections on each of ``ports``."""
    script = (
        "import socketserver,threading,sys\n"
        "class H(socketserver.BaseRequestHandler):\n"
        "    def handle(self): self.request.sendall(b'hello')\n"
        "class S(socketserver.ThreadingTCPServer): allow_reuse_address = True\n"
        "ts = [threading.Thread(target=S(('', int(p)), H).serve_forever) for p in sys.argv[1:]]\n"
        "[t.start() for t in ts]\n"
    )
    found = pod(name, namespace, "python", "-c", script, *map(str, ports))
    found["metadata"]["labels"] |= {key.replace("__", "/"): value for key, value in labels.items()}
    container = found["spec"]["containers"][0]
    container["readinessProbe"] = {"tcpSocket": {"port": ports[0]}, "periodSeconds": 1}
    return found


def wait_ready(api: Api, *pods: Object, timeout_s: float = 60) -> None:
    """Wait until the pods are ready.

    Raises
    ------
    UnavailableError
        If they are not in time.
    """
    for wanted in pods:
        name, namespace = wanted["metadata"]["name"], wanted["metadata"]["namespace"]

        def ready(name: str = name, namespace: str = namespace) -> bool:
            conditions = api.get("Pod", name, namespace).get("status", {}).get("conditions", [])
            return any(row["type"] == "Ready" and row["status"] == "True" for row in conditions)

        wait_until(ready, timeout_s=timeout_s, what=f"pod {name}", interval_s=0.1)


def address(api: Api, wanted: Object) -> str:
    """Return the address of a running pod."""
    found = api.get("Pod", wanted["metadata"]["name"], wanted["metadata"]["namespace"])
    return str(found["status"]["podIP"])


@dataclass
class Scene:
    """Two people of one installation, with what the victim owns."""

    tenants: Tenants
    own: str
    """Namespace of the attacker."""
    victims: str
    """Namespace of the victim."""
    attacker: Api
    """The API server, as the attacker's notebook sees it."""

    @property
    def admin(self) -> Api:
        """The API server, as an administrator sees it."""
        return self.tenants.api


def scene(tenants: Tenants) -> Scene:
    """Make both people, and let the victim own one thing of each kind."""
    hub = {"name": tenants.tenancy.hub_account, "namespace": tenants.tenancy.hub_namespace}
    tenants.api.apply({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": hub})
    own, victims = tenants.ensure("user", ATTACKER), tenants.ensure("user", VICTIM)
    for wanted in belongings(victims):
        tenants.api.apply(wanted)
    for wanted in belongings(own):
        tenants.api.apply(wanted)
    wait_ready(tenants.api, *(pod("thing", where) for where in (own, victims)))
    return Scene(tenants, own, victims, tenants.as_account(own))


def belongings(namespace: str) -> list[Object]:
    """Return one object of each kind that people own, all named ``thing``."""
    metadata = {"name": "thing", "namespace": namespace}
    template = pod("thing", namespace)
    template = {"metadata": {"labels": {"app": "thing"}}, "spec": template["spec"]}
    selector = {"matchLabels": {"app": "thing"}}
    return [
        pod("thing", namespace, volumes=[_claim("thing")]),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": SECRET}},
        {"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": {"a": SECRET}},
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": metadata,
            "spec": {"selector": {"app": "thing"}, "ports": [{"port": 80}]},
        },
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "metadata": metadata,
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "16Mi"}},
            },
        },
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": metadata,
            "spec": {"replicas": 0, "selector": selector, "template": template},
        },
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": metadata,
            "spec": {
                "suspend": True,
                "template": {"spec": {**template["spec"], "restartPolicy": "Never"}},
            },
        },
    ]


def _claim(name: str) -> Object:
    return {"name": "home", "persistentVolumeClaim": {"claimName": name}}
