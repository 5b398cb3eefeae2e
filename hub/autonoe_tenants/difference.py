"""Is an object on the cluster what it should be? Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autonoe.errors import InvalidInputError
from autonoe.kubernetes.quantities import parse

# What is wholly ours: whatever else stands there was put there by somebody else.
_CLOSED = ("spec", "roleRef", "subjects", "automountServiceAccountToken", "rules")
_AMOUNTS = {"hard", "default", "defaultRequest", "max", "min"}


def differs(found: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether ``found`` lacks something of ``wanted``, or has more where all is ours.

    Labels and annotations of others are left alone; specifications, subjects and rules are not.
    """
    have, want = found.get("metadata") or {}, wanted["metadata"]
    for part in ("labels", "annotations"):
        present = have.get(part) or {}
        if any(present.get(key) != value for key, value in (want.get(part) or {}).items()):
            return True
    return any(
        _normal(found.get(part)) != _normal(wanted[part]) for part in _CLOSED if part in wanted
    )


def _normal(value: Any) -> Any:
    """Return the value of a closed part in one form.

    Only the first level loses its empty entries: further in, ``[]`` and ``[{}]`` of a policy are
    nothing and everything.
    """
    if isinstance(value, Mapping):
        return {key: _exact(key, entry) for key, entry in value.items() if entry not in ([], None)}
    return _exact("", value)


def _exact(key: str, value: Any) -> Any:
    if isinstance(value, Mapping):
        if key in _AMOUNTS:
            return {name: _amount(amount) for name, amount in value.items()}
        return {name: _exact(name, entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_exact("", entry) for entry in value]
    return value


def _amount(value: Any) -> Any:
    try:
        return parse(value)  # the API server writes 1000m as 1
    except InvalidInputError:
        return value
