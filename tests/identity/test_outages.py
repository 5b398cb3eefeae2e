"""OpenBao or the object store is down, slow or restarted: the agent starts, says so, recovers."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from botocore.exceptions import ClientError

from autonoe.credentials.agent import CredentialAgent
from autonoe.credentials.chain import IdentityChain
from autonoe.errors import UnavailableError
from autonoe.waiting import wait_until
from identity.caller import Caller
from identity.people import Person, unique
from identity.stack import Part, Stack, client


@pytest.fixture
def ana(own_stack: Stack) -> Person:
    return Person(own_stack, own_stack.accounts().ensure(unique("ana")))


def _part(stack: Stack, name: str) -> Part:
    return {"openbao": stack.bao, "seaweedfs": stack.weed}[name]


def _works(agent: CredentialAgent, ana: Person) -> None:
    session = agent._keeper.session(wait_s=5)
    client(ana.stack.s3_url, session).list_objects_v2(Bucket=ana.bucket)


@pytest.mark.parametrize("name", ["openbao", "seaweedfs"])
def test_down_at_the_start(
    ana: Person, agent_of: Callable[..., CredentialAgent], name: str
) -> None:
    part = _part(ana.stack, name)
    part.kill()
    began = time.monotonic()
    agent = agent_of(ana, ready=False)
    environment = agent.environment()
    assert time.monotonic() - began < 2
    assert environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"].startswith(agent.url)
    state = wait_until(
        lambda: (found := agent.status()["s3"])["error"] and found,
        timeout_s=10,
        what="the status to tell",
    )
    assert state["ready"] is False
    assert state["error"]["code"] == "unavailable"
    assert state["failing_since"]
    status, document = Caller(agent)("GET", "/credentials")
    assert status == 503
    assert document["error"]["hint"]
    part.start()
    back = time.monotonic()
    wait_until(lambda: agent.status()["s3"]["ready"], timeout_s=20, what="recovery")
    assert time.monotonic() - back < 10
    assert agent.status()["s3"]["error"] is None
    _works(agent, ana)


@pytest.mark.parametrize("name", ["openbao", "seaweedfs"])
def test_silent_at_the_start(
    ana: Person, agent_of: Callable[..., CredentialAgent], name: str
) -> None:
    """It accepts connections and never answers: worse than down, since nothing is refused."""
    part = _part(ana.stack, name)
    part.pause()
    try:
        began = time.monotonic()
        agent = agent_of(ana, ready=False)
        assert time.monotonic() - began < 1
        if name == "seaweedfs":
            agent.environment()
            assert time.monotonic() - began < 3
        assert agent.status()["s3"]["ready"] is False
    finally:
        part.resume()
    wait_until(lambda: agent.status()["s3"]["ready"], timeout_s=30, what="recovery")
    _works(agent, ana)


def test_a_kernels_environment_waits_no_longer_than_promised(
    ana: Person, agent_of: Callable[..., CredentialAgent]
) -> None:
    agent = agent_of(ana)
    ana.stack.bao.pause()
    try:
        began = time.monotonic()
        environment = agent.environment()
        assert time.monotonic() - began < 4
        assert environment["VAULT_TOKEN"]
        assert agent.status()["variables"]["error"]["code"] == "unavailable"
    finally:
        ana.stack.bao.resume()


def test_sessions_outlive_a_restart_of_the_object_store(
    ana: Person, agent_of: Callable[..., CredentialAgent]
) -> None:
    """Some SDKs do not fetch keys again on a refusal: the old ones must stay good."""
    agent = agent_of(ana)
    session = agent._keeper.session(wait_s=5)
    client(ana.stack.s3_url, session).put_object(Bucket=ana.bucket, Key="x", Body=b"kept")
    ana.stack.weed.kill()
    ana.stack.weed.start()
    s3 = client(ana.stack.s3_url, session)
    got = wait_until(
        lambda: s3.get_object(Bucket=ana.bucket, Key="x")["Body"].read(),
        timeout_s=20,
        what="the object",
        ignoring=(ClientError,),
    )
    assert got == b"kept"


def test_sessions_outlive_the_loss_of_openbao(
    ana: Person, agent_of: Callable[..., CredentialAgent]
) -> None:
    agent = agent_of(ana)
    ana.stack.bao.kill()
    _works(agent, ana)
    status, document = Caller(agent)("GET", f"/v1/kv/metadata/users/{ana.account.slug}?list=true")
    assert status == 503
    assert document["errors"]
    ana.stack.bao.start()
    assert Caller(agent)("GET", "/v1/auth/token/lookup-self")[0] == 200


def test_renewal_goes_on_after_an_outage_longer_than_the_session(
    ana: Person, agent_of: Callable[..., CredentialAgent]
) -> None:
    agent = agent_of(ana, session_ttl_s=3, renew_margin_s=1)
    ana.stack.bao.kill()
    # The OpenBao token is of before: only a new login needs OpenBao, a new session too.
    wait_until(lambda: not agent.status()["s3"]["ready"], timeout_s=20, what="the session's end")
    ana.stack.bao.start()
    wait_until(lambda: agent.status()["s3"]["ready"], timeout_s=20, what="recovery")


def test_a_short_token_is_replaced_before_it_ends(own_stack: Stack) -> None:

    account = own_stack.accounts(token_ttl_s=3).ensure(unique("ana"))
    chain = IdentityChain(own_stack.settings(account))
    seen = {chain.token()}

    def three() -> bool:
        value = chain.token()
        assert chain.is_alive(value)
        seen.add(value)
        return len(seen) >= 3

    wait_until(three, timeout_s=30, what="two new logins", interval_s=0.1)


def test_many_kernels_at_once_make_one_session(
    ana: Person, agent_of: Callable[..., CredentialAgent]
) -> None:
    agent = agent_of(ana, ready=False)
    answers: list[int] = []

    def ask() -> None:
        answers.append(Caller(agent)("GET", "/credentials")[0])

    threads = [threading.Thread(target=ask) for _ in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 30
    assert agent.status()["s3"]["renewals"] == 1


def test_an_account_that_exists_is_left_alone_while_something_is_down(own_stack: Stack) -> None:
    accounts = own_stack.accounts()
    made = accounts.ensure(unique("ana"))
    own_stack.weed.kill()
    began = time.monotonic()
    assert accounts.ensure(made.name) == made
    assert time.monotonic() - began < 2
    new = unique("bob")
    with pytest.raises(UnavailableError):
        accounts.ensure(new)
    own_stack.weed.start()
    accounts.ensure(new)


def test_a_proof_that_appears_later_is_picked_up(
    ana: Person, agent_of: Callable[..., CredentialAgent]
) -> None:
    proof = ana.stack.layout.proof(ana.account.name)
    content = proof.read_text()
    proof.unlink()
    agent = agent_of(ana, ready=False)
    wait_until(
        lambda: (agent.status()["s3"]["error"] or {}).get("code") == "proof_unreadable",
        timeout_s=10,
        what="the status to tell",
    )
    proof.write_text(content)
    wait_until(lambda: agent.status()["s3"]["ready"], timeout_s=20, what="recovery")


def test_the_agent_stops_at_once_whatever_is_down(
    ana: Person, agent_of: Callable[..., CredentialAgent]
) -> None:
    ana.stack.stop()
    agent = agent_of(ana, ready=False)
    began = time.monotonic()
    agent.stop()
    assert time.monotonic() - began < 3
