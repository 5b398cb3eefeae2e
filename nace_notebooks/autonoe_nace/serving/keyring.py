"""The API keys that a server accepts, read again when their file changes."""

from __future__ import annotations

import logging
import time
from pathlib import Path

from starlette.requests import Request

from autonoe import apikeys
from autonoe.errors import InvalidInputError
from autonoe_nace.serving.errors import ServingError

_LOGGER = logging.getLogger(__name__)
_RECHECK_S = 1.0
_HINT = "Send Authorization: Bearer KEY; whoever deployed the API has the key."
_MAX_KEY_CHARS = 200


class KeyRing:
    """Checks the key of each request against the hashes in a file.

    Parameters
    ----------
    path : Path or None
        Key file; with None every request passes, as the key ``anonymous``.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._entries = apikeys.read(path) if path else ()
        self._changed = path.stat().st_mtime_ns if path else 0
        self._checked = time.monotonic()

    def key_id(self, request: Request) -> str:
        """Return the public id of the request's key.

        Raises
        ------
        ServingError
            ``missing_key`` or ``unknown_key``.
        """
        if self.path is None:
            return "anonymous"
        scheme, _, value = request.headers.get("authorization", "").partition(" ")
        key = value.strip() if scheme.lower() == "bearer" else request.headers.get("x-api-key", "")
        if not key:
            raise ServingError("This API needs a key.", hint=_HINT, code="missing_key")
        self._reload()
        entry = apikeys.find(self._entries, key) if len(key) <= _MAX_KEY_CHARS else None
        if entry is None:
            raise ServingError("The API key is not known.", hint=_HINT, code="unknown_key")
        return entry.id

    def _reload(self) -> None:
        now = time.monotonic()
        if self.path is None or now - self._checked < _RECHECK_S:
            return
        self._checked = now
        try:
            changed = self.path.stat().st_mtime_ns
            if changed != self._changed:
                self._entries = apikeys.read(self.path)
                self._changed = changed
        except (OSError, InvalidInputError):
            # a deleted or broken file must not open the API, nor shut out those who are in
            _LOGGER.exception("The key file cannot be read; the keys read before stay valid")
