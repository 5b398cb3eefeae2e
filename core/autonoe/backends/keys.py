"""Keys of a deployment as its owner sees them: who may call it, and how much; never the key."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from autonoe import apikeys
from autonoe.apikeys import KeyEntry
from autonoe.errors import ConflictError, InvalidInputError, NotFoundError

MOST = 100
"""Keys of one deployment; a program for more callers belongs behind an API manager."""
_LONGEST_LABEL = 100
_MOST_RATE = 1e6
_MOST_RECORDS = 10**12

Entries = tuple[KeyEntry, ...]


@dataclass(frozen=True)
class KeyRequest:
    """A key that somebody is to get.

    Raises
    ------
    InvalidInputError
        When it is made with a value that no key can have.
    """

    label: str = ""
    """Whose key it is; shown to its holder and in lists."""
    rate_per_s: float = 0.0
    """Requests per second; 0 for the server's default, which is no limit."""
    records_per_day: int = 0
    """Records per day (UTC); 0 for the server's default, which is no limit."""

    def __post_init__(self) -> None:
        if not isinstance(self.label, str) or len(self.label) > _LONGEST_LABEL:
            raise InvalidInputError(f"A key's label is a text of at most {_LONGEST_LABEL}.")
        if self.label and not self.label.isprintable():
            raise InvalidInputError("A key's label is one line of printable characters.")
        number = isinstance(self.rate_per_s, int | float) and not isinstance(self.rate_per_s, bool)
        if not number or not math.isfinite(self.rate_per_s):
            raise InvalidInputError("The rate is a number of requests per second.")
        if not 0 <= self.rate_per_s <= _MOST_RATE:
            raise InvalidInputError(f"The rate lies between 0 and {_MOST_RATE:g} a second.")
        whole = isinstance(self.records_per_day, int) and not isinstance(self.records_per_day, bool)
        if not whole or not 0 <= self.records_per_day <= _MOST_RECORDS:
            raise InvalidInputError("The quota is a whole number of records per day, 0 for none.")

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> KeyRequest:
        """Return the request that ``document`` describes; unknown entries are refused."""
        known = {entry.name for entry in fields(cls)}
        if not set(document) <= known:
            raise InvalidInputError(
                "The request for a key has an unknown entry.",
                hint=f"Known are: {', '.join(sorted(known))}.",
            )
        return cls(**document)


@dataclass(frozen=True)
class DeploymentKey:
    """A key of a deployment, without the key itself but in the answer of the call that made it."""

    id: str
    """Its public name: it goes to logs and usage counts."""
    label: str
    created: str
    rate_per_s: float
    """Requests per second; 0 for the server's default."""
    records_per_day: int
    """Records per day (UTC); 0 for the server's default."""
    api_key: str | None = field(default=None, repr=False)
    """Shown once: by the call that made the key."""

    @classmethod
    def of(cls, entry: KeyEntry, api_key: str | None = None) -> DeploymentKey:
        """Return what may be shown of ``entry``."""
        return cls(
            entry.id, entry.label, entry.created, entry.rate_per_s, entry.records_per_day, api_key
        )

    def to_dict(self) -> dict[str, Any]:
        """Return it as a plain document, without the key when there is none to show."""
        document = asdict(self)
        if self.api_key is None:
            del document["api_key"]
        return document


def add(entries: Entries, wanted: KeyRequest) -> tuple[Entries, DeploymentKey]:
    """Return the entries with one more, and what is shown of it, the key included.

    Raises
    ------
    ConflictError
        If there are as many as there may be.
    """
    if len(entries) >= MOST:
        raise ConflictError(
            f"A deployment has {MOST} keys at most.",
            hint="Revoke one that nobody uses: autonoe deploy keys revoke NAME ID.",
        )
    key, entry = apikeys.mint(**asdict(wanted))
    return (*entries, entry), DeploymentKey.of(entry, key)


def revoke(entries: Entries, key_id: str) -> Entries:
    """Return the entries without ``key_id``.

    Raises
    ------
    NotFoundError
        If none has this id.
    """
    kept = tuple(entry for entry in entries if entry.id != key_id)
    if len(kept) == len(entries):
        raise NotFoundError(
            "The deployment has no key of that id.", hint="autonoe deploy keys list NAME"
        )
    return kept


def shown(entries: Sequence[KeyEntry]) -> list[DeploymentKey]:
    """Return what may be shown of all entries, the oldest first."""
    return [DeploymentKey.of(entry) for entry in entries]
