"""The API keys that a server accepts, read again when their file changes."""

from __future__ import annotations

import base64
import binascii
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from autonoe import apikeys
from autonoe.errors import InvalidInputError
from autonoe_nace.serving.errors import ServingError
from autonoe_nace.serving.usage import Limits

_LOGGER = logging.getLogger(__name__)
_RECHECK_S = 1.0
_HINT = "Send Authorization: Bearer KEY; whoever deployed the API has the key."
_MAX_KEY_BYTES = 200


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key came with a request, and what it may use."""

    key_id: str
    label: str
    limits: Limits


class KeyRing:
    """Checks the key of each request against the hashes in a file.

    Parameters
    ----------
    path : Path or None
        Key file; with None every request passes, as the key ``anonymous``.
    default : Limits
        What a key may use whose entry says nothing about it.

    Attributes
    ----------
    default : Limits
        As given.
    """

    def __init__(self, path: Path | None, default: Limits | None = None) -> None:
        self.path = path
        self.default = default or Limits()
        self._anonymous = Caller("anonymous", "", self.default)
        self._callers = self._read() if path else {}
        self._changed = path.stat().st_mtime_ns if path else 0
        self._checked = time.monotonic()

    def caller(self, headers: list[tuple[bytes, bytes]]) -> Caller:
        """Return whose key is in the headers of a request.

        ``Authorization: Bearer KEY``, ``X-API-Key: KEY``, or the password of ``Authorization:
        Basic``, with which clients of INSEE's API log in.

        Raises
        ------
        ServingError
            ``missing_key`` or ``unknown_key``.
        """
        if self.path is None:
            return self._anonymous
        key = _key_in(headers)
        if not key:
            raise ServingError("This API needs a key.", hint=_HINT, code="missing_key")
        self._reload()
        # looked up by its hash: how long that takes says nothing about how near a guess was
        caller = self._callers.get(apikeys.digest(key)) if len(key) <= _MAX_KEY_BYTES else None
        if caller is None:
            raise ServingError("The API key is not known.", hint=_HINT, code="unknown_key")
        return caller

    def _read(self) -> dict[str, Caller]:
        assert self.path is not None  # noqa: S101  the callers checked
        found = {}
        for entry in apikeys.read(self.path):
            limits = Limits(
                entry.rate_per_s or self.default.rate_per_s,
                self.default.burst if not entry.rate_per_s else 0,
                entry.records_per_day or self.default.records_per_day,
            )
            found[entry.sha256] = Caller(entry.id, entry.label, limits)
        return found

    def _reload(self) -> None:
        now = time.monotonic()
        if self.path is None or now - self._checked < _RECHECK_S:
            return
        self._checked = now
        try:
            changed = self.path.stat().st_mtime_ns
            if changed != self._changed:
                self._callers = self._read()
                self._changed = changed
        except (OSError, InvalidInputError):
            # a deleted or broken file must not open the API, nor shut out those who are in
            _LOGGER.exception("The key file cannot be read; the keys read before stay valid")


def _key_in(headers: list[tuple[bytes, bytes]]) -> bytes:
    key = b""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, rest = value.partition(b" ")
            scheme = scheme.lower()
            if scheme == b"bearer":
                return rest.strip()
            if scheme == b"basic":
                return _password(rest.strip())
        elif name == b"x-api-key":
            key = value
    return key


def _password(credentials: bytes) -> bytes:
    try:
        return base64.b64decode(credentials, validate=True).partition(b":")[2]
    except (binascii.Error, ValueError):
        return b"?"  # known to nobody
