"""MLflow through the agent: the account's experiments are its own, artefacts of any size pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import urllib3

from autonoe.credentials.agent import CredentialAgent
from autonoe.embedded import generated
from identity.caller import Caller
from identity.people import Person, unique
from identity.stack import HTTP, Stack, Tracking


@pytest.fixture(scope="session")
def tracking(stack: Stack) -> Iterator[Stack]:
    """Return the stack, with MLflow running."""
    server = Tracking(stack.context)
    try:
        server.start()
        yield stack
    finally:
        server.kill()


@pytest.fixture
def modeller(tracking: Stack) -> Callable[[str], Person]:
    """Return a maker of accounts that MLflow knows."""

    def make(stem: str) -> Person:
        return Person(tracking, tracking.accounts(with_mlflow=True).ensure(unique(stem)))

    return make


SCRIPT = """
import json, os, pathlib, sys
import mlflow
mlflow.set_experiment(sys.argv[1])
big = pathlib.Path(os.environ["HOME"], "big.bin")
big.write_bytes(os.urandom(1024) * 20 * 1024)
with mlflow.start_run() as run:
    mlflow.log_param("dim", 10)
    mlflow.log_metric("top1", 0.5)
    mlflow.log_artifact(str(big))
    mlflow.log_text("é", "note.txt")
back = pathlib.Path(mlflow.artifacts.download_artifacts(f"runs:/{run.info.run_id}/big.bin"))
print(json.dumps({
    "same": back.read_bytes() == big.read_bytes(),
    "text": mlflow.artifacts.load_text(f"runs:/{run.info.run_id}/note.txt"),
    "metric": mlflow.get_run(run.info.run_id).data.metrics["top1"],
    "uri": run.info.artifact_uri,
    "run": run.info.run_id,
}))
"""


def _log_run(agent: CredentialAgent, home: Path, experiment: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, experiment],
        env={"PATH": os.environ["PATH"], "HOME": str(home), **agent.environment()},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def test_runs_and_artefacts_through_the_agent(
    modeller: Callable[[str], Person], agent_of: Callable[..., CredentialAgent], tmp_path: Path
) -> None:
    ana, bob = modeller("ana"), modeller("bob")
    url = ana.stack.platform.mlflow_url
    mine, his = agent_of(ana, mlflow_url=url), agent_of(bob, mlflow_url=url)
    run = _log_run(mine, tmp_path, unique("experiment"))
    assert (run["same"], run["text"], run["metric"]) == (True, "é", 0.5)
    assert run["uri"].startswith("mlflow-artifacts:")
    # The run is not Bob's to see, with his own pass or with a wrong one.
    path = f"/mlflow/api/2.0/mlflow/runs/get?run_id={run['run']}"
    assert Caller(mine)("GET", path)[0] == 200
    assert Caller(his)("GET", path)[0] in (403, 404)
    artefact = f"/mlflow/api/2.0/mlflow-artifacts/artifacts?path=&run_id={run['run']}"
    assert Caller(his)("GET", artefact, {"Authorization": "wrong"})[0] == 403


def test_the_server_wants_a_password(tracking: Stack) -> None:
    url = f"{tracking.platform.mlflow_url}/api/2.0/mlflow/experiments/search?max_results=1"
    assert HTTP.request("GET", url).status == 401
    for login in ("admin:password", "admin:password1234", "autonoe-platform:"):
        headers = dict(urllib3.make_headers(basic_auth=login))
        assert HTTP.request("GET", url, headers=headers).status == 401


def test_a_changed_password_is_found_again(
    modeller: Callable[[str], Person], agent_of: Callable[..., CredentialAgent]
) -> None:
    ana = modeller("ana")
    call = Caller(agent_of(ana, mlflow_url=ana.stack.platform.mlflow_url))
    path = "/mlflow/api/2.0/mlflow/experiments/search?max_results=1"
    assert call("GET", path)[0] == 200
    platform = Person(ana.stack, ana.account).stack
    accounts = platform.accounts(with_mlflow=True)
    accounts.remove(ana.account.name)
    accounts.ensure(ana.account.name)
    call.agent._chain.forget_token(call.agent._chain.token())
    assert call("GET", path)[0] == 200


def test_no_account_is_an_administrator(
    modeller: Callable[[str], Person], agent_of: Callable[..., CredentialAgent]
) -> None:
    ana, bob = modeller("ana"), modeller("bob")
    call = Caller(agent_of(ana, mlflow_url=ana.stack.platform.mlflow_url))
    admin = generated.read_document(ana.stack.layout, generated.MLFLOW_ADMIN)["username"]
    users = "/mlflow/api/2.0/mlflow/users"
    json_type = {"Content-Type": "application/json"}
    for method, path, body in (
        ("POST", "create", {"username": unique("eve"), "password": "x" * 20}),
        ("PATCH", "update-password", {"username": admin, "password": "x" * 20}),
        ("PATCH", "update-password", {"username": bob.account.slug, "password": "x" * 20}),
        ("PATCH", "update-admin", {"username": ana.account.slug, "is_admin": True}),
        ("DELETE", "delete", {"username": bob.account.slug}),
    ):
        status, _ = call(method, f"{users}/{path}", json_type, json.dumps(body).encode())
        assert status in (401, 403, 503), (method, path)
    assert call("GET", f"{users}/get?username={admin}")[0] in (401, 403, 503)
