"""What the hub may lose, and what it may not: killed with servers running, culled, a full disk."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import requests

from autonoe.waiting import wait_until
from support.hub_session import Hub
from support.load import busy_factor
from support.stack import Stack

pytestmark = pytest.mark.timeout(900)

BUSY = """
import json, os, time, urllib.request, uuid
from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect
from tornado.httpclient import HTTPRequest
base = "127.0.0.1:8888" + os.environ["JUPYTERHUB_SERVICE_PREFIX"]
token = {"Authorization": "token " + os.environ["JUPYTERHUB_API_TOKEN"]}
made = urllib.request.Request(f"http://{base}api/kernels", method="POST", headers=token, data=b"{}")
kernel = json.load(urllib.request.urlopen(made, timeout=60))["id"]
async def run():
    address = HTTPRequest(f"ws://{base}api/kernels/{kernel}/channels", headers=token)
    socket = await websocket_connect(address)
    header = dict(msg_id=uuid.uuid4().hex, msg_type="execute_request", session=uuid.uuid4().hex,
                  username="", version="5.3")
    content = dict(code="import time; time.sleep(3600)", silent=False)
    await socket.write_message(json.dumps(dict(header=header, parent_header={}, metadata={},
                               content=content, channel="shell")))
    while "busy" not in (message := await socket.read_message()):
        assert message is not None
    socket.close()
IOLoop.current().run_sync(run)
print(kernel)
"""
"""Starts a kernel that computes for an hour without a word, and leaves it."""


@pytest.fixture
def hub(stack: Stack) -> Hub:
    return stack.hub


def _alive(hub: Hub, user: str) -> bool:
    """Return whether a person's server answers through the proxy, without asking the hub."""
    answer = requests.get(f"{hub.url}/user/{user}/api", timeout=5)
    return answer.status_code == 200 and "version" in answer.json()


def test_a_killed_hub_loses_no_server_and_is_back_within_ten_seconds(
    stack: Stack, hub: Hub, record_property: Any
) -> None:
    people = ["kim", "lena"]
    for person in people:
        hub.add_user(person)
        hub.spawn(person)
    before = {person: hub.pods(person)[0]["metadata"]["uid"] for person in people}
    unreachable: list[str] = []
    done = threading.Event()

    def visit() -> None:
        while not done.wait(0.5):
            for person in people:
                try:
                    if not _alive(hub, person):
                        unreachable.append(person)
                except requests.RequestException as error:
                    unreachable.append(f"{person}: {error}")

    visitor = threading.Thread(target=visit, daemon=True)
    visitor.start()
    where = f"--namespace={stack.instance}"
    pod = stack.cluster.get("pods", where, "--selector=component=hub")["items"][0]
    began = time.monotonic()
    # Returns when its processes have ended. With `--force` only the object would be gone at once:
    # the old hub answered for a while, was taken for the new one, and failed whoever came next.
    stack.cluster.kubectl("delete", "pod", pod["metadata"]["name"], where, "--grace-period=1")

    def back() -> bool:
        answer = requests.get(f"{hub.url}/hub/api/", timeout=2)
        return answer.status_code == 200 and "version" in answer.json()

    wait_until(
        back,
        timeout_s=240,
        what="the hub to serve again",
        interval_s=0.1,
        ignoring=(OSError, ValueError),
    )
    away = time.monotonic() - began
    done.set()
    visitor.join(20)
    record_property("hub_away_s", round(away, 1))
    assert unreachable == []
    for person in people:
        wait_until(
            lambda person=person: hub.server(person).get("ready"),
            timeout_s=30,
            what=f"the server of {person} to be known again",
        )
        assert hub.pods(person)[0]["metadata"]["uid"] == before[person]
        hub.remove_user(person)
    assert away < 10 * busy_factor()


@contextmanager
def _culler(hub: Hub, timeout_s: int) -> Iterator[None]:
    """Let the hub's own culler look once, at servers idle for longer; it ends with the block."""
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "jupyterhub_idle_culler", f"--url={hub.url}/hub/api"),
            *(f"--timeout={timeout_s}", "--cull-every=9999"),
        ],
        env={"JUPYTERHUB_API_TOKEN": hub.token, "PATH": "/usr/bin:/bin"},
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(10)


def test_culling_spares_a_busy_kernel_and_ends_an_idle_server(hub: Hub) -> None:
    for person in ("maja", "nils"):
        hub.add_user(person)
        hub.spawn(person)
    kernel = hub.run("maja", "python", "-c", BUSY).strip()
    assert kernel

    def idle_for(person: str, seconds: float) -> bool:
        last = hub.server(person)["last_activity"]
        return hub.age_s(last) > seconds

    # Long enough for what each of them did at its start to be forgotten.
    wait_until(lambda: idle_for("nils", 20), timeout_s=120, what="nils to be idle")
    with _culler(hub, 19):
        wait_until(lambda: not hub.pods("nils"), timeout_s=90, what="the idle server to end")
    assert hub.pods("maja")
    assert not idle_for("maja", 19)
    interrupt = (
        "import os, urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:8888'"
        "+ os.environ['JUPYTERHUB_SERVICE_PREFIX'] + 'api/kernels/%s/interrupt', method='POST',"
        "data=b'', headers={'Authorization': 'token ' + os.environ['JUPYTERHUB_API_TOKEN']}))"
    )
    hub.run("maja", "python", "-c", interrupt % kernel)
    wait_until(lambda: idle_for("maja", 20), timeout_s=120, what="maja to be idle")
    with _culler(hub, 19):
        wait_until(lambda: not hub.pods("maja"), timeout_s=90, what="the freed server to end")
    for person in ("maja", "nils"):
        hub.remove_user(person)
