"""The same search as an Argo Workflow: one container a candidate.

Plain dicts; tests hold them against the models that Argo publishes. The plan travels in the
manifest, so nothing but the image and the data is needed where it runs. Nothing in it is secret:
containers get their identity from the service account and the agent beside them.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from autonoe.errors import InvalidInputError
from autonoe.names import slug
from autonoe_nace.search.plan import SearchPlan

if TYPE_CHECKING:
    from autonoe.credentials.settings import AgentSettings

Manifest = dict[str, Any]

PLAN_FILE = "/search/plan.json"
_USER = 1000
_RETRIES = 2
_KEEP_S = 86_400
_SCRATCH = "4Gi"
_MOST_BYTES = 900_000
"""Below what Kubernetes keeps of one object, 1 MiB and more."""


@dataclass(frozen=True)
class Containers:
    """How each container of the workflow looks.

    Attributes
    ----------
    image : str
        With this package and its training part.
    name, namespace : str
        Of the workflow; the namespace is left out when empty.
    service_account : str
        Whom the containers act as. Argo asks of it to create and patch ``workflowtaskresults``.
    cpu, memory : str
        Kubernetes quantities, requested and limited.
    parallelism : int
        Containers at the same time.
    deadline_s : int
        Seconds that one may take.
    """

    image: str
    name: str = "nace-search"
    namespace: str = ""
    service_account: str = "workload"
    cpu: str = "1"
    memory: str = "2Gi"
    parallelism: int = 4
    deadline_s: int = 7_200


def workflow(
    plan: SearchPlan, containers: Containers, *, agent: tuple[AgentSettings, str] | None = None
) -> Manifest:
    """Return the manifest of a Workflow that runs ``plan``.

    Parameters
    ----------
    plan : SearchPlan
        The search; its data must lie where containers reach it, at an ``s3://`` address.
    containers : Containers
        Image, resources, deadlines.
    agent : (AgentSettings, str), optional
        Account and image of the credential agent to put beside each container.

    Raises
    ------
    InvalidInputError
        If the data lies on this machine, or the plan is too large for one object.
    """
    _check(plan)
    number = {"parameters": [{"name": "number"}]}
    run = ["nace", "search", "run-one", "--plan", PLAN_FILE, "--track", "--json"]
    one = [*run, "--candidate", "{{inputs.parameters.number}}"]
    metadata: Manifest = {
        "generateName": f"{slug(containers.name)}-",
        "labels": {"app.kubernetes.io/part-of": "autonoe", "autonoe/search": plan.id},
    }
    if containers.namespace:
        metadata["namespace"] = containers.namespace
    rounds = -(-len(plan.candidates) // containers.parallelism)
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": metadata,
        "spec": {
            "entrypoint": "search",
            "serviceAccountName": containers.service_account,
            "parallelism": containers.parallelism,
            # Every container as slow as it may be and tried again, and as long again for waiting.
            "activeDeadlineSeconds": 2 * (rounds + 2) * (_RETRIES + 1) * containers.deadline_s,
            "ttlStrategy": {"secondsAfterCompletion": _KEEP_S},
            "podGC": {"strategy": "OnPodSuccess"},
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": _USER,
                "runAsGroup": _USER,
                "fsGroup": _USER,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "arguments": {"parameters": [{"name": "image", "value": containers.image}]},
            "templates": [
                {"name": "search", "steps": _steps(plan)},
                _template("begin", run, plan, containers, agent),
                _template("end", [*run, "--close"], plan, containers, agent),
                {
                    **_template("candidate", one, plan, containers, agent),
                    "inputs": {**number, "artifacts": [_plan_file(plan)]},
                },
            ],
        },
    }


def as_yaml(manifest: Manifest) -> str:
    """Return the manifest as YAML, in its own order."""
    return str(yaml.safe_dump(manifest, sort_keys=False, allow_unicode=True, width=120))


def _steps(plan: SearchPlan) -> list[list[Manifest]]:
    """Return the order of the containers: one opens the run, then all candidates, one ends it."""
    return [
        [{"name": "begin", "template": "begin"}],
        [
            {
                "name": "candidate",
                "template": "candidate",
                "arguments": {"parameters": [{"name": "number", "value": "{{item}}"}]},
                "withSequence": {"start": "0", "end": str(len(plan.candidates) - 1)},
                # One candidate that cannot be trained must not end the others.
                "continueOn": {"failed": True},
            }
        ],
        [{"name": "end", "template": "end"}],
    ]


def _template(
    name: str,
    arguments: list[str],
    plan: SearchPlan,
    containers: Containers,
    agent: tuple[AgentSettings, str] | None,
) -> Manifest:
    resources = {"cpu": containers.cpu, "memory": containers.memory}
    container: Manifest = {
        "name": "main",
        "image": "{{workflow.parameters.image}}",
        "imagePullPolicy": "IfNotPresent",
        "command": ["autonoe"],
        "args": arguments,
        "env": [
            {"name": "HOME", "value": "/tmp"},  # noqa: S108  the one writable folder, in the pod
            {"name": "OMP_NUM_THREADS", "value": "1"},
        ],
        "resources": {"requests": resources, "limits": dict(resources)},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "runAsNonRoot": True,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": "scratch", "mountPath": "/tmp"}],  # noqa: S108
    }
    template: Manifest = {
        "name": name,
        "inputs": {"artifacts": [_plan_file(plan)]},
        # Argo takes numbers or strings in these three; its published schema knows the strings only.
        "activeDeadlineSeconds": str(containers.deadline_s),
        "retryStrategy": {
            "limit": str(_RETRIES),
            "retryPolicy": "OnError",
            "backoff": {"duration": "30s", "factor": "2"},
        },
        "container": container,
        "volumes": [{"name": "scratch", "emptyDir": {"sizeLimit": _SCRATCH}}],
    }
    if agent is None:
        return template
    return _beside_agent(template, containers.service_account, *agent)


def _beside_agent(
    template: Manifest, service_account: str, settings: AgentSettings, image: str
) -> Manifest:
    """Return ``template`` with the credential agent beside its container."""
    from autonoe.kubernetes.pods import with_agent

    container = {
        **copy.deepcopy(template["container"]),
        # The agent left what MLflow's client needs in a file, so that it is in no manifest.
        "command": [
            *("/bin/sh", "-c"),
            '. "$AUTONOE_AGENT_ENVIRONMENT" && exec autonoe "$@"',
            "autonoe",
        ],
    }
    pod = {"spec": {"serviceAccountName": service_account, "containers": [container]}}
    spec = with_agent(pod, settings, image)["spec"]
    return {
        **template,
        "container": spec["containers"][0],
        "initContainers": spec["initContainers"],
        "volumes": [*template["volumes"], *spec["volumes"]],
    }


def _plan_file(plan: SearchPlan) -> Manifest:
    return {"name": "plan", "path": PLAN_FILE, "raw": {"data": plan.text()}}


def _check(plan: SearchPlan) -> None:
    material = plan.material
    local = [uri for uri in (material.data, *material.extra) if not uri.startswith("s3://")]
    if local:
        raise InvalidInputError(
            f"Containers cannot read {', '.join(local)}.",
            hint="Copy it into a bucket and give its s3:// address.",
        )
    if 3 * len(plan.text()) > _MOST_BYTES:
        raise InvalidInputError(
            f"{len(plan.candidates):,} candidates do not fit into one manifest.",
            hint="Export a part of the search, or draw fewer candidates.",
        )
