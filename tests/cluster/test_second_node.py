"""A second node beside the first: it works, and leaves nothing behind, however it ends."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from autonoe.waiting import wait_until
from support.load import busy_factor
from testbed import first_process, node_images, reach, traces
from testbed import node as nodes
from testbed.errors import TestbedError
from testbed.places import Node

pytestmark = [pytest.mark.own_node, pytest.mark.timeout(900)]

NUMBER = 1
UP_S = 20.0
"""With everything built, on an idle machine."""
POD = f"""
apiVersion: v1
kind: PersistentVolumeClaim
metadata: {{name: disk}}
spec: {{accessModes: [ReadWriteOnce], resources: {{requests: {{storage: 1Mi}}}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: busy}}
spec: {{type: NodePort, selector: {{app: busy}}, ports: [{{port: 80}}]}}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: deny}}
spec: {{podSelector: {{}}}}
---
apiVersion: v1
kind: Pod
metadata: {{name: busy, labels: {{app: busy}}}}
spec:
  containers:
  - name: main
    image: {node_images.BUSYBOX}
    imagePullPolicy: Never
    command: [sleep, "3600"]
    ports: [{{containerPort: 80, hostPort: 8088}}]
    volumeMounts: [{{name: disk, mountPath: /disk}}]
  volumes: [{{name: disk, persistentVolumeClaim: {{claimName: disk}}}}]
"""
"""A pod, volume, service, host port and policy: each of them leaves traces on a machine."""


@pytest.fixture
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Node]:
    node = Node(tmp_path_factory.mktemp("n") / "node", NUMBER)
    yield node
    nodes.down(node)


@pytest.fixture
def before() -> dict[str, set[str]]:
    return traces.on_machine()


def _leftovers(before: dict[str, set[str]], node: Node) -> dict[str, tuple[set[str], set[str]]]:
    after = traces.on_machine()
    found = {
        kind: (after[kind] - seen, seen - after[kind])
        for kind, seen in before.items()
        if after[kind] != seen
    }
    if node.state.exists():
        found["state"] = ({str(node.state)}, set())
    return found


def _first_process(node: Node) -> int:
    pid = first_process.first_process(node)
    assert pid is not None
    return pid


def test_a_node_is_up_in_time_and_taken_down_leaves_nothing(
    node: Node, before: dict[str, set[str]], record_property: Callable[[str, object], None]
) -> None:
    limit_s = UP_S * busy_factor()
    began = time.monotonic()
    nodes.up(node, lambda _: None)
    took_s = time.monotonic() - began
    record_property("up_s", round(took_s, 1))
    assert took_s < limit_s, f"up after {took_s:.1f} s"
    reach.kubectl(node, "apply", "--filename=-", stdin=POD)
    reach.kubectl(node, "wait", "--for=condition=Ready", "pod/busy", "--timeout=60s")
    changed = _leftovers(before, node)
    assert node.outer_link in changed["links"][0]
    assert any(node.cgroup in group for group in changed["groups"][0])
    assert set(changed) == {"links", "routes", "groups", "settings", "state"}, changed
    assert not [s for s in changed["settings"][0] if node.outer_link not in s], "machine's settings"
    namespace = traces.pid_namespace(_first_process(node))

    nodes.down(node)

    assert not _leftovers(before, node)
    assert not traces.processes_in(namespace)
    nodes.down(node)  # once more harms nothing


def test_a_killed_node_is_cleared_and_comes_up_again(
    node: Node, before: dict[str, set[str]]
) -> None:
    nodes.up(node, lambda _: None)
    reach.kubectl(node, "create", "namespace", "lost")
    psutil.Process(_first_process(node)).send_signal(signal.SIGKILL)
    wait_until(lambda: not nodes.running(node), timeout_s=10, what="the node to end")
    assert nodes.status(node)["running"] is False

    nodes.up(node, lambda _: None)

    assert nodes.status(node)["ready"] is True
    assert "lost" not in reach.kubectl(node, "get", "namespaces")
    nodes.down(node)
    assert not _leftovers(before, node)


def test_a_node_that_cannot_start_says_why_and_leaves_nothing(
    node: Node, before: dict[str, set[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Path(__file__).with_name("no-such-init.sh")
    monkeypatch.setattr(first_process, "INIT", broken)
    with pytest.raises(TestbedError, match="no-such-init"):
        nodes.up(node, lambda _: None)
    assert not _leftovers(before, node)
