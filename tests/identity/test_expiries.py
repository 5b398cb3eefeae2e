"""Loops through every client see no failed call while their keys end five times."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from autonoe.credentials.agent import CredentialAgent
from autonoe.waiting import wait_until
from identity.client_loops import CLIENTS
from identity.gate import Gate
from identity.people import Person, unique
from identity.stack import Stack, client

TTL_S = 12
MARGIN_S = 6
EXPIRIES = 5


def kernel_environment(agent: CredentialAgent, home: Path) -> dict[str, str]:
    """Return what a kernel has: the agent's variables, a home, and no others."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), **agent.environment()}


@pytest.mark.slow
def test_no_client_sees_an_expiry(
    stack: Stack, agent_of: Callable[..., CredentialAgent], tmp_path: Path
) -> None:
    # OpenBao's own tokens end as often as the gate's sessions.
    ana = Person(stack, stack.accounts(token_ttl_s=TTL_S).ensure(unique("ana")))
    home = tmp_path / "home"
    home.mkdir()
    with Gate(ana.stack.s3_url, TTL_S) as gate:
        agent = agent_of(
            ana, home=home, s3_url=gate.url, session_ttl_s=TTL_S, renew_margin_s=MARGIN_S
        )
        first = agent._keeper.session(wait_s=5)
        wait_until(
            lambda: agent.status()["duckdb"] == "ready", timeout_s=60, what="DuckDB's preparation"
        )
        script = Path(__file__).with_name("client_loops.py")
        done = subprocess.run(
            [sys.executable, str(script), str((EXPIRIES + 1) * TTL_S)],
            env=kernel_environment(agent, home),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        results = json.loads(done.stdout)
        assert set(results) == set(CLIENTS)
        for name, result in results.items():
            assert result["failures"] == [], name
            assert result["rounds"] >= EXPIRIES * 2, name
        # Sessions did end under the loops, and the gate does refuse one that has.
        assert len(gate.used) > EXPIRIES
        with pytest.raises(ClientError, match="InvalidAccessKeyId"):
            client(gate.url, first).list_objects_v2(Bucket=ana.bucket)


def test_the_gate_ends_a_session_that_is_too_old(person: Callable[..., Person]) -> None:
    """The control of the test above: static keys, as people paste them, do fail."""
    ana = person()
    with Gate(ana.stack.s3_url, 2) as gate:
        ana.chain._settings = ana.stack.settings(ana.account, s3_url=gate.url)
        s3 = client(gate.url, ana.session())
        s3.list_objects_v2(Bucket=ana.bucket)

        def refused() -> bool:
            try:
                s3.list_objects_v2(Bucket=ana.bucket)
            except ClientError as error:
                return bool(error.response["Error"]["Code"] == "InvalidAccessKeyId")
            return False

        wait_until(refused, timeout_s=20, what="the gate's refusal")
