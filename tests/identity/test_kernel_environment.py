"""What a kernel gets, and standard clients that work with it alone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from autonoe.credentials.agent import CredentialAgent
from autonoe.credentials.environment import STATIC_KEYS
from identity.people import Person


def test_a_kernel_gets_what_clients_look_for(
    person: Callable[..., Person],
    agent_of: Callable[..., CredentialAgent],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("NO_PROXY", "example.org")
    ana = person(mail="ana@stat.example")
    agent = agent_of(ana, mlflow_url="http://127.0.0.1:9")
    env = agent.environment()
    expected = {
        "AWS_S3_ENDPOINT": ana.stack.s3_url.removeprefix("http://"),
        "S3_ENDPOINT": f"{ana.stack.s3_url}/",
        "AWS_ENDPOINT_URL": ana.stack.s3_url,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_PATH_STYLE_ACCESS": "true",
        "AWS_BUCKET_NAME": ana.bucket,
        "VAULT_ADDR": agent.url,
        "VAULT_TOKEN": agent.token_file.read_text(),
        "VAULT_MOUNT": "kv",
        "VAULT_TOP_DIR": f"users/{ana.account.slug}",
        "VAULT_RELATIVE_PATH": "",
        "GIT_USER_NAME": ana.account.name,
        "GIT_USER_MAIL": "ana@stat.example",
        "MLFLOW_TRACKING_URI": f"{agent.url}/mlflow",
        "MLFLOW_S3_ENDPOINT_URL": ana.stack.s3_url,
        "NO_PROXY": "example.org,127.0.0.1,localhost,::1",
    }
    assert {name: env.get(name) for name in expected} == expected
    assert not set(STATIC_KEYS) & set(env)
    assert not [name for name in env if name.startswith("KUBERNETES_")]


SCRIPT = """
import json, os, subprocess
import boto3, hvac
vault = hvac.Client()
path = os.environ["VAULT_TOP_DIR"] + "/db"
kv = vault.secrets.kv.v2
kv.create_or_update_secret(path=path, secret={"p": "1"}, mount_point=os.environ["VAULT_MOUNT"])
read = kv.read_secret_version(path=path, mount_point="kv", raise_on_deleted_version=True)
run = lambda *words: subprocess.run(words, capture_output=True, text=True, check=True).stdout
print(json.dumps({
    "authenticated": vault.is_authenticated(),
    "secret": read["data"]["data"],
    "buckets": [bucket["Name"] for bucket in boto3.client("s3").list_buckets()["Buckets"]],
    "git": run("git", "var", "GIT_AUTHOR_IDENT"),
    "own git": run("git", "-c", "user.name=Somebody Else", "var", "GIT_AUTHOR_IDENT"),
    "bao": json.loads(run("bao", "kv", "get", "-format=json", "-mount=kv", path))["data"]["data"],
}))
"""


def test_standard_clients_work_with_nothing_but_the_environment(
    person: Callable[..., Person], agent_of: Callable[..., CredentialAgent], tmp_path: Path
) -> None:
    ana = person('ana "the first" \\ é', mail="ana@stat.example")
    agent = agent_of(ana)
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={"PATH": path, "HOME": str(tmp_path), **agent.environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    got = json.loads(done.stdout)
    assert got["authenticated"] is True
    assert got["secret"] == got["bao"] == {"p": "1"}
    assert ana.bucket in got["buckets"]
    assert "<ana@stat.example>" in got["git"]
    assert got["git"].startswith("ana")
    assert got["own git"].startswith("Somebody Else")


def test_a_persons_own_aws_configuration_stays_in_force(
    person: Callable[..., Person], agent_of: Callable[..., CredentialAgent], tmp_path: Path
) -> None:
    agent = agent_of(person(), ready=False)
    assert "AWS_CONFIG_FILE" in agent.environment()
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "config").write_text("[profile other]\nregion = eu-west-1\n")
    assert "AWS_CONFIG_FILE" not in agent.environment()
