"""What the credentials card shows, as plain data: made from the agent's state, without secrets.

The server's ``/autonoe/status`` and the kernel's widget use this same form, so that the card can
take its news from either.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from autonoe.errors import AutonoeError, NotFoundError


def credentials_view(status: Mapping[str, Any]) -> dict[str, Any]:
    """Return the card's data for the agent's ``status``; times in seconds since 1970."""
    s3 = status["s3"]
    return {
        "state": _state(s3),
        "account": status["account"],
        "mail": status.get("mail") or "",
        "groups": list(status.get("groups") or ()),
        "session": {
            "expires_at": _epoch(s3["expires"]),
            "renewed_at": _epoch(s3["last_renewal"]),
            "renews_at": _epoch(s3.get("next_renewal")),
        },
        "buckets": _buckets(status["buckets"], status.get("groups") or ()),
        "secrets": [
            {"path": f"{status['secrets_path']}/", "access": "write", "kind": "secrets_own"},
            {"path": "kv/shared/", "access": "read", "kind": "secrets_shared"},
        ],
        "problem": _problem(s3["error"]),
        "now": time.time(),
    }


def problem_view(error: AutonoeError) -> dict[str, Any]:
    """Return the card's data when there is no agent to ask: the words and the next step."""
    outside = isinstance(error, NotFoundError)
    return {
        "state": "none" if outside else "down",
        "account": "",
        "mail": "",
        "groups": [],
        "session": {"expires_at": None, "renewed_at": None, "renews_at": None},
        "buckets": [],
        "secrets": [],
        "problem": {
            "code": "none" if outside else "unreachable",
            "message": error.message,
            "hint": error.hint,
            "technical": "" if outside else error.message,
        },
        "now": time.time(),
    }


def _state(s3: Mapping[str, Any]) -> str:
    if s3["ready"]:
        return "stale" if s3["error"] else "ready"
    return "down" if s3["error"] else "starting"


def _epoch(moment: str | None) -> float | None:
    return datetime.fromisoformat(moment).timestamp() if moment else None


def _buckets(buckets: Mapping[str, Any], groups: Any) -> list[dict[str, str]]:
    projects = [
        {"name": name, "access": "write", "kind": "project", "group": group}
        for name, group in zip(buckets["projects"], groups, strict=False)
    ]
    return [
        {"name": buckets["own"], "access": "write", "kind": "own", "group": ""},
        *projects,
        {"name": buckets["public"], "access": "read", "kind": "public", "group": ""},
    ]


def _problem(error: Mapping[str, str] | None) -> dict[str, str] | None:
    """Return the agent's last failure; the card has its own words for the expected kind."""
    if error is None:
        return None
    expected = error["code"] == "unavailable"
    return {
        "code": "renewal" if expected else error["code"],
        "message": error["message"],
        "hint": error["hint"],
        "technical": error["message"] if expected else "",
    }
