"""What was found and done: a line for each alert, and when each action was taken last."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import platformdirs

ALERTS, STATE = "alerts.jsonl", "actions.json"


def default_folder() -> Path:
    """Return where alerts are written when nobody says."""
    return Path(platformdirs.user_data_dir("autonoe-alerts", appauthor=False))


class Journal:
    """A folder with ``alerts.jsonl`` and ``actions.json``, for one process at a time.

    Parameters
    ----------
    folder : Path
        Made with mode 0700: figures of a service are nobody else's business.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the folder, so that two checks at once take an action once."""
        descriptor = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def add(self, entry: dict[str, Any]) -> None:
        """Append one alert; it is on disk when this returns."""
        line = json.dumps({"time": datetime.now(UTC).isoformat(), **entry}, default=str) + "\n"
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        with os.fdopen(os.open(self.folder / ALERTS, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    def entries(self) -> list[dict[str, Any]]:
        """Return all alerts, oldest first; a line that a crash cut off is passed over."""
        try:
            lines = (self.folder / ALERTS).read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def last(self, action: str) -> dict[str, Any] | None:
        """Return when and why ``action`` was taken last, and what came of it."""
        found = self._state().get(action)
        return found if isinstance(found, dict) else None

    def taken(self, action: str, entry: dict[str, Any]) -> None:
        """Record an action, in one step."""
        state = {**self._state(), action: entry}
        partial = self.folder / f".{STATE}.{secrets.token_hex(4)}"
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(state, stream, indent=1, default=str)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(self.folder / STATE)

    def _state(self) -> dict[str, Any]:
        try:
            document = json.loads((self.folder / STATE).read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return document if isinstance(document, dict) else {}
