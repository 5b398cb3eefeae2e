"""Attacks over the network, made from a pod of the attacker's, against listeners that do answer.

For each closed door there is somebody behind it, and somebody else who may come in: a control pod
connects to the same address at the same time. What times out for the attacker alone was refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from autonoe.kubernetes.labels import EXPOSED
from autonoe.waiting import wait_until
from support.attackers import Scene, address, listener, pod, wait_ready
from support.cluster import Cluster

METADATA = "169.254.169.254"
KUBELET = 10250
_SURELY_S = 4
"""How long a connection may take to come about; nothing here is further than one machine."""
_KNOCK = (
    "import concurrent.futures as f,json,socket,sys\n"
    "def knock(target):\n"
    "    try: socket.create_connection(target, float(sys.argv[1])).close()\n"
    "    except OSError as e: return type(e).__name__\n"
    "    return 'open'\n"
    "targets = json.loads(sys.argv[2])\n"
    "with f.ThreadPoolExecutor(32) as pool: print(json.dumps(list(pool.map(knock, targets))))\n"
)

Door = tuple[str, int]


@dataclass
class Doors:
    """Addresses behind which somebody listens, and pods that knock."""

    cluster: Cluster
    addresses: dict[str, str]
    knockers: dict[str, dict[str, Any]]
    answers: dict[str, dict[Door, str]] = field(default_factory=dict)

    def open(self, who: str, where: str, port: int) -> bool:
        """Tell whether ``who`` gets a connection; each knocks once, at all doors together."""
        if who not in self.answers:
            everywhere = [(name, number) for name, number, _ in ATTACKS.values()]
            self.answers[who] = self.knock(who, [*everywhere, *OTHERS, *self._api()])
        answer = self.answers[who][where, port]
        assert answer in {"open", "TimeoutError", "ConnectionRefusedError", "OSError"}, answer
        return answer == "open"

    def knock(self, who: str, doors: list[Door]) -> dict[Door, str]:
        """Have ``who`` connect to all ``doors``, now."""
        metadata = self.knockers[who]["metadata"]
        targets = [(self.addresses.get(name, name), port) for name, port in doors]
        answer = self.cluster.kubectl(
            *("exec", f"--namespace={metadata['namespace']}", metadata["name"], "--"),
            *("python", "-c", _KNOCK, str(_SURELY_S), json.dumps(targets)),
        )
        return dict(zip(doors, json.loads(answer), strict=True))

    def _api(self) -> list[Door]:
        return list(self.cluster.api_servers)


@pytest.fixture(scope="module")
def doors(stage: Scene, cluster: Cluster) -> Iterator[Doors]:
    """Put listeners behind the doors, and people before them."""
    tenancy = stage.tenants.tenancy
    hub, reach = tenancy.hub_namespace, dict(tenancy.notebook_labels)
    with cluster.namespace("outside") as outside, cluster.namespace("metadata", labels={}) as node:
        behind = {
            "hub": listener("hub", hub, [8081, 5432]),
            "database": listener("database", hub, [5432]),
            "proxy": listener("proxy", hub, [8000, 8001]),
            "notebook": listener("notebook", stage.victims, [8888, 9999]),
            "deployment": listener("deployment", stage.victims, [8000, 9999]),
            "neighbour": listener("neighbour", stage.own, [9999]),
            "outsider": listener("outsider", outside, [9999]),
        }
        behind["hub"]["metadata"]["labels"] |= tenancy.hub_labels
        behind["deployment"]["metadata"]["labels"] |= {EXPOSED: "true"}
        knockers = {
            "attacker": pod("knocker", stage.own),
            # The attacker may write any label on an own pod.
            "disguised": pod("disguised", stage.own),
            "control": pod("knocker", outside),
            "hub-side": pod("hub-side", hub),
            "hub-bystander": pod("hub-bystander", hub),
        }
        for who in ("disguised", "hub-side"):
            knockers[who]["metadata"]["labels"] |= reach
        knockers["disguised"]["metadata"]["labels"] |= tenancy.hub_labels
        for found in (*behind.values(), *knockers.values(), _metadata_server(node)):
            stage.admin.apply(found)
        wait_ready(stage.admin, *behind.values(), *knockers.values(), _metadata_server(node))
        addresses = {name: address(stage.admin, found) for name, found in behind.items()}
        found = Doors(cluster, addresses | {"node": cluster.node_address}, knockers)
        closed = ("outsider", 9999)
        # A new pod is open until its address is in the tables, some tens of milliseconds.
        wait_until(
            lambda: found.knock("attacker", [closed])[closed] != "open",
            timeout_s=20,
            what="the walls around the attacker",
        )
        yield found
        for entry in (*behind.values(), *knockers.values()):
            name, where = entry["metadata"]["name"], entry["metadata"]["namespace"]
            stage.admin.delete("Pod", name, where, grace_s=0)


def _metadata_server(namespace: str) -> dict[str, Any]:
    """Return a pod that answers at the metadata address in the machine's own network."""
    script = (
        "import fcntl,http.server,os,signal,socket,struct,sys\n"
        "sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
        "def sin(a): return struct.pack('HH4s8x', socket.AF_INET, 0, socket.inet_aton(a))\n"
        "def put(a): fcntl.ioctl(sock, 0x8916, struct.pack('16s16s', b'lo:meta', sin(a)))\n"
        "def end(*_): put('0.0.0.0'); os._exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        f"put('{METADATA}')\n"
        f"http.server.HTTPServer(('{METADATA}', 80), http.server.BaseHTTPRequestHandler)"
        ".serve_forever()\n"
    )
    found = pod("metadata", namespace, "python", "-c", script, hostNetwork=True)
    found["spec"]["terminationGracePeriodSeconds"] = 10
    (container,) = found["spec"]["containers"]
    container["securityContext"] = {"runAsUser": 0, "capabilities": {"add": ["NET_ADMIN"]}}
    container["readinessProbe"] = {"tcpSocket": {"host": METADATA, "port": 80}, "periodSeconds": 1}
    return found


ATTACKS: dict[str, tuple[str, int, str]] = {
    "another person's notebook": ("notebook", 8888, "hub-side"),
    "another port of that notebook": ("notebook", 9999, ""),
    "another person's deployment": ("deployment", 8000, "hub-side"),
    "the hub's database": ("database", 5432, "control"),
    "another port of the hub": ("hub", 5432, "control"),
    "the proxy's API": ("proxy", 8001, "control"),
    "the proxy past its front door": ("proxy", 8000, "control"),
    "a pod outside of the platform": ("outsider", 9999, "control"),
    "the metadata address": (METADATA, 80, "control"),
    "the machine's kubelet": ("node", KUBELET, "control"),
}
OTHERS: list[Door] = [("hub", 8081), ("neighbour", 9999), ("deployment", 9999)]


@pytest.mark.parametrize("who", ["attacker", "disguised"])
@pytest.mark.parametrize("what", ATTACKS)
def test_a_closed_door(doors: Doors, what: str, who: str) -> None:
    where, port, allowed = ATTACKS[what]
    if allowed:
        assert doors.open(allowed, where, port), "nobody is behind this door"
    assert not doors.open(who, where, port)


@pytest.mark.parametrize("who", ["attacker", "disguised"])
@pytest.mark.parametrize("port", [8081, "api"])
def test_what_a_tenant_needs_is_open(doors: Doors, who: str, port: int | str) -> None:
    """The positive control of the attacker's own pod: it does have a network."""
    if port == "api":
        host, number = doors.cluster.api_servers[0]
        assert doors.open(who, host, number)
        return
    assert doors.open(who, "hub", int(port))
    assert doors.open(who, "neighbour", 9999)


def test_names_are_answered(doors: Doors) -> None:
    metadata = doors.knockers["attacker"]["metadata"]
    code = "import socket; print(socket.gethostbyname('kubernetes.default.svc.cluster.local'))"
    found = doors.cluster.kubectl(
        "exec", f"--namespace={metadata['namespace']}", metadata["name"], "--", "python", "-c", code
    )
    assert found.strip().count(".") == 3


@pytest.mark.parametrize("where", [("notebook", 8888), ("deployment", 8000)])
def test_the_hubs_namespace_alone_opens_no_notebook(doors: Doors, where: tuple[str, int]) -> None:
    assert doors.open("hub-side", *where)
    assert not doors.open("hub-bystander", *where)


@pytest.mark.parametrize("where", ["notebook", "deployment"])
def test_the_hub_side_reaches_the_one_port_only(doors: Doors, where: str) -> None:
    assert not doors.open("hub-side", where, 9999)


def test_nobody_outside_reaches_in(doors: Doors) -> None:
    assert doors.open("control", "outsider", 9999)
    for where, port in (("notebook", 8888), ("deployment", 8000), ("neighbour", 9999)):
        assert not doors.open("control", where, port)
