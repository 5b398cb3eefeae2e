"""Deployments on the embedded platform: supervised processes behind the hub's proxy.

A deployment runs as its account's UID with its account's credentials, and nothing else. What it
is lies in the data folder, so that the next ``autonoe up`` brings it back.

    deployments/<account>/<name>/   owned by the platform: an account cannot plant a link there
        request.json                what was asked for, and its port
        keys.json                   hashed API keys; the account's process may read them
        state/                      owned by the account: logs and fetched models
"""

from __future__ import annotations

import asyncio
import builtins
import contextlib
import logging
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil
import urllib3

from autonoe import apikeys
from autonoe.backends import keys
from autonoe.backends.base import Deployment, DeploymentRequest
from autonoe.credentials.settings import AgentSettings
from autonoe.embedded import ports, probes, routes, uids
from autonoe.embedded.files import read_json, write_json
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.embedded.processes import ManagedProcess, ProcessSpec, State
from autonoe.errors import AutonoeError, ConflictError, ForbiddenError, NotFoundError
from autonoe.names import slug

log = logging.getLogger(__name__)

MAX_PER_ACCOUNT = 5
"""Each takes 150 to 400 MiB of memory; a laptop has room for a few."""
_READY_WITHIN_S = 180.0


@dataclass(frozen=True)
class _Place:
    """Whose deployment it is, and where it lies."""

    account: str
    uid: int | None
    folder: Path
    request: DeploymentRequest
    port: int

    @property
    def service(self) -> str:
        """Name in the proxy: neither an account's slug nor a deployment's name holds a dot."""
        return f"{slug(self.account)}.{self.request.name}"

    @property
    def prefix(self) -> str:
        """Public path, without a slash at the end."""
        return f"/services/{self.service}"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def keys(self) -> Path:
        return self.folder / "keys.json"

    def write_keys(self, entries: tuple[apikeys.KeyEntry, ...]) -> None:
        """Replace the hashed keys; the account's process reads them, and nobody else."""
        owner = self.uid if self.uid is not None else -1
        apikeys.write(self.keys, entries, uid=owner, gid=owner)


class Deployments:
    """All deployments of one platform; its methods serve the control socket.

    Parameters
    ----------
    layout : Layout
        The platform's data folder.
    platform : PlatformFile
        Its addresses.
    process : callable, optional
        Makes the process of a spec; by default a :class:`ManagedProcess`.
    """

    def __init__(
        self,
        layout: Layout,
        platform: PlatformFile,
        process: Callable[[ProcessSpec, Path], ManagedProcess] = ManagedProcess,
    ) -> None:
        self._layout = layout
        self._platform = platform
        self._process = process
        self._running: dict[Path, tuple[_Place, ManagedProcess]] = {}
        self._lock = asyncio.Lock()
        self._routing: set[asyncio.Task[None]] = set()

    async def deploy(self, request: dict[str, Any], uid: int) -> dict[str, Any]:
        """Start or change a deployment of the account whose UID asks; returns while it starts.

        Parameters
        ----------
        request : dict
            A :class:`DeploymentRequest`; with ``rotate_key`` true, an existing key is replaced.
        uid : int
            Of the caller, as the system tells it.

        Raises
        ------
        InvalidInputError
            If the request is none.
        ForbiddenError
            If no account has this UID.
        ConflictError
            If the account has as many as it may.
        """
        settings = dict(request)
        rotate_key = settings.pop("rotate_key", False) is True
        wanted = DeploymentRequest.from_dict(settings)
        account, own_uid = self._account_of(uid)
        async with self._lock:
            folder = self._folder(account) / wanted.name
            earlier = self._read(folder, account, own_uid)
            if earlier is None and len(self._of(account)) >= MAX_PER_ACCOUNT:
                raise ConflictError(
                    f"An account has {MAX_PER_ACCOUNT} deployments at most.",
                    hint="End one with `autonoe deploy remove NAME`.",
                )
            port = earlier.port if earlier else ports.choose(1)[0]
            place = _Place(account, own_uid, folder, wanted, port)
            key = self._prepare(place, new_key=earlier is None or rotate_key)
            await self._start(place)
        shown = self._describe(place)
        return {**shown, "api_key": key} if key else shown

    async def undeploy(self, name: str, uid: int) -> dict[str, Any]:
        """End the account's deployment ``name`` and forget its keys; its logs stay.

        Raises
        ------
        NotFoundError
            If the account has none of that name.
        """
        account, own_uid = self._account_of(uid)
        async with self._lock:
            place = self._own(name, account, own_uid)
            _, process = self._running.pop(place.folder, (place, None))
            if process is not None:
                await process.stop()
            await self._unroute(place)
            for file in ("request.json", "keys.json"):
                (place.folder / file).unlink(missing_ok=True)
            shutil.rmtree(place.state / "models", ignore_errors=True)
        return {"name": name, "logs": str(place.state / "logs")}

    async def list(self, uid: int) -> builtins.list[dict[str, Any]]:
        """Return the deployments of the account whose UID asks, by name."""
        account, _ = self._account_of(uid)
        shown = [self._describe(place) for place in self._of(account)]
        for row in shown:
            if row["state"] == State.STARTING.value:
                row["detail"] = await asyncio.to_thread(_reason, row["local_url"]) or row["detail"]
        return shown

    async def keys(self, request: dict[str, Any], uid: int) -> builtins.list[dict[str, Any]]:
        """Return the keys of the deployment ``request["name"]``, without the keys themselves."""
        place = self._own(request.get("name"), *self._account_of(uid))
        return [key.to_dict() for key in keys.shown(apikeys.read(place.keys))]

    async def add_key(self, request: dict[str, Any], uid: int) -> dict[str, Any]:
        """Let one more key call a deployment; the answer alone holds it.

        Parameters
        ----------
        request : dict
            ``name`` of the deployment, and a :class:`~autonoe.backends.keys.KeyRequest`.
        uid : int
            Of the caller, as the system tells it.
        """
        settings = dict(request)
        place = self._own(settings.pop("name", None), *self._account_of(uid))
        async with self._lock:
            entries, made = keys.add(apikeys.read(place.keys), keys.KeyRequest.from_dict(settings))
            place.write_keys(entries)
        return made.to_dict()

    async def revoke_key(self, request: dict[str, Any], uid: int) -> dict[str, Any]:
        """Take the key ``request["key_id"]`` of the deployment ``request["name"]`` away."""
        place = self._own(request.get("name"), *self._account_of(uid))
        async with self._lock:
            key_id = str(request.get("key_id", ""))
            place.write_keys(keys.revoke(apikeys.read(place.keys), key_id))
        return {"revoked": key_id}

    async def restore(self) -> None:
        """Start what was deployed when the platform last ran; a broken record is skipped."""
        async with self._lock:
            for record in sorted((self._layout.root / "deployments").glob("*/*/request.json")):
                try:
                    document = read_json(record) or {}
                    account = str(document.get("account", ""))
                    uid = None if self._is_owner(account) else uids.recorded(self._layout, account)
                    place = self._read(record.parent, account, uid)
                    if place is not None:
                        await self._start(place)
                except (AutonoeError, OSError):
                    log.exception("A deployment could not be brought back: %s", record)

    async def close(self) -> None:
        """End all deployments; they come back with the next :meth:`restore`."""
        for task in list(self._routing):
            task.cancel()
        async with self._lock:
            running, self._running = list(self._running.values()), {}
            await asyncio.gather(*(process.stop() for _, process in running))

    def detach(self) -> None:
        """Leave the processes to the next supervisor."""
        for _, process in self._running.values():
            process.detach()

    def _account_of(self, uid: int) -> tuple[str, int | None]:
        """Return the account with this UID, and its own UID if it is not the platform's."""
        if uid == os.geteuid():
            return self._platform.owner, None
        for record in (self._layout.root / "accounts").glob("*/account.json"):
            document = read_json(record)
            name = str(document.get("name", "")) if isinstance(document, dict) else ""
            if name and uids.recorded(self._layout, name) == uid:
                return name, uid
        raise ForbiddenError(
            "No account of this platform has the caller's UID.",
            hint="Deploy from the account's own server, or as the platform's owner.",
        )

    def _is_owner(self, account: str) -> bool:
        return slug(account) == slug(self._platform.owner)

    def _folder(self, account: str) -> Path:
        return self._layout.root / "deployments" / slug(account)

    def _of(self, account: str) -> builtins.list[_Place]:
        folder = self._folder(account)
        return [
            place for path, (place, _) in sorted(self._running.items()) if path.parent == folder
        ]

    def _own(self, name: Any, account: str, uid: int | None) -> _Place:
        """Return the account's deployment ``name``; a name that leads elsewhere is none."""
        place = self._read(self._folder(account) / str(name), account, uid)
        if place is None or place.folder.parent != self._folder(account):
            raise NotFoundError(
                "The account has no deployment of that name.", hint="`autonoe deploy list`"
            )
        return place

    def _read(self, folder: Path, account: str, uid: int | None) -> _Place | None:
        document = read_json(folder / "request.json")
        if not isinstance(document, dict):
            return None
        request = DeploymentRequest.from_dict(document["request"])
        return _Place(account, uid, folder, request, int(document["port"]))

    def _prepare(self, place: _Place, *, new_key: bool) -> str | None:
        """Write what the process needs; returns the API key when one was made."""
        for folder in (place.folder.parent.parent, place.folder.parent, place.folder):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o711)
        place.state.mkdir(exist_ok=True, mode=0o700)
        if place.uid is not None:
            os.chown(place.state, place.uid, place.uid)
        key = None
        if new_key:
            key, entry = apikeys.mint(label=place.account)
            place.write_keys((entry,))
        write_json(
            place.folder / "request.json",
            {
                "account": place.account,
                "port": place.port,
                "request": asdict(place.request),
            },
        )
        return key

    async def _start(self, place: _Place) -> None:
        """Start the process with the place's settings, in place of the one that runs."""
        _, earlier = self._running.pop(place.folder, (place, None))
        spec = self._spec(place)
        if earlier is not None and earlier.spec.fingerprint() == spec.fingerprint():
            self._running[place.folder] = (place, earlier)
        else:
            if earlier is not None:
                await earlier.stop()
            process = self._process(spec, self._layout.run)
            self._running[place.folder] = (place, process)
            await process.start()
        task = asyncio.create_task(self._route(place), name=f"route {place.service}")
        self._routing.add(task)
        task.add_done_callback(self._routing.discard)

    async def _route(self, place: _Place) -> None:
        """Add the route as soon as the hub takes it; at start the hub may not be there yet."""
        pause_s = 0.5
        while True:
            try:
                target = f"http://127.0.0.1:{place.port}"
                await asyncio.to_thread(routes.add_route, self._layout, place.service, target)
            except (AutonoeError, OSError) as error:
                log.warning("The route of %s waits for the hub: %s", place.service, error)
                await asyncio.sleep(pause_s)
                pause_s = min(pause_s * 2, 10.0)
            else:
                return

    async def _unroute(self, place: _Place) -> None:
        with contextlib.suppress(AutonoeError, OSError):
            await asyncio.to_thread(routes.remove_route, self._layout, place.service)

    def _spec(self, place: _Place) -> ProcessSpec:
        request = place.request
        serving = [
            *(sys.executable, "-m", "autonoe_nace.serving"),
            *("--model", request.model_uri, "--threshold", str(request.threshold)),
            *("--port", str(place.port), "--root-path", place.prefix),
            *("--deployment", request.name),
            *("--key-file", str(place.keys), "--state-dir", str(place.state)),
            *(["--pseudonymise"] if request.pseudonymise else []),
        ]
        home = self._layout.home(place.account)
        return ProcessSpec(
            name=f"deployment-{place.service}",
            argv=tuple(serving),
            env={
                # addresses and the path of the proof, which only the account's UID can read
                **AgentSettings.for_account(self._layout, place.account).environment(),
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(home),
                "LANG": "C.UTF-8",
                "PYTHONUNBUFFERED": "1",
                "PYTHONSAFEPATH": "1",
                # one record is too little work for more threads, and a batch has its own thread
                "OMP_NUM_THREADS": "1",
                "NO_PROXY": "127.0.0.1,localhost",
            },
            log=self._layout.log(f"deployment-{place.service}"),
            probe=probes.http(place.port, "/health/ready"),
            cwd=place.state,
            ready_within_s=_READY_WITHIN_S,
            uid=place.uid,
            gid=place.uid,
        )

    def _describe(self, place: _Place) -> dict[str, Any]:
        process = self._running[place.folder][1]
        state = process.state.value
        return Deployment(
            name=place.request.name,
            account=place.account,
            model_uri=place.request.model_uri,
            threshold=place.request.threshold,
            pseudonymise=place.request.pseudonymise,
            state=state,
            detail=process.last_exit if process.state is not State.READY else "",
            url=f"{self._platform.public_url}{place.prefix}/",
            local_url=f"http://127.0.0.1:{place.port}/",
            log_folder=str(place.state / "logs"),
            memory_mib=round(_memory_mib(process.pids), 1),
            restarts=process.restarts,
        ).to_dict()


def _reason(url: str) -> str:
    """Return in words why the server at ``url`` is not ready; empty when it does not say."""
    try:
        answer = urllib3.request("GET", f"{url}health/ready", timeout=2, retries=False).json()
        return str(answer["error"]["message"])
    except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError):
        return ""


def _memory_mib(pids: list[int]) -> float:
    total = 0
    for pid in pids:
        with contextlib.suppress(psutil.Error):
            total += psutil.Process(pid).memory_info().rss
    return total / 2**20
