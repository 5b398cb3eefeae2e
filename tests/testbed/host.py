"""What a node needs of the machine: a cable, two routes, a control group. All of it goes again."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

from autonoe.waiting import wait_until

from .errors import TestbedError
from .places import Node

CGROUPS = Path("/sys/fs/cgroup")


def run(*command: str) -> str:
    """Run a command of the system and return what it prints.

    Raises
    ------
    TestbedError
        If it fails.
    """
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if answer.returncode:
        raise TestbedError(f"`{' '.join(command)}` failed: {answer.stderr.strip()}")
    return answer.stdout


def load_bridge_filter() -> None:
    """Let packets between pods on one bridge pass the rules of network policies.

    Raises
    ------
    TestbedError
        If the kernel does not know how.
    """
    switch = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if not switch.exists() and shutil.which("modprobe"):
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False, timeout=60)
    if not switch.exists():
        raise TestbedError(
            "The kernel lacks br_netfilter: network policies between pods would not hold.",
            hint="Load the module (modprobe br_netfilter), then run the same command again.",
        )


def connect(node: Node, pid: int) -> None:
    """Lay the cable between the machine and the node, whose first process is ``pid``."""
    run("ip", "link", "add", node.outer_link, "type", "veth", "peer", "name", node.inner_link)
    run("ip", "link", "set", node.inner_link, "netns", str(pid))
    run("ip", "addr", "add", f"{node.machine_address}/24", "dev", node.outer_link)
    run("ip", "link", "set", node.outer_link, "up")
    for network in (node.pods, node.services):
        run("ip", "route", "add", network, "via", node.address, "dev", node.outer_link)
    inside = ("nsenter", "--target", str(pid), "--net", "ip")
    run(*inside, "addr", "add", f"{node.address}/24", "dev", node.inner_link)
    run(*inside, "link", "set", node.inner_link, "up")
    run(*inside, "route", "add", "default", "via", node.machine_address)


def disconnect(node: Node) -> None:
    """Take the cable away; the routes go with it.

    The kernel takes it too, some time after the node's last process: it may go while we look.
    """
    link = Path(f"/sys/class/net/{node.outer_link}")
    if not link.exists():
        return
    try:
        run("ip", "link", "del", node.outer_link)
    except TestbedError:
        if link.exists():
            raise


def make_cgroups(node: Node) -> None:
    """Make the node's control group in every hierarchy of the machine."""
    if (CGROUPS / "cgroup.controllers").exists():
        wanted = ("cpu", "cpuset", "memory", "pids", "io")
        known = (CGROUPS / "cgroup.controllers").read_text().split()
        enabled = " ".join(f"+{name}" for name in wanted if name in known)
        (CGROUPS / "cgroup.subtree_control").write_text(enabled)
        (CGROUPS / node.cgroup).mkdir(exist_ok=True)
        return
    for hierarchy in _hierarchies():
        group = hierarchy / node.cgroup
        group.mkdir(exist_ok=True)
        for name in ("cpuset.cpus", "cpuset.mems"):  # a new group has none, and takes no process
            if (hierarchy / name).exists():
                (group / name).write_text((hierarchy / name).read_text())


def remove_cgroups(node: Node) -> None:
    """Remove the node's control groups.

    Raises
    ------
    UnavailableError
        If a process is still in one of them after ten seconds.
    """
    groups = [hierarchy / node.cgroup for hierarchy in _hierarchies()]

    def gone() -> bool:
        for group in groups:
            for folder in sorted(group.rglob("*/"), reverse=True):
                _try_rmdir(folder)
            _try_rmdir(group)
        return not any(group.exists() for group in groups)

    wait_until(gone, timeout_s=10, what=f"the last processes of {node.name} to end")


def _try_rmdir(folder: Path) -> None:
    with contextlib.suppress(OSError):
        folder.rmdir()


def _hierarchies() -> list[Path]:
    if (CGROUPS / "cgroup.controllers").exists():
        return [CGROUPS]
    # Links such as cpu -> cpu,cpuacct would be visited twice.
    return [path for path in CGROUPS.iterdir() if path.is_dir() and not path.is_symlink()]
