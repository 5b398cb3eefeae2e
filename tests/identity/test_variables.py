"""A person's own variables: marked secrets, whose names cannot take a kernel over."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from autonoe.credentials.agent import CredentialAgent
from autonoe.credentials.variables import MARK, refusal
from identity.people import Person


def _keep(ana: Person, name: str, values: dict[str, str], *, marked: bool) -> None:
    bao = ana.chain.client(timeout_s=5)
    path = f"users/{ana.account.slug}/env/{name}"
    bao.write(f"kv/data/{path}", {"data": values})
    if marked:
        bao.write(f"kv/metadata/{path}", {"custom_metadata": {MARK: "true"}})


def test_marked_secrets_become_variables_of_the_next_kernel(
    person: Callable[..., Person], agent_of: Callable[..., CredentialAgent]
) -> None:
    ana = person()
    agent = agent_of(ana)
    assert "PGHOST" not in agent.environment()
    _keep(ana, "database", {"PGHOST": "db.example", "PGPASSWORD": "p é $x `y`"}, marked=True)
    _keep(ana, "private", {"NOT_MARKED": "x"}, marked=False)
    environment = agent.environment()
    assert environment["PGHOST"] == "db.example"
    assert environment["PGPASSWORD"] == "p é $x `y`"
    assert "NOT_MARKED" not in environment
    status = agent.status()["variables"]
    assert status["set"] == ["PGHOST", "PGPASSWORD"]
    assert "db.example" not in str(agent.status())


def test_refused_names_are_reported_and_the_others_set(
    person: Callable[..., Person], agent_of: Callable[..., CredentialAgent]
) -> None:
    ana = person()
    agent = agent_of(ana)
    bad = {"AWS_ACCESS_KEY_ID": "AKIA", "LD_PRELOAD": "evil.so", "VAULT_ADDR": "http://evil"}
    _keep(ana, "mixed", {**bad, "FINE": "yes"}, marked=True)
    environment = agent.environment()
    assert environment["FINE"] == "yes"
    assert environment["VAULT_ADDR"] == agent.url
    assert "AWS_ACCESS_KEY_ID" not in environment
    assert "LD_PRELOAD" not in environment
    assert set(agent.status()["variables"]["refused"]) == set(bad)


@pytest.mark.parametrize(
    "name",
    ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE",
     "AWS_CONTAINER_CREDENTIALS_FULL_URI", "LD_PRELOAD", "LD_LIBRARY_PATH", "PYTHONPATH",
     "PYTHONSTARTUP", "PYTHONHOME", "PATH", "HOME", "AUTONOE_PROOF_FILE", "autonoe_x", "BASH_ENV",
     "IFS", "HTTPS_PROXY", "http_proxy", "NO_PROXY", "JUPYTER_PATH", "IPYTHONDIR", "VAULT_TOKEN",
     "GIT_SSH_COMMAND", "GIT_CONFIG_SYSTEM", "SSL_CERT_FILE", "NODE_OPTIONS", "PERL5LIB",
     "JAVA_TOOL_OPTIONS", "", "1A", "A-B", "A B", "A=B", "A\n", "É", "A" * 200],
)  # fmt: skip
def test_names_that_are_refused(name: str) -> None:
    assert refusal(name, "x")


@pytest.mark.parametrize("name", ["PGHOST", "pg_host", "_X", "GIT_PERSONAL_ACCESS_TOKEN"])
def test_names_that_are_taken(name: str) -> None:
    assert refusal(name, "x") == ""


@pytest.mark.parametrize("value", [{"a": 1}, [1], None, "a\0b", "x" * 40_000])
def test_values_that_are_refused(value: object) -> None:
    assert refusal("FINE", value)


def test_what_the_platform_sets_is_not_overwritten() -> None:
    assert refusal("S3_ENDPOINT", "x", taken={"S3_ENDPOINT"})
