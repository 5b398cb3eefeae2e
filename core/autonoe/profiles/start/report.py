"""What the preparation did, for the log, the panel, and the person who opens Lab."""

from __future__ import annotations

import json
import logging
import os
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

log = logging.getLogger("autonoe.start")

FILE = "start.json"
"""In ``~/.autonoe``, or where a full home sent it."""

PAGE = "start-problems.md"
"""In the home folder, while the last start had problems."""

_MARK = "<!-- written by the start of the server; removed by a start without problems -->"
_DETAIL = 4000

_NEXT = {
    "home": "Delete or move files (File browser, or `du -sh ~/* ~/.[!.]*` in a terminal), then "
    "restart the server. Until then nothing new can be saved.",
    "repository": "Check the address and the branch, then clone it in a terminal with `git clone`, "
    "or start the server again.",
    "packages": "Install them in a notebook with `%pip install`, or start the server again with "
    "other versions.",
    "script": "Read the log, mend the script, and start the server again with its new checksum.",
}


class Report:
    """Collects the steps of one start.

    Parameters
    ----------
    folder : Path
        Where ``start.json`` goes.
    title : str
        The profile's name for people.
    """

    def __init__(self, folder: Path, *, title: str = "") -> None:
        self.folder = folder
        self.title = title
        self.began = time.time()
        self.steps: list[dict[str, Any]] = []

    @property
    def problems(self) -> list[dict[str, Any]]:
        """The steps that failed."""
        return [step for step in self.steps if step["state"] == "failed"]

    def done(self, step: str, message: str, *, elapsed_s: float = 0.0) -> None:
        """Note that ``step`` went well."""
        self._add(step, "ok", message, "", elapsed_s)

    def failed(self, step: str, message: str, *, detail: str = "", elapsed_s: float = 0.0) -> None:
        """Note that ``step`` failed, why, and in ``detail`` the technical text."""
        self._add(step, "failed", message, detail[-_DETAIL:], elapsed_s)

    def _add(self, step: str, state: str, message: str, detail: str, elapsed_s: float) -> None:
        entry = {
            "step": step,
            "state": state,
            "message": message,
            "next": _NEXT.get(step, "") if state == "failed" else "",
            "detail": detail,
            "elapsed_s": round(elapsed_s, 1),
        }
        self.steps.append(entry)
        log.log(logging.WARNING if state == "failed" else logging.INFO, "%s: %s", step, message)

    def finish(self, env: dict[str, str], home: Path | None) -> dict[str, str]:
        """Write the report, and the page for people in ``home`` if there were problems.

        Returns ``env`` with where the report is, and with the page Lab opens first when there is
        something to read.
        """
        env = dict(env)
        if not self.steps:
            self._clear(home)
            return env
        document = {"title": self.title, "began": self.began, "steps": self.steps}
        file = self.folder / FILE
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(file, json.dumps(document, ensure_ascii=False, indent=1))
            env["AUTONOE_START_REPORT"] = str(file)
        except OSError as error:
            log.warning("The report of the start could not be written: %s", error)
        if self.problems and home is not None:
            with suppress(OSError):
                _write(home / PAGE, self._page())
                if env.get("JUPYTERHUB_DEFAULT_URL", "/lab") == "/lab":
                    env["JUPYTERHUB_DEFAULT_URL"] = f"/lab/tree/{PAGE}"
        else:
            self._clear(home)
        return env

    def _clear(self, home: Path | None) -> None:
        """Remove what an earlier start reported; it no longer holds."""
        with suppress(OSError):
            (self.folder / FILE).unlink() if not self.steps else None
        if home is None:
            return
        page = home / PAGE
        with suppress(OSError, UnicodeDecodeError):
            if _MARK in page.read_text(encoding="utf-8"):
                page.unlink()

    def _page(self) -> str:
        parts = [_MARK, f"# Your server started, with problems\n\nProfile: {self.title}\n"]
        for step in self.problems:
            parts.append(f"## {step['message']}\n\nNext: {step['next']}\n")
            if step["detail"]:
                fence = "~" * 8
                detail = step["detail"].replace(fence, "~ ~")
                parts.append(f"{fence}text\n{detail.rstrip()}\n{fence}\n")
        return "\n".join(parts)


def _write(file: Path, text: str) -> None:
    fresh = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.chmod(0o600)
        fresh.replace(file)
    finally:
        with suppress(OSError):
            fresh.unlink()
