"""Pods that act in an account's name: what a pod needs beside its own containers.

Nothing of it is secret. The pod's token is projected by the kubelet for OpenBao alone, what is
made from it stays in memory or in a folder in memory, and both end with the pod.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autonoe.credentials import environment, sidecar
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import InvalidInputError
from autonoe.identity.cluster_openbao import AUDIENCE, WORKLOAD_ACCOUNT, login_mount

PROOF_DIR = "/var/run/secrets/autonoe/openbao"
PROOF_FILE = f"{PROOF_DIR}/token"
PROOF_VOLUME = "autonoe-openbao"
PROOF_TTL_S = 600
"""Seconds; the least that Kubernetes grants. The kubelet replaces the token at 80 % of it."""

AGENT_VOLUME = "autonoe-agent"
AGENT_MOUNT = "/run/autonoe"
AGENT_CONTAINER = "autonoe-agent"
GROUP = 1000
"""Group of the shared folder when the pod says none."""

_RESOURCES = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}


def proof_volume() -> dict[str, Any]:
    """Return the volume with the pod's token for OpenBao; no other server accepts that token."""
    token = {"audience": AUDIENCE, "expirationSeconds": PROOF_TTL_S, "path": "token"}
    return {
        "name": PROOF_VOLUME,
        "projected": {"defaultMode": 0o440, "sources": [{"serviceAccountToken": token}]},
    }


def proof_mount() -> dict[str, Any]:
    """Return where that volume is mounted, in the one container that logs in."""
    return {"name": PROOF_VOLUME, "mountPath": PROOF_DIR, "readOnly": True}


def pod_settings(settings: AgentSettings) -> AgentSettings:
    """Return ``settings`` with the proof of a pod in place of any other."""
    return settings.model_copy(
        update={
            "proof_file": Path(PROOF_FILE),
            "proof_kind": "kubernetes",
            "control_socket": None,
            "agent_dir": None,
        }
    )


def agent_variables(settings: AgentSettings) -> list[dict[str, str]]:
    """Return the variables of a container that runs the agent: of a Jupyter pod, of the sidecar."""
    values = pod_settings(settings).environment()
    return [{"name": name, "value": value} for name, value in sorted(values.items())]


@dataclass(frozen=True)
class Fragment:
    """What a pod spec gets so that its own process can run the agent."""

    env: list[dict[str, str]]
    volumes: list[dict[str, Any]]
    mounts: list[dict[str, Any]]


def notebook_fragment(settings: AgentSettings) -> Fragment:
    """Return what a Jupyter pod needs: its server runs the agent itself, as on one machine.

    The agent's files are outside the home, so that a full disk does not keep it from starting.
    """
    variables = agent_variables(settings)
    return Fragment(
        env=[*variables, {"name": "AUTONOE_AGENT_DIR", "value": AGENT_MOUNT}],
        volumes=[proof_volume(), _agent_volume()],
        mounts=[proof_mount(), {"name": AGENT_VOLUME, "mountPath": AGENT_MOUNT}],
    )


def _agent_volume() -> dict[str, Any]:
    return {"name": AGENT_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "4Mi"}}


def client_variables(settings: AgentSettings) -> dict[str, str]:
    """Return the variables that lead standard clients beside the sidecar to it.

    The pass is in a file, so the variables that would hold it are missing: AWS clients read the
    file by themselves; for others see ``environment.sh`` in the same folder.
    """
    folder = Path(AGENT_MOUNT, "agent")
    files = {"token": folder / "agent-token", "git": folder / "gitconfig"}
    files["aws"] = folder / "aws-config"
    values = environment.kernel_environment(
        settings, agent_url=f"http://127.0.0.1:{sidecar.PORT}", token="", files=files
    )
    values = {name: value for name, value in values.items() if value}
    return {
        **values,
        **environment.without_proxy({}),
        "AUTONOE_AGENT_TOKEN_FILE": str(files["token"]),
        "AUTONOE_AGENT_ENVIRONMENT": str(folder / sidecar.ENVIRONMENT),
    }


def with_agent(pod_template: dict[str, Any], settings: AgentSettings, image: str) -> dict[str, Any]:
    """Return ``pod_template`` with the credential agent beside its containers.

    Parameters
    ----------
    pod_template : dict
        ``{"metadata", "spec"}`` of a pod, a Deployment, a Job ...; it is not changed. Its
        containers may run as any user: they share a group.
    settings : AgentSettings
        The account and the addresses; the proof is always the pod's own.
    image : str
        The image ``agent``.

    Returns
    -------
    dict
        With the sidecar as first init container (``restartPolicy: Always``, Kubernetes 1.29 or
        later), two volumes, and the variables and the shared folder in each container. Variables
        that a container sets itself stay as they are. The service account becomes ``workload``
        unless one is named.

    Raises
    ------
    InvalidInputError
        If a container sets static AWS keys, which would win over those that renew themselves, or
        the pod uses a name of ours.
    """
    template = copy.deepcopy(pod_template)
    spec = template.setdefault("spec", {})
    _check(spec)
    spec.setdefault("serviceAccountName", WORKLOAD_ACCOUNT)
    spec.setdefault("automountServiceAccountToken", False)
    # A Service of the tenant named autonoe-agent would set AUTONOE_AGENT_PORT.
    spec.setdefault("enableServiceLinks", False)
    security = spec.setdefault("securityContext", {})
    security.setdefault("fsGroup", GROUP)
    variables = client_variables(settings)
    for container in (*spec.get("initContainers", ()), *spec["containers"]):
        _lead_to_agent(container, variables)
    mount = login_mount(settings.openbao_mount, spec["serviceAccountName"])
    agent = _agent_container(settings.model_copy(update={"openbao_mount": mount}), image)
    spec["initContainers"] = [agent, *spec.get("initContainers", ())]
    spec["volumes"] = [*spec.get("volumes", ()), proof_volume(), _agent_volume()]
    return template


def _agent_container(settings: AgentSettings, image: str) -> dict[str, Any]:
    ready = f"{AGENT_MOUNT}/agent/{sidecar.READY}"
    return {
        "name": AGENT_CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-m", "autonoe.credentials.sidecar"],
        "restartPolicy": "Always",
        "env": [
            *agent_variables(settings.model_copy(update={"agent_port": sidecar.PORT})),
            # Nothing else is writable.
            {"name": "HOME", "value": AGENT_MOUNT},
        ],
        "volumeMounts": [proof_mount(), {"name": AGENT_VOLUME, "mountPath": AGENT_MOUNT}],
        # The others start when this succeeds: their first call finds keys.
        "startupProbe": {
            "exec": {"command": ["test", "-e", ready]},
            "periodSeconds": 1,
            "failureThreshold": 120,
        },
        "resources": copy.deepcopy(_RESOURCES),
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "runAsGroup": 1000,
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
    }


def _lead_to_agent(container: dict[str, Any], variables: dict[str, str]) -> None:
    own = list(container.get("env") or ())
    names = {entry["name"] for entry in own}
    added = [
        {"name": name, "value": value}
        for name, value in sorted(variables.items())
        if name not in names
    ]
    container["env"] = [*own, *added]
    mount = {"name": AGENT_VOLUME, "mountPath": AGENT_MOUNT, "readOnly": True}
    container["volumeMounts"] = [*(container.get("volumeMounts") or ()), mount]


def _check(spec: dict[str, Any]) -> None:
    containers = [*spec.get("initContainers", ()), *spec.get("containers", ())]
    if not spec.get("containers"):
        raise InvalidInputError("The pod has no container.")
    taken = {AGENT_CONTAINER, AGENT_VOLUME, PROOF_VOLUME} & _names(
        [*containers, *spec.get("volumes", ())]
    )
    if taken:
        raise InvalidInputError(
            f"The pod uses a name of the credential agent already: {', '.join(sorted(taken))}.",
            hint="Rename it, or leave out the agent.",
        )
    for container in containers:
        static = set(environment.STATIC_KEYS) & _names(container.get("env") or ())
        if static:
            raise InvalidInputError(
                f"The container {container.get('name')!r} sets {', '.join(sorted(static))}.",
                hint="Leave them out: they would win over the keys that renew themselves.",
            )


def _names(entries: Iterable[dict[str, Any]]) -> set[str]:
    return {str(entry.get("name")) for entry in entries}
