"""Which UID an account's processes run under, so that the system itself keeps accounts apart.

The owner of the platform keeps the UID that started it. Every other account gets one from a range
that no distribution hands out (systemd documents 60706-61183 as unused), and keeps it: a name that
comes back finds its files, and no other name ever inherits them. No entry in ``/etc/passwd`` is
needed.
"""

from __future__ import annotations

import fcntl
import grp
import os
import pwd
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from autonoe.embedded.files import read_json, write_json
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import AutonoeError, ForbiddenError
from autonoe.names import normalise_name, slug

FIRST_UID, LAST_UID = 60_706, 61_183
_CHECK_TIMEOUT_S = 30

# Runs as the account: can it start this interpreter, import the server, and reach its home?
_PROBE = """
import importlib.util, os, sys
needed = ("autonoe", "autonoe_hub", "jupyterhub", "jupyterlab")
missing = [name for name in needed if importlib.util.find_spec(name) is None]
if missing:
    sys.exit("cannot import " + ", ".join(missing))
os.stat(sys.argv[1])
"""


def is_owner(layout: Layout, name: str) -> bool:
    """Return whether ``name`` is the account of the person who started the platform."""
    return slug(PlatformFile.load(layout).owner) == slug(name)


def platform_uid(layout: Layout) -> int:
    """Return the UID that the platform runs under: whose its secrets are."""
    return layout.secrets.stat().st_uid


def account_exists(layout: Layout, name: str) -> bool:
    """Return whether ``name`` has an account here; the owner always has one."""
    record = read_json(layout.account(name) / "account.json")
    if isinstance(record, dict):
        return normalise_name(str(record.get("name", ""))) == normalise_name(name)
    return is_owner(layout, name)


def require_separation(layout: Layout, name: str) -> None:
    """Check that the account ``name`` can be kept apart from the others.

    Raises
    ------
    ForbiddenError
        ``needs_root``: the platform runs under one ordinary UID, and under one UID each account
        could read the files and the memory of every other.
    """
    if is_owner(layout, name) or platform_uid(layout) == 0:
        return
    raise ForbiddenError(
        f"A second account ({name}) needs a UID of its own, and only root can give one. Under the "
        "one UID of this platform, accounts could read each other's files, secrets and memory.",
        hint="Start the platform as root (`sudo autonoe up --data-dir /srv/autonoe`), or give each "
        "person their own platform on their own machine.",
        code="needs_root",
    )


def assign(layout: Layout, name: str) -> int | None:
    """Return the UID of the account ``name``, choosing one at its first call; None for the owner.

    Raises
    ------
    ForbiddenError
        If the platform does not run as root (see :func:`require_separation`).
    AutonoeError
        ``uids_exhausted`` if the range is used up.
    """
    require_separation(layout, name)
    if is_owner(layout, name):
        return None
    with _registry(layout) as known:
        key = slug(name)
        if key not in known:
            known[key] = _free_uid(set(known.values()))
        return known[key]


def recorded(layout: Layout, name: str) -> int | None:
    """Return the UID that :func:`assign` chose for ``name`` earlier, or None."""
    known = read_json(_file(layout))
    uid = known.get(slug(name)) if isinstance(known, dict) else None
    return int(uid) if uid is not None else None


def forget(layout: Layout, name: str) -> None:
    """Give the UID of ``name`` back; only for an account whose files are gone."""
    with _registry(layout) as known:
        known.pop(slug(name), None)


def check_usable(layout: Layout, uid: int, *, executable: str = sys.executable) -> None:
    """Check that processes with ``uid`` can run this Python and reach their home.

    Raises
    ------
    AutonoeError
        ``interpreter_unreadable``, with the reason and the way out.
    """
    command = [executable, "-P", "-c", _PROBE, str(layout.root / "homes")]
    keep = {k: v for k, v in os.environ.items() if k in {"PYTHONPATH", "LANG", "PATH"}}
    try:
        done = subprocess.run(
            command,
            user=uid,
            group=uid,
            extra_groups=[],
            cwd="/",
            env=keep,
            capture_output=True,
            text=True,
            timeout=_CHECK_TIMEOUT_S,
            check=False,
        )
        reason = done.stderr.strip().splitlines()[-1:] if done.returncode else None
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = [str(error)]
    if reason is not None:
        raise AutonoeError(
            f"The account's UID {uid} cannot use {executable} or {layout.root}: "
            + (" ".join(reason) or "no reason given"),
            hint="Install the platform and its data folder where every user may read, for example "
            "with /usr/bin/python3 in /opt/autonoe and --data-dir /srv/autonoe; a folder under "
            "/root (0700) is not such a place.",
            code="interpreter_unreadable",
        )


def _free_uid(taken: set[int]) -> int:
    running = {p.info["uids"].real for p in psutil.process_iter(["uids"]) if p.info["uids"]}
    for uid in range(FIRST_UID, LAST_UID + 1):
        if uid not in taken and uid not in running and not _in_system(uid):
            return uid
    raise AutonoeError(
        f"All UIDs from {FIRST_UID} to {LAST_UID} are taken.",
        hint="Remove those no longer needed with `autonoe users remove NAME --delete-data`.",
        code="uids_exhausted",
    )


def _in_system(uid: int) -> bool:
    for look_up in (pwd.getpwuid, grp.getgrgid):
        try:
            look_up(uid)
        except KeyError:
            continue
        return True
    return False


def _file(layout: Layout) -> Path:
    return layout.root / "accounts" / "uids.json"


@contextmanager
def _registry(layout: Layout) -> Iterator[dict[str, int]]:
    path = _file(layout)
    # 0600: whoever can open a lock can also hold it, and keep everybody else waiting.
    descriptor = os.open(path.with_suffix(".lock"), os.O_WRONLY | os.O_CREAT, 0o600)
    with os.fdopen(descriptor, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        content = read_json(path)
        known = dict(content) if isinstance(content, dict) else {}
        before = dict(known)
        yield known
        if known != before:
            write_json(path, known)
