"""What a node could leave on the machine, as sets to compare before and after."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

_MOVING = ("count", "_nr", "-nr", "nr_", "state", "random", "last_pid", "quota", "stat", "numa")
"""Parts of names of settings that are counters of the kernel."""
_OTHERS_MOUNTS = ("/var/lib/containers", "/run/containers", "buildah")
_FOLDERS = (
    "/run/containerd",
    "/run/netns",
    "/run/flannel",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/lib/containerd",
    "/var/log/pods",
    "/var/log/containers",
    "/usr/libexec/kubernetes",
    "/opt/cni",
    "/etc/cni",
)


def on_machine() -> dict[str, set[str]]:
    """Return kind → what is there: links, routes, firewall, settings, mounts, groups, folders."""
    return {
        "links": {each["ifname"] for each in json.loads(_run("ip", "-json", "link"))},
        "routes": set(_run("ip", "route", "show", "table", "all").splitlines()),
        "firewall": set(_run("nft", "--stateless", "list", "ruleset").splitlines()),
        "settings": {line for line in _run("sysctl", "--all").splitlines() if _is_fixed(line)},
        "mounts": {
            line
            for line in Path("/proc/self/mounts").read_text().splitlines()
            if not any(other in line for other in _OTHERS_MOUNTS)
        },
        "groups": {str(path) for path in _groups()},
        "folders": {f"{f}: {sorted(os.listdir(f))}" for f in _FOLDERS if Path(f).is_dir()},  # noqa: PTH208
    }


def processes_in(namespace: str) -> list[int]:
    """Return the processes of a PID namespace, given as ``/proc/PID/ns/pid`` names it."""
    pids = (int(each.name) for each in Path("/proc").iterdir() if each.name.isdigit())
    return [pid for pid in pids if _namespace(pid) == namespace]


def pid_namespace(pid: int) -> str:
    """Return the PID namespace in which ``pid`` runs."""
    return str((Path("/proc") / str(pid) / "ns" / "pid").readlink())


def _namespace(pid: int) -> str | None:
    try:
        return pid_namespace(pid)
    except OSError:  # it has ended meanwhile
        return None


def _groups() -> list[Path]:
    """Return the machine's uppermost control groups: those below are their owners' business."""
    root = Path("/sys/fs/cgroup")
    hierarchies = [path for path in root.iterdir() if path.is_dir()]
    return [
        *hierarchies,
        *(path for each in hierarchies for path in each.iterdir() if path.is_dir()),
    ]


def _is_fixed(setting: str) -> bool:
    name = setting.split(" =")[0]
    return not any(part in name for part in _MOVING)


def _run(*command: str) -> str:
    answer = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    return answer.stdout
