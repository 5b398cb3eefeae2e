"""kill -9 of each part, of several and of all: it comes back, and nothing is lost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

import boto3
import pytest
import urllib3
from botocore.config import Config

from autonoe.embedded import process_table
from autonoe.embedded.files import write_json
from autonoe.embedded.generated import MLFLOW_ADMIN, S3_ADMIN, read_document
from autonoe.identity.client import OpenBaoClient
from autonoe.waiting import wait_until

from .conftest import OwnPlatform, kill, limit_s, seconds_since

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own platform")]

COMPONENTS = ("openbao", "seaweedfs", "mlflow", "traefik", "hub")
RECOVERY_S = 5.0


def _s3(own: OwnPlatform):
    keys = read_document(own.layout, S3_ADMIN)
    return boto3.client(
        "s3",
        endpoint_url=own.file.s3_url,
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
        region_name="us-east-1",
        config=Config(connect_timeout=2, read_timeout=5, retries={"total_max_attempts": 1}),
    )


def _s3_round(own: OwnPlatform, word: str, *, write: bool) -> bool:
    client = _s3(own)
    if write:
        if "crash-test" not in [b["Name"] for b in client.list_buckets()["Buckets"]]:
            client.create_bucket(Bucket="crash-test")
        client.put_object(Bucket="crash-test", Key="word", Body=word.encode())
    return client.get_object(Bucket="crash-test", Key="word")["Body"].read() == word.encode()


def _bao_round(own: OwnPlatform, word: str, *, write: bool) -> bool:
    client = OpenBaoClient(own.file.openbao_url)
    client.login_approle("platform", own.layout.secret("hub-approle-secret-id").read_text().strip())
    if write:
        client.write("kv/data/platform/crash-test/word", {"data": {"word": word}})
    stored = client.read("kv/data/platform/crash-test/word")
    return bool(stored) and stored["data"]["word"] == word


def _mlflow_round(own: OwnPlatform, word: str, *, write: bool) -> bool:
    admin = read_document(own.layout, MLFLOW_ADMIN)
    headers = urllib3.make_headers(basic_auth=f"{admin['username']}:{admin['password']}")
    base = f"{own.file.mlflow_url}/api/2.0/mlflow/experiments"
    http = urllib3.PoolManager(retries=False, timeout=10, headers=headers)
    if write:
        assert http.request("POST", f"{base}/create", json={"name": word}).status == 200
    return http.request("GET", f"{base}/get-by-name?experiment_name={word}").status == 200


def _page(own: OwnPlatform, word: str, *, write: bool) -> bool:
    del word, write
    answer = urllib3.request("GET", f"{own.file.public_url}/hub/login", timeout=5, retries=False)
    return answer.status == 200


ROUNDS: dict[str, Callable[..., bool]] = {
    "openbao": _bao_round,
    "seaweedfs": _s3_round,
    "mlflow": _mlflow_round,
    "traefik": _page,
    "hub": _page,
}


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_killed_component_is_back_within_five_seconds_with_its_data(
    own: OwnPlatform, component: str
) -> None:
    own.wait_ready()
    round_trip, word = ROUNDS[component], f"word-{time.time_ns()}"
    assert round_trip(own, word, write=True)
    victims = own.row(component)["pids"]
    if component == "mlflow":  # the server; its nursery has a test of its own
        victims = [pid for pid in victims if pid in _listeners(own.file.mlflow)]
    allowed = limit_s(RECOVERY_S)
    killed_at = time.monotonic()
    kill(victims)
    wait_until(
        lambda: round_trip(own, word, write=False),
        timeout_s=60,
        what=f"{component} to serve what it served before",
        ignoring=(Exception,),
    )
    assert seconds_since(killed_at) < allowed
    own.wait_ready()
    assert own.row(component)["restarts"] >= 1


def _listeners(port: int) -> list[int]:
    import psutil

    return [
        c.pid
        for c in psutil.net_connections("tcp")
        if c.status == psutil.CONN_LISTEN and c.laddr.port == port and c.pid
    ]


def test_without_its_nursery_mlflow_serves_on(own: OwnPlatform) -> None:
    own.wait_ready()
    serving = _listeners(own.file.mlflow)
    nursery = [pid for pid in own.row("mlflow")["pids"] if pid not in serving]
    assert len(nursery) == 1
    kill(nursery)
    assert _mlflow_round(own, "Default", write=False)
    own.wait_ready()
    assert _listeners(own.file.mlflow) == serving
    kill(serving)  # the new nursery gives it a successor
    wait_until(
        lambda: _mlflow_round(own, "Default", write=False),
        timeout_s=60,
        what="a successor of the server",
        ignoring=(urllib3.exceptions.HTTPError,),
    )


def _component_pids(own: OwnPlatform) -> dict[str, list[int]]:
    rows = own.status()["components"]
    return {row["name"]: row["pids"] for row in rows if row["name"] != "supervisor"}


@pytest.mark.parametrize("part", ["supervisor", "guard"])
def test_the_supervisors_death_interrupts_no_component(own: OwnPlatform, part: str) -> None:
    own.wait_ready()
    before = _component_pids(own)
    supervisor, guard = own.row("supervisor")["pids"]
    victim = supervisor if part == "supervisor" else guard
    allowed = limit_s(RECOVERY_S)
    killed_at = time.monotonic()
    kill([victim])

    # a supervisor without a guard makes way too, a moment after: until then it still answers
    gone = {victim} if part == "supervisor" else {supervisor, guard}

    def replaced() -> bool:
        pids = own.row("supervisor")["pids"]
        return own.is_ready() and len(pids) == 2 and not gone & set(pids)

    wait_until(replaced, timeout_s=60, what=f"a new {part}", ignoring=(Exception,))
    assert seconds_since(killed_at) < allowed + 2.0 * (part == "guard")
    assert _component_pids(own) == before


def test_kill_of_everything_then_up_recovers_everything(own: OwnPlatform) -> None:
    own.wait_ready()
    word = f"word-{time.time_ns()}"
    for component in ("openbao", "seaweedfs", "mlflow"):
        assert ROUNDS[component](own, word, write=True)
    everything = process_table.of_platform(own.layout)
    for pid in everything:
        os.kill(pid, 9)
    wait_until(
        lambda: not process_table.of_platform(own.layout), timeout_s=10, what="all to be gone"
    )
    # What a power cut leaves: sockets nobody listens on, the beginning of a file that was being
    # written, and the record of a process whose number somebody else has now.
    assert own.layout.control_socket.exists()
    (own.layout.root / ".platform.json.abc.new").write_text('{"host": "127.0')
    bystander = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    write_json(
        own.layout.run / "hub.json",
        {"pid": bystander.pid, "identity": "other-boot:1", "fingerprint": "x"},
    )
    try:
        answer = own.up()
        assert bystander.poll() is None, "a process that is not ours was ended"
    finally:
        bystander.kill()
        bystander.wait()
    assert answer["state"] == "ready"
    assert not answer["already_running"]
    for component in COMPONENTS:
        assert ROUNDS[component](own, word, write=False), component


def test_up_takes_over_what_outlived_its_supervisor(own: OwnPlatform) -> None:
    own.wait_ready()
    before = _component_pids(own)
    supervisor, guard = own.row("supervisor")["pids"]
    kill([guard, supervisor])
    from autonoe.embedded.status_view import read

    assert read(own.layout)["state"] == "unsupervised"
    assert own.up()["state"] == "ready"
    assert _component_pids(own) == before
