"""Making an account ready before its server starts, without keeping the server waiting."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterable
from functools import cache
from itertools import chain, repeat

from autonoe.accounts import Account, Accounts, AdminSettings
from autonoe.embedded import uids
from autonoe.embedded.layout import Layout
from autonoe.errors import NotFoundError, UnavailableError
from autonoe.names import normalise_name, slug

log = logging.getLogger(__name__)

_RETRY_S = (2, 5, 10, 20, 30)
"""Pauses between attempts behind a running server; the last one repeats."""


class _Attempt:
    """The attempts to make one account ready, which may outlast the start that asked for it."""

    def __init__(self, wanted: Account) -> None:
        loop = asyncio.get_running_loop()
        self.wanted = wanted
        self.first: asyncio.Future[None] = loop.create_future()
        self.ended: asyncio.Future[Account] = loop.create_future()
        self.task: asyncio.Task[None] | None = None

    def tried(self) -> None:
        if not self.first.done():
            self.first.set_result(None)

    def end(self, outcome: Account | Exception) -> None:
        if isinstance(outcome, Account):
            self.ended.set_result(outcome)
        else:
            self.ended.set_exception(outcome)
            # Nobody may be waiting any more; the failure is told to the next start.
            log.error("%s cannot be made ready: %s", self.wanted.slug, self.ended.exception())
        self.tried()


class Provisioner:
    """Brings accounts in line with the platform, one attempt per account at a time."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._accounts = Accounts(AdminSettings.from_layout(layout))
        self._running: dict[str, _Attempt] = {}
        self._usable: set[int] = set()

    async def begin(self, name: str, groups: Iterable[str] | None) -> Account:
        """Start to make the account ready and return what it will be, with a home to start in.

        Parameters
        ----------
        name : str
            The account's name.
        groups : iterable of str or None
            Projects as the login said; None keeps those that the account has.

        Raises
        ------
        AutonoeError
            If the account cannot exist here: it needs a UID that this platform cannot give, or one
            that could not run a server.
        """
        wanted = await asyncio.to_thread(self._wanted, name, groups)
        attempt = self._running.get(wanted.slug)
        if attempt is None or attempt.ended.done():
            attempt = self._running[wanted.slug] = _Attempt(wanted)
            attempt.task = asyncio.create_task(self._until_done(attempt))
        await asyncio.to_thread(self._home, wanted)
        return wanted

    async def settle(self, account: Account, *, timeout_s: float) -> None:
        """Wait until ``account`` is ready, or the first attempt has failed, or time is up.

        In the two latter cases the attempts go on behind the server: its credential agent picks
        the proof of identity up when it appears.

        Raises
        ------
        AutonoeError
            If the account can never be made ready, for example because its name is taken.
        """
        attempt = self._running[account.slug]
        await asyncio.wait({attempt.first}, timeout=timeout_s)
        if attempt.ended.done():
            attempt.ended.result()
        else:
            log.warning("%s: started before storage and secrets could be checked", account.slug)

    def _wanted(self, name: str, groups: Iterable[str] | None) -> Account:
        uid = uids.assign(self._layout, name)
        if uid is not None and uid not in self._usable:
            uids.check_usable(self._layout, uid)
            self._usable.add(uid)
        known = self._known(name)
        return Account(
            name=normalise_name(name),
            slug=slug(name),
            uid=uid,
            gid=uid,
            groups=tuple(groups) if groups is not None else (known.groups if known else ()),
            mail=known.mail if known else "",
        )

    def _known(self, name: str) -> Account | None:
        try:
            return self._accounts.get(name)
        except NotFoundError:
            return None

    def _ensure(self, wanted: Account) -> Account:
        return self._accounts.ensure(
            wanted.name, groups=wanted.groups, uid=wanted.uid, gid=wanted.gid, mail=wanted.mail
        )

    async def _until_done(self, attempt: _Attempt) -> None:
        for pause_s in chain(_RETRY_S, repeat(_RETRY_S[-1])):
            try:
                account = await asyncio.to_thread(self._ensure, attempt.wanted)
            except UnavailableError as error:
                log.warning("%s is not ready yet: %s", attempt.wanted.slug, error.message)
            except Exception as error:
                attempt.end(error)
                return
            else:
                attempt.end(account)
                return
            attempt.tried()
            await asyncio.sleep(pause_s)

    def _home(self, wanted: Account) -> None:
        """Make sure of the one folder that a process cannot start without."""
        home = self._layout.home(wanted.name)
        home.mkdir(mode=0o700, exist_ok=True)
        if wanted.uid is not None and home.stat().st_uid != wanted.uid:
            os.chown(home, wanted.uid, wanted.uid)


@cache
def provisioner(layout: Layout) -> Provisioner:
    """Return the one provisioner of this hub; traitlets copies what comes by configuration."""
    return Provisioner(layout)
