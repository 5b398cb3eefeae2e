"""The sidecar as a process: what it leaves for other containers, and how it ends."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autonoe.embedded.ports import choose
from autonoe.waiting import wait_until
from identity.people import Person


@pytest.fixture
def sidecar(
    person: Callable[..., Person], tmp_path: Path
) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Return a starter of sidecars of one person, with its folder at ``tmp_path / "agent"``."""
    started: list[subprocess.Popen[str]] = []
    ana = person()

    def start(**variables: str) -> subprocess.Popen[str]:
        settings = ana.stack.settings(ana.account, agent_dir=tmp_path / "agent")
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(tmp_path),
            **settings.environment(),
            "AUTONOE_AGENT_PORT": str(choose(1)[0]),
            **variables,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "autonoe.credentials.sidecar"],
            env=env,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate(timeout=10)


_USE = """
. "$1"
exec "$2" -c '
import boto3, hvac, os
s3 = boto3.client("s3")
s3.put_object(Bucket=os.environ["AWS_BUCKET_NAME"], Key="x", Body=b"1")
vault = hvac.Client()
assert vault.is_authenticated()
print("done")
'
"""


def test_standard_clients_of_another_process_work(
    sidecar: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    process = sidecar()
    folder = tmp_path / "agent"
    wait_until((folder / "ready").exists, timeout_s=30, what="the sidecar")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o750
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    assert files == dict.fromkeys(
        ["agent-token", "aws-config", "gitconfig", "environment.sh", "ready"], 0o640
    )
    done = subprocess.run(
        ["sh", "-c", _USE, "sh", str(folder / "environment.sh"), sys.executable],
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path / "other")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "done\n", done.stderr[-2000:]
    process.send_signal(signal.SIGTERM)
    _, log = process.communicate(timeout=20)
    assert process.returncode == 0, log
    assert not (folder / "ready").exists()
    assert not (folder / "agent-token").exists()


def test_others_start_without_keys_when_the_platform_is_down(
    sidecar: Callable[..., subprocess.Popen[str]], tmp_path: Path
) -> None:
    sidecar(AUTONOE_S3_URL="http://127.0.0.1:9", AUTONOE_SIDECAR_WAIT_S="0.5")
    wait_until((tmp_path / "agent" / "ready").exists, timeout_s=30, what="the sidecar")


@pytest.mark.parametrize(
    ("variables", "named"),
    [
        ({"AUTONOE_AGENT_PORT": "tcp://10.0.0.1:80"}, "agent_port"),
        ({"AUTONOE_SIDECAR_WAIT_S": "soon"}, "wait_s"),
    ],
)
def test_settings_that_cannot_be_read_are_named(
    sidecar: Callable[..., subprocess.Popen[str]], variables: dict[str, str], named: str
) -> None:
    process = sidecar(**variables)
    _, log = process.communicate(timeout=30)
    assert process.returncode == 2
    assert named in log
    assert "Traceback" not in log
