"""The folder of a search: the plan, and a file a finished fold. What is there survives any kill."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autonoe.errors import ConflictError
from autonoe_nace.search.fold_run import Result
from autonoe_nace.search.plan import SearchPlan

PLAN_FILE = "plan.json"
_RESULTS = "folds"
_LOCK = ".lock"


class Store:
    """A search's folder; open one with :meth:`create` or :meth:`open`."""

    def __init__(self, folder: Path, plan: SearchPlan) -> None:
        self.folder = folder
        self.plan = plan

    @classmethod
    def create(cls, folder: str | Path, plan: SearchPlan) -> Store:
        """Make the folder of a new search.

        The same search in the same folder is opened again: starting it twice goes on with it.

        Raises
        ------
        ConflictError
            If the folder holds another search or anything else.
        """
        target = Path(folder)
        if (target / PLAN_FILE).exists():
            found = cls.open(target)
            if found.plan.id == plan.id:
                return found
            raise ConflictError(
                f"{target} holds another search, {found.plan.id}.",
                hint="Choose a new folder, or go on with autonoe nace search resume.",
            )
        if target.exists() and (not target.is_dir() or any(target.iterdir())):
            raise ConflictError(
                f"{target} exists and holds something other than a search.",
                hint="Choose a new or empty folder.",
            )
        (target / _RESULTS).mkdir(parents=True, exist_ok=True)
        _write(target / PLAN_FILE, plan.text())
        return cls(target, plan)

    @classmethod
    def open(cls, folder: str | Path) -> Store:
        """Return the search in ``folder``.

        Raises
        ------
        AutonoeError
            ``not_found`` when there is none, ``invalid_input`` when it cannot be read.
        """
        return cls(Path(folder), SearchPlan.read(Path(folder) / PLAN_FILE))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from running this search meanwhile; a kill lets go of it.

        Raises
        ------
        ConflictError
            If one runs it already.
        """
        with (self.folder / _LOCK).open("w", encoding="utf-8") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise ConflictError(
                    f"Another process runs the search in {self.folder}.",
                    hint="Wait for it, or end it.",
                ) from error
            yield

    def save(self, result: Result) -> None:
        """Write the result of a fold, whole or not at all."""
        _write(self._path(result["candidate"], result["fold"]), json.dumps(result))

    def results(self) -> list[Result]:
        """Return all results, by candidate and fold."""
        found = [
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted((self.folder / _RESULTS).glob("c*-f*.json"))
        ]
        return sorted(found, key=lambda result: (result["candidate"], result["fold"]))

    def _path(self, candidate: int, fold: int) -> Path:
        return self.folder / _RESULTS / f"c{candidate:04d}-f{fold:02d}.json"


def _write(path: Path, text: str) -> None:
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    with scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(path)
