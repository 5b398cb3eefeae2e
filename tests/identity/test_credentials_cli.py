"""``autonoe credentials`` as a deployment or a person runs it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autonoe.credentials import session
from autonoe.credentials.agent import CredentialAgent
from autonoe.waiting import wait_until
from identity.people import Person

AUTONOE = str(Path(sys.executable).with_name("autonoe"))
LISTING = (
    "import boto3, json, os;"
    "print(json.dumps(boto3.client('s3').list_objects_v2(Bucket=os.environ['AWS_BUCKET_NAME'])"
    "['KeyCount']))"
)


def _environment(home: Path, **more: str) -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "HOME": str(home), **more}


def _exec(ana: Person, *command: str) -> list[str]:
    root = str(ana.stack.layout.root)
    return [AUTONOE, "credentials", "exec", "--data-dir", root, "--account", ana.account.name,
            "--", *command]  # fmt: skip


def test_a_command_runs_with_the_accounts_credentials(
    person: Callable[..., Person], tmp_path: Path
) -> None:
    ana = person()
    ana.s3().put_object(Bucket=ana.bucket, Key="x", Body=b"x")
    stale = {"AWS_ACCESS_KEY_ID": "AKIAOLD", "AWS_SECRET_ACCESS_KEY": "old"}
    done = subprocess.run(
        _exec(ana, sys.executable, "-c", LISTING),
        env=_environment(tmp_path, **stale),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stdout.strip()) == (0, "1"), done.stderr
    assert not (tmp_path / ".duckdb").exists(), "a person's own home was changed"


def test_its_exit_status_is_that_of_the_command(
    person: Callable[..., Person], tmp_path: Path
) -> None:
    ana = person()
    codes = {}
    for words in (("/bin/sh", "-c", "exit 7"), ("/bin/sh", "-c", "kill -9 $$"), ("/nonexistent",)):
        done = subprocess.run(
            _exec(ana, *words), env=_environment(tmp_path), capture_output=True, check=False
        )
        codes[words[-1]] = done.returncode
    assert codes == {"exit 7": 7, "kill -9 $$": 137, "/nonexistent": 2}


def test_a_signal_reaches_the_command(person: Callable[..., Person], tmp_path: Path) -> None:
    blocked = (
        "import signal, sys; signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]);"
        "print('ready', flush=True); signal.sigwait([signal.SIGTERM]); sys.exit(5)"
    )
    running = subprocess.Popen(
        _exec(person(), sys.executable, "-c", blocked),
        env=_environment(tmp_path),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        assert running.stdout.readline().strip() == "ready"
        running.send_signal(signal.SIGTERM)
        assert running.wait(20) == 5
    finally:
        running.kill()
        running.wait(10)


def test_an_unknown_account_is_said_so(person: Callable[..., Person], tmp_path: Path) -> None:
    words = _exec(person(), "true")
    words[words.index("--account") + 1] = "nobody-here"
    done = subprocess.run(
        words, env=_environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no account 'nobody-here'" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_in_a_terminal_and_outside(
    person: Callable[..., Person], agent_of: Callable[..., CredentialAgent], tmp_path: Path
) -> None:
    ana = person()
    agent = agent_of(ana)
    words = [AUTONOE, "credentials", "status", "--json"]
    inside = subprocess.run(
        words,
        env=_environment(tmp_path, **agent.environment()),
        capture_output=True,
        text=True,
        check=False,
    )
    document = json.loads(inside.stdout)
    assert document["account"] == ana.account.name
    assert document["s3"]["ready"] is True
    outside = subprocess.run(
        words, env=_environment(tmp_path), capture_output=True, text=True, check=False
    )
    assert outside.returncode == 2
    assert json.loads(outside.stdout)["error"]["hint"]
    agent.stop()
    gone = subprocess.run(
        words,
        env=_environment(tmp_path, AUTONOE_AGENT_URL="http://127.0.0.1:9", VAULT_TOKEN="x"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert gone.returncode == 1
    assert json.loads(gone.stdout)["error"]["code"] == "unavailable"


def test_a_session_gives_and_takes_back_the_environment(
    person: Callable[..., Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    ana = person()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOLD")
    before = dict(os.environ)
    with session(ana.stack.settings(ana.account)) as agent:
        assert agent is not None
        assert "AWS_ACCESS_KEY_ID" not in os.environ
        wait_until(lambda: agent.status()["s3"]["ready"], timeout_s=20, what="an S3 session")
        with session(ana.stack.settings(ana.account)) as inner:
            assert inner is None
    assert dict(os.environ) == before
