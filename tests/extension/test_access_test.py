"""The panel's test says what happened: works, refused, down, no keys, cancelled."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from autonoe.credentials.agent import CredentialAgent
from autonoe.credentials.settings import AgentSettings
from autonoe.waiting import wait_until
from autonoe_extension.messages import catalogues
from autonoe_extension.panels.access_test import FOLDER, AccessTest
from support.platform import Platform


def states_of(bucket: str, cancel_at: str = "") -> list[dict[str, Any]]:
    """Run the test on ``bucket`` and return all that it reports."""
    told: list[dict[str, Any]] = []

    def report(state: dict[str, Any]) -> None:
        told.append(state)
        if state["step"] == cancel_at:
            test.cancelled.set()

    test = AccessTest("run-1", bucket, report)
    test.run()
    return told


@pytest.fixture
def as_owner(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Platform]:
    """Give this process the environment of a kernel of the owner."""
    settings = AgentSettings.for_account(platform.layout, platform.owner)
    with CredentialAgent(settings, tmp_path / "agent") as agent:
        wait_until(lambda: agent.status()["s3"]["ready"], timeout_s=60, what="an S3 session")
        for name, value in agent.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
        yield platform


@pytest.mark.platform
def test_it_writes_reads_and_removes(as_owner: Platform) -> None:
    bucket = f"user-{as_owner.owner}"
    told = states_of(bucket)
    assert [(state["state"], state["step"]) for state in told] == [
        ("running", "write"),
        ("running", "read"),
        ("running", "remove"),
        ("ok", "remove"),
    ]
    assert told[-1]["elapsed_ms"] >= 0
    left = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=FOLDER)
    assert left["KeyCount"] == 0


@pytest.mark.platform
@pytest.mark.parametrize("bucket", ["public", "user-somebody-else"])
def test_a_bucket_of_others_is_refused_in_words(as_owner: Platform, bucket: str) -> None:
    last = states_of(bucket)[-1]
    assert (last["state"], last["step"]) == ("failed", "write")
    assert last["problem"]["code"] == "test.denied"


@pytest.mark.platform
def test_a_cancelled_test_leaves_nothing(as_owner: Platform) -> None:
    bucket = f"user-{as_owner.owner}"
    told = states_of(bucket, cancel_at="write")
    assert told[-1]["state"] == "cancelled"
    left = boto3.client("s3").list_objects_v2(Bucket=bucket, Prefix=FOLDER)
    assert left["KeyCount"] == 0


@pytest.fixture
def without_platform(closed_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the clients at an S3 server that is down."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{closed_port}")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


@pytest.mark.usefixtures("without_platform")
def test_s3_down_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
    assert states_of("user-alice")[-1]["problem"]["code"] == "test.unreachable"


@pytest.mark.usefixtures("without_platform")
def test_missing_keys_are_said_in_words() -> None:
    assert states_of("user-alice")[-1]["problem"]["code"] == "test.credentials"


def test_each_problem_has_words_and_a_next_step_in_each_language() -> None:
    source = Path(AccessTest.run.__code__.co_filename).read_text(encoding="utf-8")
    for code in ("denied", "unreachable", "credentials", "mismatch", "other"):
        assert f'"test.{code}"' in source
        for texts in catalogues().values():
            assert texts[f"problem.test.{code}"]
            assert texts[f"problem.test.{code}.hint"]
