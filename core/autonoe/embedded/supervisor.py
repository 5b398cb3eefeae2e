"""The process that starts the components, watches them, and answers on the control socket.

Run as ``python -m autonoe.embedded.supervisor DATA_DIR`` under ``guard.sh``. It can die at any
time: the components live on, and the next supervisor takes them over (ADR 0011).
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

from autonoe import __version__
from autonoe.embedded import launching, process_table, rotation
from autonoe.embedded.catalogue import build
from autonoe.embedded.components.base import Component, Context
from autonoe.embedded.control import ControlServer
from autonoe.embedded.deployments import Deployments
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.embedded.processes import ManagedProcess, State
from autonoe.errors import AutonoeError

log = logging.getLogger("autonoe.supervisor")

_HOUSEKEEPING_S = 2.0
_CANNOT_RUN = 3
"""Exit status that tells the guard not to try again."""


class Supervisor:
    """Everything that runs for one data folder."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.platform = PlatformFile.load(layout)
        self.components: dict[str, Component] = {
            c.spec.name: c for c in build(Context(layout, self.platform))
        }
        self.processes = {
            name: ManagedProcess(c.spec, layout.run, c.launch)
            for name, c in self.components.items()
        }
        self.problems: dict[str, AutonoeError] = {}
        """What keeps a component from being started at all."""
        self.deployments = Deployments(layout, self.platform)
        self._stopping = asyncio.Event()
        self._control = ControlServer(
            layout.control_socket,
            public={
                "deploy": self._deploy,
                "undeploy": self._undeploy,
                "deployments": self._list_deployments,
                "deployment_keys": self.deployments.keys,
                "add_deployment_key": self.deployments.add_key,
                "revoke_deployment_key": self.deployments.revoke_key,
            },
            private={"status": self._status, "stop": self._stop},
        )

    async def run(self) -> bool:
        """Run until asked to stop; returns whether a successor takes the processes over."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        guard = os.getppid()
        await self._control.start()
        tasks = [asyncio.create_task(self._bring_up(name)) for name in self.components]
        tasks.append(asyncio.create_task(self._restore_deployments()))
        orphaned = False
        while not self._stopping.is_set() and not orphaned:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_HOUSEKEEPING_S):
                    await self._stopping.wait()
            await asyncio.to_thread(self._rotate_logs)
            orphaned = os.getppid() != guard
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if orphaned:
            log.warning("the guard is gone; a new one and a new supervisor take over")
            for process in self.processes.values():
                process.detach()
            self.deployments.detach()
        else:
            await self._end_everything()
        await self._control.stop()
        return orphaned

    async def _bring_up(self, name: str) -> None:
        component = self.components[name]
        self.processes[name].state = State.WAITING
        try:
            await asyncio.to_thread(component.prepare)
        except AutonoeError as error:
            log.error("%s: %s %s", name, error.message, error.hint)
            self.problems[name] = error
            return
        except OSError as error:
            log.exception("%s could not be prepared", name)
            self.problems[name] = AutonoeError(f"{name} could not be prepared: {error}")
            return
        for other in component.after:
            await self.processes[other].wait_ready()
        await self.processes[name].start()
        await self.processes[name].wait_ready()
        log.info("%s is ready", name)

    async def _restore_deployments(self) -> None:
        for process in self.processes.values():
            await process.wait_ready()
        try:
            await self.deployments.restore()
        except AutonoeError as error:
            log.error("deployments were not restored: %s %s", error.message, error.hint)
        except Exception:
            log.exception("deployments were not restored")

    async def _end_everything(self) -> None:
        log.info("stopping")
        await self.deployments.close()
        # Whoever depends on others ends first.
        for wave in (["hub"], ["traefik", "mlflow"], ["mlflow-nursery", "seaweedfs", "openbao"]):
            await asyncio.gather(*(self.processes[name].stop() for name in wave))
        left = await asyncio.to_thread(process_table.of_platform, self.layout)
        if left:
            log.info("ending %d processes that components left behind", len(left))
            await asyncio.to_thread(process_table.end_all, left)

    def _rotate_logs(self) -> None:
        for path in self.layout.logs.glob("*.log"):
            rotation.rotate(path)

    async def _status(self, _: dict[str, Any], __: int) -> dict[str, Any]:
        groups = await asyncio.to_thread(process_table.groups)
        rows = [self._row(c, groups) for c in self.components.values() if c.listed]
        rows.append(
            {
                "name": "supervisor",
                "state": State.READY,
                "version": __version__,
                "address": str(self.layout.control_socket),
                "pids": [os.getpid(), os.getppid()],
                "uptime_s": round(process_table.started_s_ago(os.getpid()), 1),
                "log": str(self.layout.log("supervisor")),
                "restarts": 0,
                "failures": 0,
                "detail": "",
            }
        )
        for row in rows:
            row["memory_bytes"] = await asyncio.to_thread(process_table.memory_bytes, row["pids"])
        ready = all(p.state == State.READY for p in self.processes.values())
        return {
            "state": "stopping" if self._stopping.is_set() else "ready" if ready else "starting",
            "url": self.platform.public_url,
            "owner": self.platform.owner,
            "data_dir": str(self.layout.root),
            "memory_bytes": sum(row["memory_bytes"] for row in rows),
            "components": rows,
        }

    def _row(self, component: Component, groups: dict[int, list[int]]) -> dict[str, Any]:
        process = self.processes[component.spec.name]
        group = [process, *(self.processes[name] for name in component.helpers)]
        problems = [self.problems[p.spec.name] for p in group if p.spec.name in self.problems]
        problem = problems[0] if problems else None
        failing = max(group, key=lambda p: 0 if p.ready_once else p.failures)
        return {
            "name": component.spec.name,
            "state": "failed" if problem else process.state,
            "version": component.version,
            "address": component.address,
            "pids": sorted(pid for p in group if p.pid for pid in groups.get(p.pid, [])),
            "uptime_s": round(process.uptime_s, 1),
            "log": str(component.spec.log),
            "restarts": process.restarts,
            "failures": 0 if failing.ready_once else failing.failures,
            "detail": f"{problem.message} {problem.hint}".strip() if problem else failing.last_exit,
        }

    async def _stop(self, _: dict[str, Any], __: int) -> str:
        self._stopping.set()
        return "stopping"

    async def _deploy(self, request: dict[str, Any], uid: int) -> Any:
        return await self.deployments.deploy(request, uid)

    async def _undeploy(self, request: dict[str, Any], uid: int) -> Any:
        return await self.deployments.undeploy(str(request.get("name", "")), uid)

    async def _list_deployments(self, _: dict[str, Any], uid: int) -> Any:
        return await self.deployments.list(uid)


def main() -> None:
    """Run the supervisor of the data folder named by the first argument."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    layout = Layout(Path(sys.argv[1]).absolute())
    layout.create()
    with (layout.run / "supervisor.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log.error("another supervisor runs for %s", layout.root)
            sys.exit(_CANNOT_RUN)
        try:
            supervisor = Supervisor(layout)
        except AutonoeError as error:
            log.error("%s %s", error.message, error.hint)
            sys.exit(_CANNOT_RUN)
        handed_over = asyncio.run(supervisor.run())
    if handed_over:
        launching.start_guard(layout)


if __name__ == "__main__":
    main()
