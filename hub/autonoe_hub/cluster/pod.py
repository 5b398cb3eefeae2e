"""What the pod of a person's server looks like, apart from what the profile decides.

Everything is admitted under the Pod Security level ``restricted``, and the root file system is
read-only: what a server can write is listed in ``VOLUMES`` and nowhere else.
"""

from __future__ import annotations

from typing import Any

from autonoe.profiles.choice import Choice
from autonoe_hub.cluster.settings import ClusterSettings

UID = 1000
GID = 1000
HOME = "/home/jovyan"
RUN = "/run/autonoe"
HOME_CLAIM = "home"
SERVICE_ACCOUNT = "notebook"
KUBERNETES_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105  a folder
OPENBAO_TOKEN = "/var/run/secrets/autonoe/openbao"  # noqa: S105  a folder
KUBECONFIG = f"{RUN}/kubeconfig"

CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "privileged": False,
    "readOnlyRootFilesystem": True,
    "runAsGroup": GID,
    "runAsNonRoot": True,
    "runAsUser": UID,
    "seccompProfile": {"type": "RuntimeDefault"},
}

POD_SECURITY: dict[str, Any] = {
    "fsGroup": GID,
    # The whole home is chowned at each start otherwise, which takes minutes with a million files.
    "fsGroupChangePolicy": "OnRootMismatch",
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def volumes(settings: ClusterSettings, *, shared_memory: str, home: bool) -> list[dict[str, Any]]:
    """Return the pod's volumes.

    Parameters
    ----------
    settings : ClusterSettings
        Sizes, and the audience of the token.
    shared_memory : str
        Size of ``/dev/shm``.
    home : bool
        Whether the home is kept; else it goes with the server.
    """
    claim: dict[str, Any] = {"persistentVolumeClaim": {"claimName": HOME_CLAIM}}
    return [
        {"name": "home", **(claim if home else {"emptyDir": {}})},
        {"name": "tmp", "emptyDir": {"sizeLimit": settings.temporary_disk}},
        # Passes of the agent: in memory, so that they never reach a node's disk.
        {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": shared_memory}},
        {
            "name": "openbao-token",
            "projected": {
                "defaultMode": 0o440,
                "sources": [
                    {
                        "serviceAccountToken": {
                            "audience": settings.addresses.openbao_audience,
                            "expirationSeconds": 600,
                            "path": "token",
                        }
                    }
                ],
            },
        },
        {"name": "kubernetes-token", "projected": _kubernetes_token()},
    ]


def _kubernetes_token() -> dict[str, Any]:
    # What Kubernetes mounts by itself, written out: automounting is off, so that a pod which a
    # person writes gets no token unless it asks.
    namespace = {"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}
    return {
        "defaultMode": 0o440,
        "sources": [
            {"serviceAccountToken": {"expirationSeconds": 3600, "path": "token"}},
            {
                "configMap": {
                    "name": "kube-root-ca.crt",
                    "items": [{"key": "ca.crt", "path": "ca.crt"}],
                }
            },
            {"downwardAPI": {"items": [namespace]}},
        ],
    }


VOLUME_MOUNTS: list[dict[str, Any]] = [
    {"name": "home", "mountPath": HOME},
    {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  a volume of the pod's own
    {"name": "run", "mountPath": RUN},
    {"name": "shm", "mountPath": "/dev/shm"},  # noqa: S108  likewise
    {"name": "openbao-token", "mountPath": OPENBAO_TOKEN, "readOnly": True},
    {"name": "kubernetes-token", "mountPath": KUBERNETES_TOKEN, "readOnly": True},
]


def readiness(port: int) -> dict[str, Any]:
    """Return the probe that makes "ready" mean that Jupyter answers, not that its process runs."""
    return {
        "tcpSocket": {"port": port},
        "periodSeconds": 1,
        "timeoutSeconds": 1,
        # A kernel that takes every core must not make its own server look gone.
        "failureThreshold": 30,
    }


def extra_pod_config(*, lifetime_s: int, grace_s: int) -> dict[str, Any]:
    """Return the fields of the pod's spec that KubeSpawner has no option for.

    Parameters
    ----------
    lifetime_s : int
        Seconds after which the kubelet ends the pod, whether the hub runs or not; 0: never.
    grace_s : int
        Seconds that its processes then have.
    """
    found: dict[str, Any] = {
        # Addresses of all Services of the namespace as variables: thousands of them slow a start.
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": grace_s,
        "restartPolicy": "Never",
    }
    if lifetime_s:
        found["activeDeadlineSeconds"] = lifetime_s
    return found


def traits(settings: ClusterSettings, choice: Choice, *, port: int) -> dict[str, Any]:
    """Return KubeSpawner's options for one start, whatever the chart's values say about them.

    Parameters
    ----------
    settings : ClusterSettings
        The deployment.
    choice : Choice
        The profile, and what the person chose in it.
    port : int
        Where Jupyter listens.
    """
    shared = choice.shared_memory_bytes
    hours = choice.lifetime.total_hours
    return {
        "service_account": SERVICE_ACCOUNT,
        "automount_service_account_token": False,
        "privileged": False,
        "allow_privilege_escalation": False,
        "uid": UID,
        "gid": GID,
        "fs_gid": GID,
        "container_security_context": CONTAINER_SECURITY,
        "pod_security_context": POD_SECURITY,
        "working_dir": HOME,
        "volumes": volumes(
            settings,
            shared_memory=f"{shared >> 20}Mi" if shared else settings.shared_memory,
            home=choice.persistent_home,
        ),
        "volume_mounts": VOLUME_MOUNTS,
        # Ours, above: checked for its owner, while KubeSpawner takes any claim of that name.
        "storage_pvc_ensure": False,
        "extra_container_config": {"readinessProbe": readiness(port)},
        "extra_pod_config": extra_pod_config(
            lifetime_s=round(hours * 3600) if hours else settings.lifetime_s,
            grace_s=settings.stop_grace_s,
        ),
        "delete_grace_period": settings.stop_grace_s,
    }
