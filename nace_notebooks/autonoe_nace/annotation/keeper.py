"""Keeps one Label Studio running until it is told to stop: ``python -m … FOLDER``.

Started by :mod:`autonoe_nace.annotation.service`; the embedded platform's own supervision is used,
so a server that dies comes back, and a keeper that dies is followed by one that takes it over.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import signal
import sys
from pathlib import Path

from autonoe.embedded import probes, process_table
from autonoe.embedded.files import read_json, write_json
from autonoe.embedded.processes import ManagedProcess, ProcessSpec
from autonoe_nace.annotation import environment

_READY_WITHIN_S = 300.0
_STOP_WITHIN_S = 10.0


def spec(folder: Path) -> ProcessSpec:
    """Return what to run for the service in ``folder``, as its ``service.json`` says."""
    settings = read_json(folder / "service.json") or {}
    venv, port = Path(settings["environment"]), int(settings["port"])
    data = folder / "data"
    return ProcessSpec(
        name="label-studio",
        argv=(str(environment.python(venv)), str(environment.SIDE), "serve", str(port)),
        env=environment.variables(venv, data, public_url=settings.get("public_url", "")),
        log=folder / "label-studio.log",
        probe=probes.http(port, "/health"),
        cwd=data,
        ready_within_s=_READY_WITHIN_S,
        stop_within_s=_STOP_WITHIN_S,
    )


async def keep(folder: Path) -> None:
    """Run Label Studio until SIGTERM or SIGINT, then end it."""
    run = folder / "run"
    run.mkdir(exist_ok=True, mode=0o700)
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    process = ManagedProcess(spec(folder), run)
    await process.start()
    pid = os.getpid()
    write_json(run / "keeper.json", {"pid": pid, "identity": process_table.identity(pid)})
    await stop.wait()
    await process.stop()
    (run / "keeper.json").unlink(missing_ok=True)


def main(folder: Path) -> int:
    """Keep the service of ``folder``; 1 when another keeper does so already."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    with (folder / "keeper.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 1
        asyncio.run(keep(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
