"""What this server was started with, what its start told, and what else could be started."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import urllib3

_TIMEOUT = urllib3.Timeout(connect=3, read=10)
_LONGEST = 1 << 20


def running_view(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return what this server was started with, from the variables that its spawner set.

    ``profile`` is empty outside a platform. Nothing here is a secret.
    """
    try:
        choice = json.loads(env.get("AUTONOE_PROFILE_CHOICE", "{}"))
    except ValueError:
        choice = {}
    return {
        "profile": env.get("AUTONOE_PROFILE_NAME", ""),
        "title": env.get("AUTONOE_PROFILE_TITLE", ""),
        "repository": env.get("AUTONOE_PROFILE_REPOSITORY", ""),
        "branch": env.get("AUTONOE_PROFILE_BRANCH", ""),
        "s3": env.get("AUTONOE_PROFILE_S3", "on") == "on",
        "persistent_home": env.get("AUTONOE_PROFILE_HOME", "persistent") == "persistent",
        "choice": choice if isinstance(choice, dict) else {},
        "limits": {
            "cpu": _number(env.get("CPU_LIMIT")),
            "memory_bytes": _number(env.get("MEM_LIMIT")),
        },
        "start": start_report(env),
    }


def start_report(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return the report of this server's start: ``steps`` with state, message and next step."""
    path = env.get("AUTONOE_START_REPORT", "")
    if not path:
        return {"steps": []}
    try:
        report = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {"steps": []}
    return report if isinstance(report, dict) and "steps" in report else {"steps": []}


def usage(pid: int) -> dict[str, Any]:
    """Return what the server ``pid`` and everything below it uses now.

    Memory is the resident set in bytes, summed over the processes; shared pages count more than
    once, so it is an upper bound.
    """
    memory, count = 0, 0
    try:
        server = psutil.Process(pid)
        processes = [server, *server.children(recursive=True)]
    except psutil.Error:
        processes = []
    for process in processes:
        try:
            memory += process.memory_info().rss
        except psutil.Error:
            continue
        count += 1
    return {"memory_bytes": memory, "processes": count}


def offered(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return what the hub says that this person may start; ``{}`` if it does not answer.

    The hub is asked with the server's own token, which no kernel gets.
    """
    address, token = env.get("JUPYTERHUB_API_URL", ""), env.get("JUPYTERHUB_API_TOKEN", "")
    if not address or not token:
        return {}
    try:
        answer = urllib3.PoolManager(retries=False, timeout=_TIMEOUT).request(
            "GET",
            f"{address.rstrip('/')}/profiles",
            headers={"Authorization": f"token {token}"},
            redirect=False,
        )
        if answer.status != 200 or len(answer.data) > _LONGEST:
            return {}
        found = answer.json()
    except (OSError, ValueError, urllib3.exceptions.HTTPError):
        return {}
    if not isinstance(found, dict) or not str(found.get("spawn_url", "")).startswith("/"):
        return {}
    found["spawn_url"] = urlsplit(found["spawn_url"]).path
    return found


def profile_view(env: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Return everything for the panel; asks the hub, so it takes up to a few seconds."""
    return {"running": running_view(env), "usage": usage(os.getpid()), "offered": offered(env)}


def _number(text: str | None) -> float | None:
    try:
        found = float(text) if text else 0.0
    except ValueError:
        return None
    return found or None
