"""What ``autonoe up`` does: checks, secrets, the guard, then waiting until everything answers."""

from __future__ import annotations

import fcntl
import getpass
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autonoe.embedded import launching, links, ports, process_table, rotation, secret_makers
from autonoe.embedded.components.seaweedfs import MLFLOW_BUCKET
from autonoe.embedded.control import call
from autonoe.embedded.generated import S3_ADMIN, read_document
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.embedded.stopping import stop
from autonoe.errors import AutonoeError, ConflictError, ForbiddenError, UnavailableError
from autonoe.waiting import wait_until

DEFAULT_PORT = 8000
START_TIMEOUT_S = 180.0
_TOO_OFTEN = 4
_PORT_FREED_S = 3.0
"""Failed starts in a row of one component after which waiting for it makes no sense."""

Report = Callable[[str, str], None]
"""Takes the name of a component that is ready now, and a remark."""


@dataclass(frozen=True)
class Started:
    """A platform that runs, and a way in."""

    already_running: bool
    link: str
    """One-time login link of the owner."""
    status: dict[str, Any]


def running_status(layout: Layout) -> dict[str, Any] | None:
    """Return the status that the supervisor reports; None when none runs."""
    try:
        status = call(layout.control_socket, "status")
    except UnavailableError as error:
        if error.code == "not_running":
            return None
        raise
    assert isinstance(status, dict)  # noqa: S101  our own supervisor said it
    return status


def start(layout: Layout, *, host: str | None, port: int | None, report: Report) -> Started:
    """Start the platform in ``layout``, or find it running, and return a login link.

    Parameters
    ----------
    layout : Layout
        The data folder; created when it is missing.
    host, port : str, int, optional
        Public address; None keeps what was chosen before (at first 127.0.0.1 and 8000, or the
        next free port).
    report : callable
        Called once for each component that becomes ready.

    Raises
    ------
    ConflictError
        If a port is taken (``port_taken``), or the platform runs on another one.
    ForbiddenError
        If the data folder is another user's.
    AutonoeError
        If a component does not start (``component_failed``); nothing is left running then.
    """
    _own_folder(layout)
    with _one_at_a_time(layout):
        status = running_status(layout)
        already = status is not None and status["state"] != "stopping"
        guard: subprocess.Popen[bytes] | None = None
        if already:
            _same_address(layout, host, port)
        else:
            _prepare(layout, host, port)
            guard = launching.start_guard(layout)
        try:
            status = _until_ready(layout, guard, report)
        except AutonoeError:
            if not already:
                stop(layout)
            raise
        owner = PlatformFile.load(layout).owner
        if not already:
            _prepare_owner(layout, owner)
            report("account", owner)
    return Started(already, new_link(layout), status)


def new_link(layout: Layout, *, account: str | None = None, next_path: str = "") -> str:
    """Return a fresh one-time login link of ``account`` (by default the owner)."""
    platform = PlatformFile.load(layout)
    ticket = links.mint(layout, account or platform.owner, next_path=next_path)
    return links.link(platform.public_url, ticket)


def _own_folder(layout: Layout) -> None:
    try:
        layout.create()
    except PermissionError as error:
        raise ForbiddenError(
            f"The data folder {layout.root} belongs to another user or cannot be written.",
            hint="Choose one of your own with --data-dir.",
            code="data_dir_not_writable",
        ) from error
    except OSError as error:
        raise AutonoeError(
            f"The data folder {layout.root} cannot be used: {error.strerror}.",
            hint="Choose another one with --data-dir.",
            code="data_dir_not_writable",
        ) from error
    owner = layout.root.stat().st_uid
    if owner != os.geteuid():
        raise ForbiddenError(
            f"The data folder {layout.root} belongs to user {owner}, you are {os.geteuid()}.",
            hint="Start the platform as the user who made it, or choose another --data-dir.",
            code="data_dir_not_writable",
        )


@contextmanager
def _one_at_a_time(layout: Layout) -> Iterator[None]:
    with (layout.run / "up.lock").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _same_address(layout: Layout, host: str | None, port: int | None) -> None:
    platform = PlatformFile.load(layout)
    if (port or platform.port) != platform.port or (host or platform.host) != platform.host:
        raise ConflictError(
            f"The platform in {layout.root} runs already, on {platform.public_url}.",
            hint="`autonoe down` first, then `autonoe up` with the new address.",
        )


def _prepare(layout: Layout, host: str | None, port: int | None) -> None:
    platform = _platform_file(layout, host, port)
    ours = set(process_table.of_platform(layout))
    for name, number in {"public": platform.port, **platform.internal_ports}.items():
        where = platform.host if name == "public" else "127.0.0.1"
        if not ports.is_free(number, where) and not _freed_soon(number, where):
            _refuse_port(name, number, ours)
    platform.save(layout)
    secret_makers.ensure(layout)


def _platform_file(layout: Layout, host: str | None, port: int | None) -> PlatformFile:
    if layout.platform_file.exists():
        known = PlatformFile.load(layout)
        return known.model_copy(update={"host": host or known.host, "port": port or known.port})
    host = host or "127.0.0.1"
    chosen = port or ports.first_free(DEFAULT_PORT, host)
    return PlatformFile.create(host=host, port=chosen, owner=getpass.getuser())


def _freed_soon(number: int, where: str) -> bool:
    """Wait for a port that nobody is seen to hold: what was just stopped may still be closing."""
    if ports.holder(number) is not None:
        return False
    try:
        wait_until(lambda: ports.is_free(number, where), timeout_s=_PORT_FREED_S, what="a port")
    except UnavailableError:
        return False
    return True


def _refuse_port(name: str, number: int, ours: set[int]) -> None:
    holder = ports.holder(number)
    if holder is not None and holder.pid in ours:
        return  # a component that outlived its supervisor; it is taken over
    who = str(holder) if holder else "a process of another user"
    hint = (
        "Stop that process, or choose another port with --port."
        if name == "public"
        else "Stop that process: the platform's data depends on this internal port."
    )
    raise ConflictError(f"Port {number} ({name}) is taken by {who}.", hint=hint, code="port_taken")


def _until_ready(
    layout: Layout, guard: subprocess.Popen[bytes] | None, report: Report
) -> dict[str, Any]:
    reported: set[str] = set()

    def everything_ready() -> dict[str, Any] | None:
        if guard is not None and guard.poll() is not None:
            raise _failed("The supervisor", "it ended at once", layout.log("supervisor"))
        status = running_status(layout)
        if status is None:
            return None
        for row in status["components"]:
            if row["state"] == "ready" and row["name"] not in reported:
                reported.add(row["name"])
                report(row["name"], row["version"])
            if row["state"] == "failed" or row["failures"] >= _TOO_OFTEN:
                raise _failed(row["name"], row["detail"], Path(row["log"]))
        return status if status["state"] == "ready" else None

    try:
        return wait_until(
            everything_ready,
            timeout_s=START_TIMEOUT_S,
            what=f"the platform (log: {layout.log('supervisor')})",
            interval_s=0.1,
        )
    except UnavailableError:
        status = running_status(layout)
        for row in status["components"] if status else ():
            if row["state"] != "ready":
                detail = row["detail"] or f"not ready after {START_TIMEOUT_S:g} s"
                raise _failed(row["name"], detail, Path(row["log"])) from None
        raise


def _failed(name: str, detail: str, log: Path) -> AutonoeError:
    last_words = "".join(f"\n    {line}" for line in rotation.tail(log))
    return AutonoeError(
        f"{name} does not start: {detail}.{last_words}",
        hint=f"Its log is {log}; `autonoe doctor` looks for known causes.",
        code="component_failed",
    )


def _prepare_owner(layout: Layout, owner: str) -> None:
    """Make the owner's account now, so that the first server starts without waiting for it."""
    from autonoe.embedded import roster
    from autonoe.identity.buckets import Storage

    Storage(PlatformFile.load(layout).s3_url, read_document(layout, S3_ADMIN)).ensure_bucket(
        MLFLOW_BUCKET, "mlflow"
    )
    roster.refresh(layout, owner)  # not ensure: it keeps the groups
