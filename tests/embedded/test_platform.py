"""One platform from outside: links, listeners, secrets, status, and what ``down`` leaves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
import urllib3

from autonoe.embedded import links, process_table
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.waiting import wait_until

from .conftest import AUTONOE, OwnPlatform, autonoe, down, free_port, up

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own platform")]

COMPONENTS = {"openbao", "seaweedfs", "mlflow", "traefik", "hub", "supervisor"}


def test_second_up_says_that_it_runs_and_gives_a_fresh_link(own: OwnPlatform) -> None:
    first, second = (autonoe("up", "--data-dir", str(own.layout.root)).stdout for _ in range(2))
    links = [re.search(r"http://\S+/hub/link\?ticket=\S+", text)[0] for text in (first, second)]
    assert links[0] != links[1]
    assert "runs already" in second


def test_the_link_lets_its_owner_in_once(own: OwnPlatform) -> None:
    ticket = own.up()["link"].rpartition("=")[2]
    assert (redeemed := links.redeem(own.layout, ticket)) is not None
    assert redeemed.account == own.file.owner
    assert links.redeem(own.layout, ticket) is None


def test_another_port_is_refused_while_it_runs(own: OwnPlatform) -> None:
    port = free_port()
    done = autonoe("up", "--data-dir", str(own.layout.root), "--port", port, "--json", check=False)
    assert done.returncode == 1
    assert json.loads(done.stdout)["error"]["code"] == "conflict"


def test_status_names_each_component_with_all_that_was_asked_for(own: OwnPlatform) -> None:
    document = json.loads(autonoe("status", "--data-dir", str(own.layout.root), "--json").stdout)
    rows = {row["name"]: row for row in document["components"]}
    assert set(rows) == COMPONENTS
    for row in rows.values():
        assert row["state"] == "ready"
        assert re.match(r"\d+\.\d+", row["version"])
        assert row["address"]
        assert row["memory_bytes"] > 2**20
        assert row["uptime_s"] > 0
        assert Path(row["log"]).exists()
    shown = autonoe("status", "--data-dir", str(own.layout.root)).stdout
    for name in COMPONENTS:
        assert name in shown


def _listeners(layout: Layout) -> set[tuple[str, int]]:
    pids = set(process_table.of_platform(layout))
    connections = psutil.net_connections()
    found = [c.laddr for c in connections if c.status == psutil.CONN_LISTEN and c.pid in pids]
    assert len(found) >= 10
    return {(address.ip, address.port) for address in found}


def test_every_listener_is_on_loopback(own: OwnPlatform) -> None:
    assert {ip for ip, _ in _listeners(own.layout)} <= {"127.0.0.1", "::1"}


def test_host_moves_the_public_port_and_nothing_else(tmp_path: Path) -> None:
    layout, port = Layout(tmp_path / "data"), free_port()
    # Another address of loopback stands for another interface.
    started = up(layout.root, "--host", "127.0.0.2", "--port", port)
    try:
        assert started["link"].startswith(f"http://127.0.0.2:{port}/hub/link?ticket=")
        login = urllib3.request("GET", f"http://127.0.0.2:{port}/hub/login", timeout=10)
        assert login.status == 200
        elsewhere = {where for where in _listeners(layout) if where[0] not in {"127.0.0.1", "::1"}}
        assert elsewhere == {("127.0.0.2", int(port))}
    finally:
        down(layout.root)


def _secret_values(layout: Layout) -> set[str]:
    values = set()
    for path in layout.secrets.rglob("*"):
        if path.is_file() and path.parent != layout.tickets and path.suffix != ".crt":
            text = path.read_bytes().decode("latin-1")
            found = re.findall(r"[A-Za-z0-9_+/=-]{24,}", text)
            values.update(v for v in found if not v.startswith("-----"))
    return values


def test_no_secret_is_in_an_argument_or_a_log(own: OwnPlatform) -> None:
    secrets = _secret_values(own.layout)
    assert len(secrets) >= 12
    for pid in process_table.of_platform(own.layout):
        arguments = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
        assert not [s for s in secrets if s in arguments]
    for log in own.layout.logs.iterdir():
        text = log.read_text(errors="replace")
        assert not [s for s in secrets if s in text], log


def test_secrets_are_files_of_their_owner_alone(own: OwnPlatform) -> None:
    for folder in (own.layout.secrets, own.layout.root / "components", own.layout.logs):
        assert folder.stat().st_mode & 0o077 == 0
    for path in own.layout.secrets.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_an_idle_platform_stays_within_900_megabytes(own: OwnPlatform) -> None:
    assert own.status()["memory_bytes"] < 900e6


def test_mlflow_wants_a_password_and_the_right_host(own: OwnPlatform) -> None:
    http = urllib3.PoolManager(retries=False, timeout=10)
    search = f"{own.file.mlflow_url}/api/2.0/mlflow/experiments/search?max_results=1"
    assert http.request("GET", search).status == 401
    assert http.request("GET", search, headers={"Host": "evil.example"}).status == 403


def test_down_leaves_no_process_and_up_finds_the_data(tmp_path: Path) -> None:
    root = tmp_path / "data"
    answer = up(root, "--port", free_port())
    layout = Layout(root)
    # What a person's server is to the platform: a process in a session of its own, with children
    # that have another environment.
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'input()'], env={})"
    server = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        env={**os.environ, "AUTONOE_CONTROL_SOCKET": str(layout.control_socket)},
        start_new_session=True,
    )
    wait_until(lambda: psutil.Process(server.pid).children(), timeout_s=20, what="the grandchild")
    grandchild = psutil.Process(server.pid).children()[0]
    file_before = layout.platform_file.read_bytes()
    document = json.loads(autonoe("down", "--data-dir", str(root), "--json").stdout)
    server.wait(timeout=5)
    assert document["was_running"] is True
    assert process_table.of_platform(layout) == []
    assert not grandchild.is_running()
    assert "Nothing runs" in autonoe("down", "--data-dir", str(root)).stdout
    state = json.loads(autonoe("status", "--data-dir", str(root), "--json").stdout)
    assert state["state"] == "stopped"
    try:
        assert up(root)["owner"] == answer["owner"]
        assert layout.platform_file.read_bytes() == file_before
    finally:
        down(root)


def test_foreground_up_ends_with_ctrl_c(tmp_path: Path) -> None:
    root = tmp_path / "data"
    port = free_port()
    running = subprocess.Popen(
        [AUTONOE, "up", "--data-dir", str(root), "--port", port],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert running.stdout is not None
    said = []
    for line in running.stdout:
        said.append(line)
        if "Ctrl-C" in line:
            break
    assert "ticket=" in "".join(said)
    assert sum(line.startswith("  ready") for line in said) >= len(COMPONENTS)
    running.send_signal(signal.SIGINT)
    assert running.wait(timeout=90) == 0, running.stdout.read()
    assert process_table.of_platform(Layout(root)) == []


def test_a_taken_port_is_named_with_its_holder(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = autonoe(
            "up", "--detach", "--json", "--data-dir", str(tmp_path), "--port", port, check=False
        )
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "port_taken"
    assert str(os.getpid()) in error["message"]
    assert not process_table.of_platform(Layout(tmp_path))


def test_a_first_start_that_was_cut_off_is_begun_again(tmp_path: Path) -> None:
    """Killed while OpenBao initialises itself: its store is neither empty nor usable."""
    root = tmp_path / "data"
    layout = Layout(root)
    starting = subprocess.Popen(
        [AUTONOE, "up", "--detach", "--data-dir", str(root), "--port", free_port()],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    store = layout.component("openbao") / "data"
    wait_until(
        lambda: store.exists() and any(store.iterdir()),
        timeout_s=60,
        what="OpenBao to begin",
        interval_s=0.01,
    )
    for pid in [starting.pid, *process_table.of_platform(layout)]:
        os.kill(pid, signal.SIGKILL)
    starting.wait()
    wait_until(lambda: not process_table.of_platform(layout), timeout_s=10, what="all to be gone")
    try:
        assert up(root)["state"] == "ready"
        assert PlatformFile.load(layout).owner
    finally:
        down(root)


def test_a_component_that_cannot_start_is_named_with_its_last_words(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "data")
    up(layout.root, "--port", free_port())
    down(layout.root)
    database = layout.component("hub") / "hub.sqlite"
    database.write_bytes(b"this is no database" * 100)
    done = autonoe("up", "--detach", "--json", "--data-dir", str(layout.root), check=False)
    assert done.returncode == 1
    error = json.loads(done.stdout)["error"]
    assert error["code"] == "component_failed", error
    assert error["message"].startswith("hub does not start")
    assert "file is not a database" in error["message"]
    assert str(layout.log("hub")) in error["hint"]
    assert process_table.of_platform(layout) == []
