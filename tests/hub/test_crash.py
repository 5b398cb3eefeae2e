"""What dies and what does not, when a part of the hub is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from types import SimpleNamespace

import psutil
import requests

from autonoe.waiting import wait_until
from autonoe_hub import processes, proxy_config
from autonoe_hub.spawner import AccountSpawner
from support.hub_stack import OWNER, HubStack, xsrf
from support.kernels import evaluate, start_kernel


def cullers(hub: HubStack) -> list[psutil.Process]:
    return [p for p in hub.processes() if "culler" in p.cmdline()]


def test_a_killed_hub_takes_no_server_and_no_kernel_along(own_hub: HubStack) -> None:
    session = own_hub.login()
    server = own_hub.open_server(session)
    token = xsrf(session, f"/user/{OWNER}/")
    kernel = start_kernel(session, server, token)
    assert evaluate(session, server, kernel, "x = 41; print(x)") == "41\n"
    process = own_hub.server_process()

    own_hub.kill_hub()
    assert session.get(f"{server}api/status", timeout=30).status_code == 200
    assert evaluate(session, server, kernel, "x += 1; print(x)") == "42\n"

    own_hub.start_hub()
    assert evaluate(session, server, kernel, "print(x)") == "42\n"
    assert own_hub.server_process() == process
    known = own_hub.api("GET", f"users/{OWNER}").json()
    assert known["server"] == f"/user/{OWNER}/"
    page = session.get(f"{own_hub.url}/hub/spawn", timeout=60)
    assert page.url.startswith(server)

    # The taken-up server can be stopped, and takes its kernel along.
    children = process.children(recursive=True)
    assert children
    own_hub.api("DELETE", f"users/{OWNER}/server")
    wait_until(
        lambda: not any(_lives(p) for p in [process, *children]),
        timeout_s=60,
        what="the server and its kernel to end",
    )


def _lives(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_hub_that_is_asked_to_stop_leaves_nothing(own_hub: HubStack) -> None:
    session = own_hub.login()
    server = own_hub.open_server(session)
    start_kernel(session, server, xsrf(session, f"/user/{OWNER}/"))
    assert own_hub.stop() == []


def test_the_culler_dies_with_its_hub(own_hub: HubStack) -> None:
    first = wait_until(lambda: cullers(own_hub), timeout_s=30, what="the culler")
    assert len(first) == 1
    own_hub.kill_hub()
    wait_until(lambda: not _lives(first[0]), timeout_s=30, what="the culler to end")
    own_hub.start_hub()
    wait_until(lambda: cullers(own_hub), timeout_s=30, what="the culler")
    assert len(cullers(own_hub)) == 1


def test_a_killed_proxy_finds_its_routes_without_the_hub(own_hub: HubStack) -> None:
    session = own_hub.login()
    server = own_hub.open_server(session)
    own_hub.kill_hub()
    assert own_hub.proxy is not None
    own_hub.proxy.kill()
    own_hub.proxy.wait(timeout=10)
    own_hub.start_proxy()
    answer = wait_until(
        lambda: session.get(f"{server}api/status", timeout=5).status_code == 200,
        timeout_s=30,
        what="the route",
        ignoring=(OSError,),
    )
    assert answer


def test_a_torn_file_of_routes_is_written_again(own_hub: HubStack) -> None:
    session = own_hub.login()
    server = own_hub.open_server(session)
    own_hub.kill_hub()
    rules = proxy_config.rules_file(own_hub.layout)
    whole = rules.read_bytes()
    rules.write_bytes(whole[: len(whole) // 2])
    own_hub.start_hub()
    wait_until(
        lambda: session.get(f"{server}api/status", timeout=5).status_code == 200,
        timeout_s=30,
        what="the route",
        ignoring=(OSError,),
    )
    assert requests.get(f"{own_hub.url}/hub/health", timeout=5).status_code == 200


def test_a_process_is_told_from_the_next_one_of_its_number() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        mine, its = processes.identity(os.getpid()), processes.identity(child.pid)
        assert mine
        assert its
        assert mine != its
        assert processes.identity(child.pid) == its
        child.kill()
        wait_until(lambda: not processes.identity(child.pid), timeout_s=10, what="the end")
    assert processes.identity(child.pid) == ""


def test_a_number_that_passed_on_is_neither_taken_up_nor_signalled() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        spawner = AccountSpawner(user=SimpleNamespace(name="ana"))
        spawner.load_state({"pid": stranger.pid, "identity": "an-earlier-boot:123"})
        assert spawner.pid == 0
        spawner.pid = stranger.pid
        assert asyncio.run(spawner._signal(signal.SIGKILL)) is False
        assert stranger.poll() is None
        spawner.load_state({"pid": stranger.pid, "identity": processes.identity(stranger.pid)})
        assert spawner.pid == stranger.pid
        stranger.kill()
