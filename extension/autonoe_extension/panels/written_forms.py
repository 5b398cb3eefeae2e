"""The card's actions as code that runs without Autonoe, from core's typed requests."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from autonoe import equivalents
from autonoe.equivalents import Request
from autonoe_extension.panels.access_test import FOLDER

_EXAMPLE = "example"


def written_forms(view: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the actions of the card for the account in ``view``; none without an account.

    Each has a ``key`` of the message catalogue, ``what`` to fill in there, and ``forms`` with
    ``tool`` and ``code``.
    """
    if not view["account"]:
        return []
    bucket = view["buckets"][0]["name"]
    # Below the engine's mount, which the requests add themselves.
    secrets = view["secrets"][0]["path"].partition("/")[2].rstrip("/")
    key, file = f"{FOLDER}/{_EXAMPLE}", Path(f"{_EXAMPLE}.txt")
    return [
        _action("who_am_i", "", equivalents.who_am_i()),
        _action("list_buckets", "", equivalents.list_buckets()),
        _action("list_objects", bucket, equivalents.list_objects(bucket)),
        _action("put_object", bucket, equivalents.put_object(bucket, key, file=file)),
        _action("get_object", bucket, equivalents.get_object(bucket, key, file=file)),
        _action("remove_object", bucket, equivalents.remove_object(bucket, key)),
        _action("list_secrets", secrets, equivalents.list_secrets(secrets)),
        _action("read_secret", secrets, equivalents.read_secret(f"{secrets}/{_EXAMPLE}")),
    ]


def _action(key: str, what: str, request: Request) -> dict[str, Any]:
    forms = [{"tool": form.label, "code": form.text.rstrip("\n")} for form in request.forms()]
    return {"key": key, "what": what, "forms": forms}
