"""Commands by the clock: a line for cron, or a CronJob for Kubernetes."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from typing import Any

from autonoe.errors import InvalidInputError
from autonoe.names import slug

_FIELDS = (
    r"(?:\*|[0-5]?\d(?:-[0-5]?\d)?)(?:/\d{1,2})?",
    r"(?:\*|(?:[01]?\d|2[0-3])(?:-(?:[01]?\d|2[0-3]))?)(?:/\d{1,2})?",
    r"(?:\*|(?:0?[1-9]|[12]\d|3[01])(?:-(?:0?[1-9]|[12]\d|3[01]))?)(?:/\d{1,2})?",
    r"(?:\*|(?:0?[1-9]|1[0-2])(?:-(?:0?[1-9]|1[0-2]))?)(?:/\d{1,2})?",
    r"(?:\*|[0-7](?:-[0-7])?)(?:/\d{1,2})?",
)
_DEADLINE_S = 6 * 3_600
_LATE_S = 3_600


def check_cron(expression: str) -> str:
    """Return a cron expression of five fields when it is one.

    Raises
    ------
    InvalidInputError
        If it is not.
    """
    parts = expression.split()
    whole = len(parts) == len(_FIELDS) and all(
        re.fullmatch(f"{field}(?:,{field})*", part)
        for field, part in zip(_FIELDS, parts, strict=True)
    )
    if not whole:
        raise InvalidInputError(
            f"{expression!r} is no cron expression.",
            hint="Minute, hour, day, month, weekday: '0 3 * * 1' is Mondays at 3 o'clock.",
        )
    return " ".join(parts)


def crontab(cron: str, arguments: Sequence[str], *, verb: Sequence[str], account: str = "") -> str:
    """Return a line for ``crontab -e``.

    Parameters
    ----------
    cron : str
        When.
    arguments : sequence of str
        Of the command.
    verb : sequence of str
        Which command of ``autonoe nace``.
    account : str
        Whose credentials the command gets, on the machine of the embedded platform; it finds its
        own when this is empty.
    """
    access = ["autonoe", "credentials", "exec", "--account", account, "--"] if account else []
    words = [*access, "autonoe", "nace", *verb, *arguments]
    # cron reads a bare % as the end of the line
    return f"{check_cron(cron)} {shlex.join(words)}".replace("%", r"\%")


def job_name(kind: str, name: str) -> str:
    """Return the name of a CronJob; Kubernetes adds eleven characters to those of its jobs."""
    return f"{kind}-{slug(name)}"[:52].rstrip("-")


def clocked(
    cron: str, title: str, marks: dict[str, str], template: dict[str, Any], *, retries: int
) -> dict[str, Any]:
    """Return a CronJob that runs a pod; two of its jobs never run at once.

    Parameters
    ----------
    cron : str
        When, in UTC.
    title : str
        Its name.
    marks : dict
        Labels.
    template : dict
        The pod.
    retries : int
        How often a job that failed is tried again.

    Raises
    ------
    InvalidInputError
        If ``cron`` is no cron expression.
    """
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": {"name": title, "labels": marks},
        "spec": {
            "schedule": check_cron(cron),
            "timeZone": "Etc/UTC",
            # two at once would do the same work twice: train one challenger, bring the same logs
            "concurrencyPolicy": "Forbid",
            "startingDeadlineSeconds": _LATE_S,
            "successfulJobsHistoryLimit": 3,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": marks},
                "spec": {
                    "backoffLimit": retries,
                    "activeDeadlineSeconds": _DEADLINE_S,
                    "template": template,
                },
            },
        },
    }


def limited(memory: str) -> dict[str, Any]:
    """Return the part of a container that `restricted` namespaces and quotas ask for."""
    return {
        "resources": {"requests": {"cpu": "1", "memory": memory}, "limits": {"memory": memory}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }


def pod(
    marks: dict[str, str], container: dict[str, Any], volumes: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the template of a pod that `restricted` namespaces accept."""
    return {
        "metadata": {"labels": marks},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "runAsGroup": 1000,
                "fsGroup": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [container],
            "volumes": volumes,
        },
    }
