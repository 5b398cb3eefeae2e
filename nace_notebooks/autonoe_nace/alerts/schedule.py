"""Alerts by the clock on Kubernetes: the rules, a place for the journal, and a CronJob."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autonoe.credentials.settings import AgentSettings
from autonoe.kubernetes.labels import labels
from autonoe.kubernetes.pods import with_agent
from autonoe_nace.clockwork import clocked, job_name, limited, pod

_MEMORY = "4Gi"
"""An alert may retrain, in the same container."""


def objects(
    cron: str,
    arguments: Sequence[str],
    *,
    rules: str,
    image: str,
    agent_image: str = "",
    settings: AgentSettings | None = None,
) -> list[dict[str, Any]]:
    """Return a ConfigMap with the rules, a claim for the journal, and the CronJob that checks.

    Parameters
    ----------
    cron : str
        When, in UTC.
    arguments : sequence of str
        Of ``autonoe nace alerts check``, without rules and journal.
    rules : str
        Content of the rule file.
    image : str
        Image with ``autonoe[nace]``.
    agent_image : str
        Image of the credential agent.
    settings : AgentSettings, optional
        The account and the addresses; with them the agent runs beside the job, which holds no
        credentials then either.

    Raises
    ------
    InvalidInputError
        If ``cron`` is no cron expression.
    """
    title = job_name("alerts", settings.account if settings is not None else "nace")
    marks = labels("nace-alerts", instance=title, component="alerts")
    about = {"name": title, "labels": marks}
    volumes: list[dict[str, Any]] = [
        # the journal lies in the home folder and knows when an action was taken: in an emptyDir
        # there would be no cool-down
        {"name": "work", "persistentVolumeClaim": {"claimName": title}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "rules", "configMap": {"name": title}},
    ]
    template = pod(marks, _container(arguments, image), volumes)
    if settings is not None:
        template = with_agent(template, settings, agent_image or image)
    return [
        {
            **{"apiVersion": "v1", "kind": "ConfigMap", "metadata": about},
            "data": {"rules.yaml": rules},
        },
        {
            **{"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": about},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
        # an alert ends with exit code 1, a failed job, which must not be checked and told twice
        clocked(cron, title, marks, template, retries=0),
    ]


def _container(arguments: Sequence[str], image: str) -> dict[str, Any]:
    return {
        **{"name": "alerts", "image": image, "command": ["autonoe", "nace", "alerts", "check"]},
        "args": [*arguments, "--rules", "/rules/rules.yaml"],
        "env": [{"name": "HOME", "value": "/work"}],
        "volumeMounts": [
            {"name": "work", "mountPath": "/work"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  a volume of the pod alone
            {"name": "rules", "mountPath": "/rules", "readOnly": True},
        ],
        **limited(_MEMORY),
    }
