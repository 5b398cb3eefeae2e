"""Start and end a node, and say how it is."""

from __future__ import annotations

import contextlib
import shutil
import signal
import time
from collections.abc import Callable

import psutil

from autonoe.waiting import wait_until

from . import addons, build, components, config, host, node_images, pki, toolchain
from .errors import TestbedError
from .first_process import component_pids, first_process, init_log, start
from .places import Node
from .reach import API_TIMEOUT_S, answers, import_image, kubectl
from .versions import COMPONENTS, PARTS

LONGEST_STATE = 60
"""Characters: sockets lie in the state folder, and their paths are limited to 107."""
NODE_TIMEOUT_S = 90.0

Say = Callable[[str], None]


def up(node: Node, say: Say) -> None:
    """Start ``node`` and wait until it takes pods, resolves names and gives storage.

    A node that runs already is left as it is; remains of one that was killed are removed first.

    Raises
    ------
    TestbedError
        If something is missing, or a component does not come up; its log is named.
    """
    if running(node):
        say(f"{node.name} runs already: {node.url}")
        return
    toolchain.require_root()
    if len(str(node.state)) > LONGEST_STATE:
        raise TestbedError(
            f"{node.state} is too long a path: sockets have to fit below it.",
            hint="Choose a shorter one: python -m tests.testbed --state FOLDER up",
        )
    toolchain.install_packages(toolchain.RUN_PACKAGES, "running the test cluster")
    build.build(say)
    down(node)
    begun = time.monotonic()

    def report(what: str) -> None:
        say(f"{time.monotonic() - begun:5.1f} s  {what}")

    try:
        _prepare(node)
        pid = start(node)
        host.connect(node, pid)
        _wait(lambda: answers(node, "/readyz"), API_TIMEOUT_S, "the API server", node)
        report("the API server answers")
        kubectl(node, "apply", "--filename=-", stdin=addons.rights())
        (node.state / "api-ready").touch()
        for name in node_images.IMAGES:
            import_image(node, node_images.archive(name))
        kubectl(node, "apply", "--filename=-", stdin=addons.services(node))
        _wait(lambda: _node_ready(node), NODE_TIMEOUT_S, "the node to be Ready", node)
        report("the node takes pods")
        for namespace, deployment in addons.DEPLOYMENTS:
            kubectl(
                node, "rollout", "status", f"--namespace={namespace}", deployment, "--timeout=60s"
            )
        kubectl(node, "wait", "--for=create", "serviceaccount/default", "--timeout=30s")
        report("names and storage are served")
    except BaseException as error:
        _keep_logs(node)
        ended = f"The node ended while it started: {init_log(node)}"
        alive = first_process(node) is not None
        down(node)
        if isinstance(error, TestbedError) and not alive:
            raise TestbedError(ended) from error
        raise


def down(node: Node) -> None:
    """End ``node`` and remove everything of it from the machine."""
    pid = first_process(node)
    if pid is not None:
        with contextlib.suppress(psutil.NoSuchProcess):
            process = psutil.Process(pid)
            process.send_signal(signal.SIGKILL)
            process.wait(timeout=20)
    host.disconnect(node)
    host.remove_cgroups(node)
    if node.state.exists():
        shutil.rmtree(node.state)


def running(node: Node) -> bool:
    """Tell whether the node's first process lives and its API server was up once."""
    return first_process(node) is not None and (node.state / "started").exists()


def status(node: Node) -> dict[str, object]:
    """Return what a person wants to know about the node, as plain data."""
    if not running(node):
        return {"running": False, "missing": build.missing()}
    return {
        "running": True,
        "name": node.name,
        "url": node.url,
        "kubeconfig": str(node.kubeconfig),
        "ready": _node_ready(node),
        "components": {
            name: pid for name, pid in component_pids(node).items() if psutil.pid_exists(pid)
        },
        "pods": kubectl(node, "get", "pods", "--all-namespaces", "--no-headers").splitlines(),
    }


def _prepare(node: Node) -> None:
    node.state.mkdir(parents=True)
    node.state.chmod(0o711)
    for name in ("bin", "commands", "etcd", "logs", "pids", "volumes"):
        (node.state / name).mkdir(mode=0o700 if name == "etcd" else 0o755)
    for part in PARTS:
        for program in (build.folder(part) / "bin").iterdir():
            (node.programs / program.name).symlink_to(program)
    for name in COMPONENTS:
        (node.programs / name).symlink_to("hyperkube")
    pki.write(node)
    config.write(node)
    for name, argv in components.command_lines(node).items():
        (node.state / "commands" / name).write_text("".join(f"{word}\0" for word in argv))


def _node_ready(node: Node) -> bool:
    """Ask the kubelet itself too: a stored status may be older than this node."""
    if not answers(node, f"/api/v1/nodes/{node.name}/proxy/healthz"):
        return False
    condition = '{.status.conditions[?(@.type=="Ready")].status}'
    return kubectl(node, "get", "node", node.name, f"--output=jsonpath={condition}") == "True"


def _wait(condition: Callable[[], bool], timeout_s: float, what: str, node: Node) -> None:
    """Wait, but not for a node whose first process has ended."""

    def met_or_dead() -> bool:
        return condition() or first_process(node) is None

    wait_until(met_or_dead, timeout_s=timeout_s, what=what)
    if first_process(node) is None:
        raise TestbedError(f"The node ended while waiting for {what}.")


def _keep_logs(node: Node) -> None:
    """Save the logs of a start that failed beside the state, which goes."""
    kept = node.state.with_name(f"{node.state.name}-failed-logs")
    shutil.rmtree(kept, ignore_errors=True)
    if node.logs.exists():
        shutil.copytree(node.logs, kept)
