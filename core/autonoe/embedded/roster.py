"""The people of a shared platform: who has an account, how one is added, how one is taken away."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import quote

import psutil

from autonoe.accounts import Account, Accounts, AdminSettings
from autonoe.embedded import hub_api, links, uids
from autonoe.embedded.files import read_json
from autonoe.embedded.layout import Layout
from autonoe.embedded.login_names import login_name
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import (
    AutonoeError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    UnavailableError,
)
from autonoe.names import normalise_name, slug
from autonoe.waiting import wait_until

LINK_TTL_S = 86_400
"""A link that is handed out to a class is good for a day."""
_STOP_S = 60
_UNDEPLOY_S = 120
_UNDEPLOY = """
import sys
from pathlib import Path
from autonoe.embedded.control import call
socket = Path(sys.argv[1])
for deployment in call(socket, "deployments"):
    call(socket, "undeploy", timeout_s=60, name=deployment["name"])
"""


@dataclass(frozen=True)
class Added:
    """A new account and its way in."""

    account: Account
    link: str
    """Works once."""
    link_ttl_s: int


def add(
    layout: Layout,
    name: str,
    *,
    groups: Sequence[str] | None = None,
    mail: str | None = None,
    ttl_s: int = LINK_TTL_S,
) -> Added:
    """Make the account ``name``, or change its groups, and return a one-time link for it.

    Parameters
    ----------
    layout : Layout
        Data folder of the running platform.
    name : str
        The person's login name.
    groups : sequence of str, optional
        Projects that the account belongs to; None leaves them as they are.
    mail : str, optional
        Address for the person's Git identity; None leaves it as it is.
    ttl_s : int
        Seconds for which the link is good.

    Raises
    ------
    InvalidInputError
        If the name cannot be a login name.
    ForbiddenError
        ``needs_root`` or ``not_owner``.
    AutonoeError
        ``interpreter_unreadable``: processes of another UID could not run here.
    UnavailableError
        If the platform does not run.
    """
    _require_owner(layout)
    login_name(name)
    uid = _usable_uid(layout, name)
    account = _ensure(layout, name, uid, groups=groups, mail=mail)
    return Added(account, link(layout, name, ttl_s=ttl_s), ttl_s)


def refresh(layout: Layout, name: str) -> Account:
    """Make sure that the account ``name`` has all it needs; its groups and mail stay.

    Raises
    ------
    AutonoeError
        As :meth:`Accounts.ensure` does.
    """
    return _ensure(layout, name, uids.assign(layout, name), groups=None, mail=None)


def link(layout: Layout, name: str, *, ttl_s: int = LINK_TTL_S, next_path: str = "") -> str:
    """Return a new one-time link for the account ``name``.

    Raises
    ------
    NotFoundError
        If there is no such account.
    ForbiddenError
        ``not_owner``.
    """
    _require_owner(layout)
    if not uids.account_exists(layout, name):
        raise NotFoundError(f"There is no account {name!r}.", hint="See `autonoe users list`.")
    ticket = links.mint(layout, normalise_name(name), ttl_s=ttl_s, next_path=next_path)
    return links.link(PlatformFile.load(layout).public_url, ticket)


def remove(layout: Layout, name: str, *, delete_data: bool = False) -> Account:
    """End the account ``name``: its server stops, its identity is revoked, its sessions end.

    Its bucket, secrets, models and home stay, for an account of the same name, unless
    ``delete_data``.

    Raises
    ------
    NotFoundError
        If there is no such account.
    ForbiddenError
        ``not_owner``, or the account is the platform owner's.
    UnavailableError
        If a part of the platform does not answer; the same call completes the removal later.
    """
    _require_owner(layout)
    accounts = Accounts(AdminSettings.from_layout(layout))
    account = accounts.get(name)
    if uids.is_owner(layout, name):
        raise ForbiddenError(
            f"{account.name} owns this platform and cannot be removed from it.",
            hint="Stop it with `autonoe down`; its data folder can then be deleted.",
        )
    # First the ways in, then what runs, then the identity: a session that still lived would make
    # the account again by starting a server. Each step can be repeated after a failure.
    _forget_tickets(layout, account)
    _leave_hub(layout, account)
    _end_deployments(layout, account)
    accounts.remove(name, purge=delete_data)
    if account.uid is not None:
        _end_processes(account.uid)
        if delete_data:
            uids.forget(layout, name)
    return account


def listing(layout: Layout) -> list[dict[str, Any]]:
    """Return the accounts with what the hub knows of them, by name.

    Each is the fields of :class:`Account` with ``owner``, ``server`` (``running``, ``stopped`` or
    ``unknown`` while the hub does not answer) and ``last_activity`` (ISO 8601 or None).

    Raises
    ------
    ForbiddenError
        ``not_owner``.
    """
    _require_owner(layout)
    try:
        answer = hub_api.call(layout, "GET", "users") or {}
        seen = {user["name"]: user for user in answer.get("items", [])}
        unknown = "stopped"
    except UnavailableError:
        seen, unknown = {}, "unknown"
    people = []
    for account in Accounts(AdminSettings.from_layout(layout)).list():
        user = seen.get(account.name, {})
        people.append(
            {
                **asdict(account),
                "owner": uids.is_owner(layout, account.name),
                "server": "running" if user.get("server") else unknown,
                "last_activity": user.get("last_activity"),
            }
        )
    return people


def _require_owner(layout: Layout) -> None:
    platform = uids.platform_uid(layout)
    if os.geteuid() != platform:
        raise ForbiddenError(
            f"Only the user who started the platform (UID {platform}) manages its accounts.",
            hint="Run the command as that user; for a platform of root, with sudo.",
            code="not_owner",
        )


def _usable_uid(layout: Layout, name: str) -> int | None:
    known = uids.recorded(layout, name)
    uid = uids.assign(layout, name)
    try:
        if uid is not None:
            uids.check_usable(layout, uid)
    except AutonoeError:
        if known is None:
            uids.forget(layout, name)
        raise
    return uid


def _ensure(
    layout: Layout, name: str, uid: int | None, *, groups: Sequence[str] | None, mail: str | None
) -> Account:
    accounts = Accounts(AdminSettings.from_layout(layout))
    known = _find(accounts, name)
    return accounts.ensure(
        name,
        groups=groups if groups is not None else (known.groups if known else ()),
        mail=mail if mail is not None else (known.mail if known else ""),
        uid=uid,
        gid=uid,
    )


def _find(accounts: Accounts, name: str) -> Account | None:
    try:
        return accounts.get(name)
    except NotFoundError:
        return None


def _forget_tickets(layout: Layout, account: Account) -> None:
    for path in layout.tickets.iterdir():
        document = read_json(path)
        if isinstance(document, dict) and slug(str(document.get("account"))) == account.slug:
            path.unlink(missing_ok=True)


def _leave_hub(layout: Layout, account: Account) -> None:
    """Stop the account's server and end its sessions and tokens."""
    path = f"users/{quote(account.name, safe='')}"
    if hub_api.call(layout, "GET", path) is None:
        return
    with contextlib.suppress(ConflictError):
        hub_api.call(layout, "DELETE", f"{path}/server")

    def deleted() -> bool:
        hub_api.call(layout, "DELETE", path)
        return True

    # The hub refuses while the server is on its way up or down.
    wait_until(
        deleted,
        timeout_s=_STOP_S,
        what=f"the server of {account.name} to stop",
        interval_s=0.2,
        ignoring=(ConflictError,),
    )


def _end_deployments(layout: Layout, account: Account) -> None:
    """Take the account's deployments down; the supervisor does that for the account's UID only."""
    if account.uid is None:
        return
    done = subprocess.run(
        [sys.executable, "-P", "-c", _UNDEPLOY, str(layout.control_socket)],
        user=account.uid,
        group=account.uid,
        extra_groups=[],
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_UNDEPLOY_S,
        check=False,
    )
    if done.returncode != 0:
        raise UnavailableError(
            f"The deployments of {account.name} could not be taken down: "
            + (done.stderr.strip().splitlines() or ["no reason given"])[-1],
            hint="`autonoe status` tells how the platform is; try again after.",
        )


def _end_processes(uid: int) -> None:
    """End what still runs under ``uid``, such as a job that was left in the background."""
    left = [
        p for p in psutil.process_iter(["uids"]) if p.info["uids"] and p.info["uids"].real == uid
    ]
    for process in left:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(left, timeout=5)
