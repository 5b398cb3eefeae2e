"""Reach into a node that runs: ``kubectl``, commands in its namespaces, images, faults."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import time
from pathlib import Path

import psutil

from autonoe.waiting import wait_until

from . import host, ociarchive
from .config import LEAST_FREE_DISK
from .errors import TestbedError
from .first_process import component_pids, first_process
from .places import Node

API_TIMEOUT_S = 60.0
CONTAINERD = ("ctr", "--address", "/run/containerd/containerd.sock", "--namespace", "k8s.io")
UNPACKED = 5
"""Disk that an image takes while it is loaded, as a multiple of its archive, at most."""


def kubectl(node: Node, *arguments: str, stdin: str | None = None) -> str:
    """Run ``kubectl`` as the node's administrator and return what it prints.

    Raises
    ------
    TestbedError
        If it fails.
    """
    command = [str(node.programs / "kubectl"), f"--kubeconfig={node.kubeconfig}", *arguments]
    answer = subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, timeout=120
    )
    if answer.returncode:
        raise TestbedError(f"kubectl {' '.join(arguments)}: {answer.stderr.strip()}")
    return answer.stdout


def inside(node: Node, *command: str) -> list[str]:
    """Return the command line that runs ``command`` in the node's namespaces.

    Raises
    ------
    TestbedError
        If the node does not run.
    """
    pid = first_process(node)
    if pid is None:
        raise TestbedError(
            f"The test cluster {node.name} does not run.", hint="Start it: make cluster"
        )
    namespaces = ("--mount", "--net", "--pid", "--uts", "--ipc")
    path = f"PATH={node.programs}:/usr/sbin:/usr/bin:/sbin:/bin"
    return ["nsenter", "--target", str(pid), *namespaces, "--", "env", path, *command]


def import_image(node: Node, archive: Path) -> bool:
    """Load the images of an OCI archive into the node, and return whether that was needed.

    Raises
    ------
    TestbedError
        If the archive cannot be read, containerd refuses it, or the disk has no room for it.
    """
    wanted = ociarchive.described(archive)
    listing = [*CONTAINERD, "images", "list"]
    wait_until(
        lambda: (
            subprocess.run(inside(node, *listing), capture_output=True, check=False).returncode == 0
        ),
        timeout_s=30,
        what="containerd",
    )
    rows = [line.split() for line in host.run(*inside(node, *listing)).splitlines()[1:]]
    held = {row[0]: row[2] for row in rows}
    if wanted and all(held.get(name) == digest for name, digest in wanted.items()):
        return False
    _require_room(node, archive)
    # What is unpacked need not be kept packed as well: a third of the node's disk.
    load = inside(
        node, *CONTAINERD, "images", "import", "--local", "--discard-unpacked-layers", str(archive)
    )
    answer = subprocess.run(load, capture_output=True, text=True, check=False, timeout=300)
    if answer.returncode:
        raise TestbedError(f"{archive} could not be loaded: {answer.stderr.strip()[-500:]}")
    return True


def _require_room(node: Node, archive: Path) -> None:
    """Refuse what would fill the disk: the kubelet then ends pods and takes no more of them.

    Tests would wait for those in vain, each until its deadline.
    """
    needed = archive.stat().st_size * UNPACKED + LEAST_FREE_DISK
    free = shutil.disk_usage(node.state).free
    if free < needed:
        raise TestbedError(
            f"{archive.name} needs {needed / 1e9:.1f} GB of disk, and {free / 1e9:.1f} GB is free.",
            hint="Earlier builds hold the most: docs/guides/test-cluster.md, section Disk.",
        )


def kill_container(node: Node, container: str) -> None:
    """Kill the first process of a container, given by the id that a pod's status tells.

    From within a container that cannot be done: the kernel keeps its first process from the others.

    Raises
    ------
    TestbedError
        If no such container runs.
    """
    identity = container.removeprefix("containerd://")
    for row in host.run(*inside(node, *CONTAINERD, "tasks", "list")).splitlines()[1:]:
        name, pid, *_ = row.split()
        if name == identity:
            host.run(*inside(node, "kill", "-KILL", pid))
            return
    raise TestbedError(f"There is no container {container}.")


def restart_api_server(node: Node) -> float:
    """Kill the API server; return the seconds until its successor answers."""
    before = component_pids(node)["kube-apiserver"]
    begun = time.monotonic()
    subprocess.run(
        inside(node, "sh", "-c", f'kill -KILL "$(cat {node.state}/pids/kube-apiserver)"'),
        check=True,
        timeout=10,
    )
    wait_until(lambda: not psutil.pid_exists(before), timeout_s=20, what="the API server to end")
    wait_until(
        lambda: answers(node, "/readyz"), timeout_s=API_TIMEOUT_S, what="the API server to return"
    )
    return time.monotonic() - begun


def answers(node: Node, path: str) -> bool:
    """Tell whether the API server says ``ok`` at ``path``."""
    with contextlib.suppress(TestbedError):
        return kubectl(node, "get", "--raw", path, "--request-timeout=2s").strip() == "ok"
    return False
