"""Start, see and stop the annotation service: Label Studio on loopback, with own accounts."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import platformdirs
import urllib3

from autonoe.embedded import ports, process_table
from autonoe.embedded.files import read_json, write_json
from autonoe.errors import AutonoeError, UnavailableError
from autonoe.waiting import wait_until
from autonoe_nace.annotation import environment
from autonoe_nace.annotation.environment import Say
from autonoe_nace.annotation.people import People, Person

_READY_TIMEOUT_S = 300.0
_STOP_TIMEOUT_S = 40.0
_PEOPLE_TIMEOUT_S = 300.0


def default_folder() -> Path:
    """Return where the service keeps its data: ``$AUTONOE_ANNOTATION_DIR``, or the data home."""
    if chosen := os.environ.get("AUTONOE_ANNOTATION_DIR"):
        return Path(chosen).expanduser().absolute()
    return Path(platformdirs.user_data_dir("autonoe-annotation", appauthor=False))


@dataclass(frozen=True)
class Status:
    """What is known of the service.

    Attributes
    ----------
    state : str
        ``ready``, ``starting`` or ``stopped``.
    url : str
        Where people log in; empty when it was never started.
    people : list of dict
        Name, role and login of each person, without passwords.
    accounts_file : str
        The file (mode 0600) that holds passwords.
    """

    state: str
    url: str
    people: list[dict[str, str]] = field(default_factory=list)
    accounts_file: str = ""
    log: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the status as a plain document."""
        return asdict(self)


class Service:
    """The annotation service of one folder.

    Parameters
    ----------
    folder : Path, optional
        Database, accounts, logs; made for its owner only. See :func:`default_folder`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or default_folder()
        self.people = People(self.folder)

    def start(
        self,
        *,
        coders: Sequence[str] = (),
        arbiters: Sequence[str] = (),
        public_url: str = "",
        port: int | None = None,
        say: Say = lambda _: None,
    ) -> Status:
        """Start the service when it does not run, and make the accounts of people who are new.

        The first start installs Label Studio (about 1 GB) into an environment of its own.

        Parameters
        ----------
        coders, arbiters : sequence of str
            Names to add; who is there already stays.
        public_url : str
            Address of a proxy in front of it; people on this machine need none.
        port : int, optional
            Port of loopback; by default the one of before, or a free one.
        say : callable, optional
            Is told what takes time.

        Raises
        ------
        UnavailableError
            If it does not answer in time.
        AutonoeError
            ``install_failed``, or ``invalid_input`` for a name that cannot be one.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with self._one_at_a_time():
            before = {person.name for person in self.people.all()}
            self.people.add(coders, "coder")
            everybody = self.people.add(arbiters, "arbiter")
            venv = environment.environment(say=say)
            environment.new_data_folder(venv, self.folder / "data")
            new = [person for person in everybody if person.name not in before]
            if new:
                say(f"Making {len(new)} accounts …")
                self._make_accounts(venv, new)
            wanted = self._settings(venv, public_url, port)
            if self._keeper() is not None and wanted != read_json(self._file):
                self._stop()
            write_json(self._file, wanted)
            if self._keeper() is None:
                say("Starting Label Studio …")
                self._launch()
            self._wait_ready()
        return self.status()

    def stop(self) -> None:
        """End the service; its data stay. Without one that runs, nothing happens."""
        if self.folder.is_dir():
            with self._one_at_a_time():
                self._stop()

    def status(self) -> Status:
        """Return whether it runs and who may log in."""
        settings = read_json(self._file) or {}
        state = "stopped"
        if self._keeper() is not None:
            state = "ready" if self._answers() else "starting"
        return Status(
            state=state,
            url=settings.get("public_url") or self.url if settings else "",
            people=[{"name": p.name, "role": p.role, "login": p.email} for p in self.people.all()],
            accounts_file=str(self.people.file),
            log=str(self.folder / "label-studio.log"),
        )

    @property
    def url(self) -> str:
        """Address on this machine, without a slash at the end.

        Raises
        ------
        UnavailableError
            If the service was never started.
        """
        settings = read_json(self._file)
        if not settings:
            raise UnavailableError(
                "The annotation service was never started here.",
                hint="autonoe nace annotate start --coder NAME --coder NAME --arbiter NAME",
            )
        return f"http://127.0.0.1:{settings['port']}"

    @property
    def _file(self) -> Path:
        return self.folder / "service.json"

    def _settings(self, venv: Path, public_url: str, port: int | None) -> dict[str, Any]:
        earlier = read_json(self._file) or {}
        chosen = port or earlier.get("port")
        if chosen is None or (self._keeper() is None and not ports.is_free(chosen)):
            if port is not None:
                raise UnavailableError(
                    f"Port {port} is taken by {ports.holder(port) or 'another process'}.",
                    hint="Leave --port out to get a free one.",
                )
            chosen = ports.choose(1)[0]
        return {
            "port": chosen,
            "environment": str(venv),
            "public_url": public_url or earlier.get("public_url", ""),
        }

    def _make_accounts(self, venv: Path, people: Sequence[Person]) -> None:
        rows = [
            {"email": p.email, "name": p.name, "password": p.password, "token": p.token}
            for p in people
        ]
        try:
            done = subprocess.run(
                [str(environment.python(venv)), str(environment.SIDE), "people"],
                input=json.dumps(rows),
                capture_output=True,
                text=True,
                timeout=_PEOPLE_TIMEOUT_S,
                env=environment.variables(venv, self.folder / "data"),
                cwd=self.folder / "data",
                umask=0o077,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(
                "Label Studio did not make the accounts in time.", hint="Try again."
            ) from error
        if done.returncode != 0:
            last = (done.stderr.strip().splitlines() or ["no message"])[-1]
            raise AutonoeError(
                f"Label Studio did not make the accounts: {last[:200]}",
                hint=f"Its data lie in {self.folder / 'data'}.",
            )

    def _launch(self) -> None:
        log = os.open(self.folder / "keeper.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(log, "ab") as output:
            subprocess.Popen(
                [sys.executable, "-m", "autonoe_nace.annotation.keeper", str(self.folder)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self.folder,
                umask=0o077,
            )

    def _wait_ready(self) -> None:
        try:
            wait_until(
                self._answers,
                timeout_s=_READY_TIMEOUT_S,
                what="Label Studio to answer",
                interval_s=0.2,
            )
        except UnavailableError as error:
            raise UnavailableError(
                error.message, hint=f"Its last words are in {self.folder / 'label-studio.log'}."
            ) from error

    def _answers(self) -> bool:
        try:
            answer = urllib3.request("GET", f"{self.url}/health", timeout=3, retries=False)
        except urllib3.exceptions.HTTPError:
            return False
        return answer.status == 200

    def _keeper(self) -> int | None:
        record = read_json(self.folder / "run" / "keeper.json")
        if not isinstance(record, dict):
            return None
        pid = record.get("pid")
        if isinstance(pid, int) and process_table.identity(pid) == record.get("identity"):
            return pid
        return None

    def _stop(self) -> None:
        pid = self._keeper()
        if pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        wait_until(
            lambda: self._keeper() is None,
            timeout_s=_STOP_TIMEOUT_S,
            what="Label Studio to end",
        )

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        with (self.folder / "service.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
