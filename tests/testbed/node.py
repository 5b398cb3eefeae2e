"""Start and end a node, and reach into it."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from autonoe.waiting import wait_until

from . import addons, build, components, config, host, node_images, ociarchive, pki, toolchain
from .errors import TestbedError
from .places import Node
from .versions import COMPONENTS, PARTS

INIT = Path(__file__).with_name("init.sh")
LONGEST_STATE = 60
"""Characters: sockets lie in the state folder, and their paths are limited to 107."""
API_TIMEOUT_S = 60.0
NODE_TIMEOUT_S = 90.0
CONTAINERD = ("ctr", "--address", "/run/containerd/containerd.sock", "--namespace", "k8s.io")

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
        pid = _start(node)
        host.connect(node, pid)
        _wait(lambda: _answers(node, "/readyz"), API_TIMEOUT_S, "the API server", node)
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
        ended = f"The node ended while it started: {_init_log(node)}"
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
        "components": {name: pid for name, pid in _pids(node).items() if psutil.pid_exists(pid)},
        "pods": kubectl(node, "get", "pods", "--all-namespaces", "--no-headers").splitlines(),
    }


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
        If the archive cannot be read, or containerd refuses it.
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
    load = inside(node, *CONTAINERD, "images", "import", "--local", str(archive))
    answer = subprocess.run(load, capture_output=True, text=True, check=False, timeout=300)
    if answer.returncode:
        raise TestbedError(f"{archive} could not be loaded: {answer.stderr.strip()[-500:]}")
    return True


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
    before = _pids(node)["kube-apiserver"]
    begun = time.monotonic()
    subprocess.run(
        inside(node, "sh", "-c", f'kill -KILL "$(cat {node.state}/pids/kube-apiserver)"'),
        check=True,
        timeout=10,
    )
    wait_until(lambda: not psutil.pid_exists(before), timeout_s=20, what="the API server to end")
    _wait(lambda: _answers(node, "/readyz"), API_TIMEOUT_S, "the API server", node)
    return time.monotonic() - begun


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


def _start(node: Node) -> int:
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
            raise TestbedError(f"The node could not start: {_init_log(node)}")
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


def _pids(node: Node) -> dict[str, int]:
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


def _answers(node: Node, path: str) -> bool:
    with contextlib.suppress(TestbedError):
        return kubectl(node, "get", "--raw", path, "--request-timeout=2s").strip() == "ok"
    return False


def _node_ready(node: Node) -> bool:
    """Ask the kubelet itself too: a stored status may be older than this node."""
    if not _answers(node, f"/api/v1/nodes/{node.name}/proxy/healthz"):
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


def _init_log(node: Node) -> str:
    log = node.logs / "init.log"
    return log.read_text()[-800:].strip() if log.exists() else "it left no log"


def _keep_logs(node: Node) -> None:
    """Save the logs of a start that failed beside the state, which goes."""
    kept = node.state.with_name(f"{node.state.name}-failed-logs")
    shutil.rmtree(kept, ignore_errors=True)
    if node.logs.exists():
        shutil.copytree(node.logs, kept)
