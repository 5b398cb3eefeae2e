"""Each written form of a request does what the request does."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import xform_name

from autonoe import equivalents
from autonoe.credentials.agent import CredentialAgent
from autonoe.equivalents import Request
from identity.people import Person


class Kernel:
    """A process's environment with an agent's variables, here and for commands."""

    def __init__(self, ana: Person, environment: dict[str, str]) -> None:
        self.bucket = ana.bucket
        self.secrets = f"users/{ana.account.slug}"
        self.environment = environment

    def python(self, request: Request) -> Any:
        """Run the Python form, and return what it calls ``answer``, as JSON."""
        code = request.forms()[0].text + (
            "\nimport json\nprint(json.dumps(answer, default=lambda value: None))\n"
        )
        done = self._run([sys.executable, "-c", code])
        return json.loads(done)

    def shell(self, request: Request, label: str) -> Any:
        """Run the form of that label in a shell, and return its JSON."""
        text = next(form.text for form in request.forms() if form.label == label)
        return json.loads(self._run(["/bin/sh", "-c", text]) or "{}")

    def _run(self, words: list[str]) -> str:
        done = subprocess.run(
            words, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def kernel(
    person: Callable[..., Person],
    agent_of: Callable[..., CredentialAgent],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Kernel:
    ana = person()
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {"PATH": path, "HOME": str(tmp_path), **agent_of(ana).environment()}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    return Kernel(ana, environment)


def _aws(request: Request) -> dict[str, Any]:
    """Do what the AWS CLI does with its form: find the operation in botocore's model, call it."""
    words = shlex.split(next(form.text for form in request.forms() if form.label == "AWS CLI"))
    assert words[:2] == ["aws", "s3api"]
    s3 = boto3.client("s3")
    model = s3.meta.service_model
    operation = next(name for name in model.operation_names if xform_name(name, "-") == words[2])
    members = {xform_name(n, "-"): n for n in model.operation_model(operation).input_shape.members}
    arguments: dict[str, Any] = {}
    rest = words[3:]
    while rest and rest[0].startswith("--"):
        option, equals, value = rest.pop(0).partition("=")
        arguments[members[option.removeprefix("--")]] = value if equals else rest.pop(0)
    if "Body" in arguments:
        arguments["Body"] = Path(arguments["Body"]).read_bytes()
    answer: dict[str, Any] = getattr(s3, xform_name(operation))(**arguments)
    if rest:
        Path(rest[0]).write_bytes(answer["Body"].read())
    return answer


@pytest.mark.parametrize("key", ["data/x.csv", 'it\'s "quoted" $HOME `id`;.csv', "-rf é 日本"])
def test_objects_in_all_forms(kernel: Kernel, tmp_path: Path, key: str) -> None:
    source, target = tmp_path / "source file.txt", tmp_path / "target.txt"
    source.write_text("content")
    put = equivalents.put_object(kernel.bucket, key, file=source)
    get = equivalents.get_object(kernel.bucket, key, file=target)
    remove = equivalents.remove_object(kernel.bucket, key)
    keys = equivalents.list_objects(kernel.bucket)
    ways: list[Callable[[Request], Any]] = [lambda request: request.call(), kernel.python, _aws]
    for way in ways:
        way(put)
        assert [entry["Key"] for entry in keys.call()["Contents"]] == [key]
        target.unlink(missing_ok=True)
        way(get)
        assert target.read_text() == "content"
        assert [entry["Key"] for entry in way(keys)["Contents"]] == [key]
        way(remove)
        assert "Contents" not in keys.call()


def test_a_prefix_in_all_forms(kernel: Kernel, tmp_path: Path) -> None:
    source = tmp_path / "x"
    source.write_text("x")
    for key in ("a/1", "b/2"):
        equivalents.put_object(kernel.bucket, key, file=source).call()
    request = equivalents.list_objects(kernel.bucket, prefix="a/")
    for answer in (request.call(), kernel.python(request), _aws(request)):
        assert [entry["Key"] for entry in answer["Contents"]] == ["a/1"]


def test_buckets_in_all_forms(kernel: Kernel) -> None:
    request = equivalents.list_buckets()
    for answer in (request.call(), kernel.python(request), _aws(request)):
        assert kernel.bucket in [bucket["Name"] for bucket in answer["Buckets"]]


def test_secrets_in_all_forms(kernel: Kernel) -> None:
    path = f"{kernel.secrets}/it's a $HOME"
    values = {"user": "ana", "password": 'it\'s "x" $HOME `id`\nEND\n'}
    read, listing = equivalents.read_secret(path), equivalents.list_secrets(kernel.secrets)
    for number, way in enumerate(
        (lambda r: r.call(), kernel.python, lambda r: kernel.shell(r, "bao")), start=1
    ):
        wanted = {**values, "number": str(number)}
        way(equivalents.write_secret(path, wanted))
        assert read.call()["data"]["data"] == wanted
        assert way(read)["data"]["data"] == wanted
    name = path.rpartition("/")[2]
    assert listing.call()["data"]["keys"] == kernel.python(listing)["data"]["keys"] == [name]
    assert kernel.shell(listing, "bao") == [name]


def test_who_am_i_in_all_forms(kernel: Kernel) -> None:
    request = equivalents.who_am_i()
    answers = (request.call(), kernel.python(request), kernel.shell(request, "bao"))
    assert len({answer["data"]["display_name"] for answer in answers}) == 1
    role = f"user-{kernel.secrets.removeprefix('users/')}"
    assert {answer["data"]["meta"]["role_name"] for answer in answers} == {role}


def test_vault_takes_the_words_of_bao(kernel: Kernel) -> None:
    for request in (equivalents.read_secret("x"), equivalents.who_am_i()):
        bao, vault = (
            next(form.text for form in request.forms() if form.label == label)
            for label in ("bao", "vault")
        )
        assert vault == "vault" + bao.removeprefix("bao")


def test_no_secret_is_among_a_commands_arguments(kernel: Kernel) -> None:
    for form in equivalents.write_secret("x", {"p": "canary"}).forms()[1:]:
        assert "canary" not in form.text.splitlines()[0]
        assert "canary" in form.text
