"""A person's Jupyter server as a process, under the account's own UID when it has one."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, BinaryIO

from jupyterhub.spawner import LocalProcessSpawner, SpawnException
from traitlets import Float, Instance, Integer, Unicode, default

from autonoe.account_records import find_account
from autonoe.accounts import Account
from autonoe.embedded.layout import Layout
from autonoe.errors import AutonoeError
from autonoe.names import slug
from autonoe.profiles.choice import Choice
from autonoe.profiles.compile import start_environment
from autonoe_hub import environment, lifetime, processes, temporary_home
from autonoe_hub.free import Node, this_machine
from autonoe_hub.profile_list import ProfileList, profile_list
from autonoe_hub.profile_spawner import ProfileSpawner, refusal_status
from autonoe_hub.provisioning import provisioner

_LOG_BYTES = 10 * 2**20
_STATUS = {"conflict": 409, "forbidden": 403, "needs_root": 403, "unavailable": 503}


class AccountSpawner(ProfileSpawner, LocalProcessSpawner):  # type: ignore[misc]  # no types there
    """Make the account ready, then start ``autonoe_hub.launcher singleuser`` in its home."""

    mode = "embedded"

    layout = Instance(Layout, help="The platform's data folder.").tag(config=True)
    account = Instance(Account, allow_none=True)
    """As of the last start; None before it."""

    choice: Choice | None = None
    """What the server was started with; None before its first start, and after the hub's own."""

    stops_at = Float(0.0)
    """When the profile's lifetime ends, in seconds since the epoch; 0 never."""
    idle_s = Float(0.0)
    """Seconds without activity after which the profile ends the server; 0 never."""
    home = Unicode("")
    """Temporary home of a server that keeps none; "" for the account's own."""

    identity = Unicode("")
    """Tells the server's process from any other that gets its PID later."""

    pid = Integer(0)

    provision_timeout_s = Float(
        1.5, help="Seconds a start waits for the account's storage and secrets."
    ).tag(config=True)

    @default("cmd")
    def _default_cmd(self) -> list[str]:
        # -P: with -m alone, a file `json.py` in the person's home would be imported for the
        # library's.
        return [sys.executable, "-P", "-m", "autonoe_hub.launcher", "singleuser"]

    @default("env_keep")
    def _default_env_keep(self) -> list[str]:
        return list(environment.KEPT)

    @default("profiles")
    def _default_profiles(self) -> ProfileList:
        return profile_list(*self.layout.site)

    async def start(self) -> tuple[str, int]:
        """Start the process and return where it will listen."""
        try:
            self.choice = self.choose()
        except AutonoeError as error:
            raise _told(error, refusal_status(error)) from error
        try:
            return await self._start(self.choice)
        except AutonoeError as error:
            # The person is told what to do next; a traceback would help neither them nor the log.
            raise _told(error, _STATUS.get(error.code, 500)) from error

    async def _start(self, choice: Choice) -> tuple[str, int]:
        # The clone, the packages and the script come before the server answers.
        self.http_timeout = self._configured_timeout_s() + choice.preparation_s
        self.stops_at, self.idle_s = lifetime.limits(choice)
        people = provisioner(self.layout)
        self.account = await people.begin(self.user.name, self._groups())
        self.home = "" if choice.persistent_home else temporary_home.make(self.layout, self.account)
        with self._open_log() as log:
            self.popen_kwargs = {
                **environment.process_options(self.layout, self.account, self.home),
                "stdin": subprocess.DEVNULL,
                "stdout": log,
                "stderr": log,
            }
            address: tuple[str, int] = await super().start()
        self.identity = processes.identity(self.pid)
        # The server takes seconds to import what it needs; the account is made ready meanwhile.
        await people.settle(self.account, timeout_s=self.provision_timeout_s)
        return address

    def _groups(self) -> list[str] | None:
        """Return the projects that the provider named; None for a link, which names none."""
        if (self.user.user_info or {}).get("login") != "oidc":
            return None
        return [group.name for group in self.user.groups]

    def profile_groups(self) -> tuple[str, ...]:
        """Return the projects of the account: as the provider named them, or as recorded."""
        groups = self._groups()
        if groups is not None:
            return tuple(groups)
        try:
            return tuple(find_account(self.layout, self.user.name).groups)
        except AutonoeError:
            return ()

    async def free_nodes(self) -> list[Node]:
        """Return this machine."""
        return this_machine()

    def _configured_timeout_s(self) -> int:
        return int(self.config.Spawner.get("http_timeout", 60))

    def make_preexec_fn(self, name: str) -> None:
        """Return None: ``Popen`` itself sets the UID, which is safe in a hub with threads."""

    def get_args(self) -> list[str]:
        """Let the server run as root only when the account itself is root."""
        args: list[str] = super().get_args()
        runs_as_root = os.geteuid() == 0 and not (self.account and self.account.uid)
        return [*args, "--allow-root"] if runs_as_root else args

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add what an account's processes need to know; no secret beyond JupyterHub's own."""
        if self.account is None:
            return env
        if self.choice is not None:
            # First, so that JupyterHub's and the platform's own win.
            env = {**start_environment(self.choice), **env}
        return environment.complete(env, self.layout, self.account, self.home)

    def get_state(self) -> dict[str, Any]:
        """Save the PID with the moment its process began."""
        state: dict[str, Any] = super().get_state()
        if self.pid:
            state["identity"] = self.identity
            state["lifetime"] = [self.stops_at, self.idle_s]
            state["home"] = self.home
        return state

    def load_state(self, state: dict[str, Any]) -> None:
        """Take a running server up again, unless its PID has passed to another process since."""
        super().load_state(state)
        self.identity = str(state.get("identity", ""))
        self.stops_at, self.idle_s = state.get("lifetime", (0.0, 0.0))
        self.home = str(state.get("home", ""))
        if self.pid and processes.identity(self.pid) != self.identity:
            self.log.info("The server of %s (PID %s) is gone", self.user.name, self.pid)
            self.pid = 0
            self._remove_home()

    async def _signal(self, sig: int) -> bool:
        # Without this check, a PID that passed on to another process would be signalled, by root at
        # worst.
        if not self.identity or processes.identity(self.pid) != self.identity:
            return False
        return bool(await super()._signal(sig))

    def _open_log(self) -> BinaryIO:
        # The account's processes get this file and no other of ours; they can append to it and not
        # read it.
        path: Path = self.layout.log(f"server-{slug(self.user.name)}")
        if path.exists() and path.stat().st_size > _LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        return os.fdopen(os.open(path, flags, 0o600), "ab", buffering=0)

    async def poll(self) -> int | None:
        """Return None while the server runs; end it when its profile's lifetime is over."""
        status: int | None = await super().poll()
        if status is None and self.pid:
            why = lifetime.over(self.stops_at, self.idle_s, self.orm_spawner.last_activity)
            if why:
                self.log.info("Stopping the server of %s: %s", self.user.name, why)
                self.stops_at = self.idle_s = 0.0  # stopping asks this method, too
                await self.stop()
                return 0
        return status

    async def stop(self, now: bool = False) -> None:
        """Stop the server and whatever it left in its session; a temporary home goes with it."""
        started = await asyncio.to_thread(processes.descendants, self.pid) if self.pid else []
        await super().stop(now)
        await asyncio.to_thread(processes.end, started)
        await asyncio.to_thread(self._remove_home)

    def _remove_home(self) -> None:
        """Remove the temporary home, if this server had one."""
        place, self.home = self.home, ""
        if place:
            shutil.rmtree(place, ignore_errors=True)


def _told(error: AutonoeError, status: int) -> SpawnException:
    message = " ".join(filter(None, (error.message, error.hint)))
    return SpawnException(message, reason=error.code, status_code=status)
