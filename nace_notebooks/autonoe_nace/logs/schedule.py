"""The ETL by the clock on Kubernetes, for a server that logs onto a volume."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

from autonoe.credentials.settings import AgentSettings
from autonoe.errors import InvalidInputError
from autonoe.kubernetes.labels import labels
from autonoe.kubernetes.pods import with_agent
from autonoe_nace.clockwork import clocked, job_name, limited, pod

_MEMORY = "2Gi"
_VOLUME = PurePosixPath("/volume")


def cronjob(
    cron: str,
    *,
    claim: str,
    folder: str,
    target: str,
    image: str,
    agent_image: str = "",
    settings: AgentSettings | None = None,
) -> dict[str, Any]:
    """Return a Kubernetes CronJob that brings logs to the object store; it holds no credentials.

    Parameters
    ----------
    cron : str
        When, in UTC.
    claim : str
        PersistentVolumeClaim that the server writes its state to.
    folder : str
        Folder of the logs within the claim.
    target : str
        ``s3://bucket/prefix``.
    image : str
        Image with ``autonoe[nace]``.
    agent_image : str
        Image of the credential agent.
    settings : AgentSettings, optional
        The account and the addresses; with them the agent runs beside the job.

    Raises
    ------
    InvalidInputError
        If ``cron`` is no cron expression, or the target is lost with the pod.
    """
    if not target.startswith("s3://"):
        raise InvalidInputError(
            "A CronJob brings logs to the object store: a folder would go with its pod.",
            hint="Give --to s3://BUCKET/PREFIX.",
        )
    title = job_name("etl", claim)
    marks = labels("nace-etl", instance=title, component="logs")
    container = {
        **{"name": "etl", "image": image, "command": ["autonoe", "nace", "etl"]},
        "args": ["--from", str(_VOLUME / folder.lstrip("/")), "--to", target, "--json"],
        "env": [{"name": "HOME", "value": "/work"}],
        "volumeMounts": [
            {"name": "work", "mountPath": "/work"},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  a volume of the pod alone
            {"name": "logs", "mountPath": str(_VOLUME)},
        ],
        **limited(_MEMORY),
    }
    volumes: list[dict[str, Any]] = [
        {"name": "work", "emptyDir": {}},
        {"name": "tmp", "emptyDir": {}},
        # the run moves what it brought to `done` there, so it must write
        {"name": "logs", "persistentVolumeClaim": {"claimName": claim}},
    ]
    template = pod(marks, container, volumes)
    if settings is not None:
        template = with_agent(template, settings, agent_image or image)
    return clocked(cron, title, marks, template, retries=1)
