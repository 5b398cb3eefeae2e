"""The node's first process: everything that runs in the node descends from it."""

from __future__ import annotations

import contextlib
import json
import subprocess
from pathlib import Path

import psutil

from autonoe.waiting import wait_until

from . import components, host
from .errors import TestbedError
from .places import Node

INIT = Path(__file__).with_name("init.sh")


def start(node: Node) -> int:
    """Start the first process and return its PID."""
    host.load_bridge_filter()
    host.make_cgroups(node)
    namespaces = ("--mount", "--net", "--pid", "--uts", "--ipc")
    with (node.logs / "init.log").open("w") as log:
        starter = subprocess.Popen(
            [
                *("unshare", *namespaces, "--fork", "--kill-child"),
                *("bash", str(INIT), str(node.state), node.name, " ".join(components.FIRST)),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={"PATH": f"{node.programs}:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"},
        )

    def first_process() -> psutil.Process | None:
        if starter.poll() is not None:
            raise TestbedError(f"The node could not start: {init_log(node)}")
        return next(iter(psutil.Process(starter.pid).children()), None)

    child = wait_until(first_process, timeout_s=10, what="the node's first process")
    identity = {"pid": child.pid, "created": child.create_time()}
    (node.state / "init.json").write_text(json.dumps(identity))
    return child.pid


def first_process(node: Node) -> int | None:
    """Return the PID of the node's first process, if it is still that very process."""
    try:
        identity = json.loads((node.state / "init.json").read_text())
        process = psutil.Process(identity["pid"])
        alive = process.create_time() == identity["created"]
        return process.pid if alive and process.status() != psutil.STATUS_ZOMBIE else None
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None


def component_pids(node: Node) -> dict[str, int]:
    """Return component → PID as the machine counts."""
    first = first_process(node)
    if first is None:
        return {}
    found = {}
    for process in psutil.Process(first).children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            name = Path(process.cmdline()[0]).name if process.cmdline() else ""
            if name in components.NAMES:
                found[name] = process.pid
    return found


def init_log(node: Node) -> str:
    """Return the end of what the first process said."""
    log = node.logs / "init.log"
    return log.read_text()[-800:].strip() if log.exists() else "it left no log"
