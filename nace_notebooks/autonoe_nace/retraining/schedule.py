"""Retraining by the clock on Kubernetes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autonoe.credentials.settings import AgentSettings
from autonoe.kubernetes.labels import labels
from autonoe.kubernetes.pods import with_agent
from autonoe_nace.clockwork import clocked, job_name, limited, pod


def cronjob(
    cron: str,
    arguments: Sequence[str],
    *,
    name: str,
    image: str,
    agent_image: str = "",
    settings: AgentSettings | None = None,
    memory: str = "4Gi",
) -> dict[str, Any]:
    """Return a Kubernetes CronJob that retrains; it holds no credentials.

    Parameters
    ----------
    cron : str
        When, in UTC.
    arguments : sequence of str
        Of ``autonoe nace retrain``.
    name : str
        Registered model, of which the job takes its name.
    image : str
        Image with ``autonoe[nace]``.
    agent_image : str
        Image of the credential agent; with ``settings`` it runs beside the job, which then acts in
        the account's name with keys that renew themselves.
    settings : AgentSettings, optional
        The account and the addresses.
    memory : str
        Of the container, as Kubernetes writes it.

    Raises
    ------
    InvalidInputError
        If ``cron`` is no cron expression.
    """
    title = job_name("retrain", name)
    marks = labels("nace-retrain", instance=title, component="retraining")
    container = {
        **{"name": "retrain", "image": image, "command": ["autonoe", "nace", "retrain"]},
        "args": [*arguments, "--work", "/work", "--json"],
        "env": [{"name": "HOME", "value": "/work"}],
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
        **limited(memory),
    }
    template = pod(marks, container, [{"name": "work", "emptyDir": {}}])
    if settings is not None:
        template = with_agent(template, settings, agent_image or image)
    return clocked(cron, title, marks, template, retries=1)
