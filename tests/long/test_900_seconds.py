"""Sessions of 900 s, the shortest that the S3 server grants, end under a loop of all clients.

Not part of ``make test``: it takes 20 minutes. Run it with ``make test-long``.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from autonoe.credentials.agent import CredentialAgent
from autonoe.waiting import wait_until
from identity.client_loops import CLIENTS
from identity.conftest import _unruly_stack, agent_of, person, stack
from identity.people import Person
from identity.stack import client
from identity.test_expiries import kernel_environment

__all__ = ["_unruly_stack", "agent_of", "person", "stack"]

SECONDS = 1_150


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 300)
def test_a_real_expiry_of_900_seconds(
    person: Callable[..., Person],
    agent_of: Callable[..., CredentialAgent],
    tmp_path: Path,
) -> None:
    ana = person()
    home = tmp_path / "home"
    home.mkdir()
    agent = agent_of(ana, home=home, session_ttl_s=900, renew_margin_s=300)
    first = agent._keeper.session(wait_s=5)
    wait_until(lambda: agent.status()["duckdb"] == "ready", timeout_s=60, what="DuckDB")
    loops = Path(__file__).parents[1] / "identity" / "client_loops.py"
    done = subprocess.run(
        [sys.executable, str(loops), str(SECONDS)],
        env={**kernel_environment(agent, home), "LOOP_PAUSE_S": "2"},
        capture_output=True,
        text=True,
        timeout=SECONDS + 200,
        check=False,
    )
    results = json.loads(done.stdout)
    assert set(results) == set(CLIENTS)
    for name, result in results.items():
        assert result["failures"] == [], name
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        client(ana.stack.s3_url, first).list_objects_v2(Bucket=ana.bucket)
