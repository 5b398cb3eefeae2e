"""Login through OpenBao's own OIDC provider, with a password, over HTTP."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from autonoe.embedded.files import write_json
from hub.conftest import stack
from support.hub_stack import OWNER, HubStack
from support.oidc_provider import OidcProvider


@dataclass
class WithProvider:
    hub: HubStack
    provider: OidcProvider
    secret: str

    def begin(self, session: requests.Session) -> str:
        """Press the login button and return where the provider is asked."""
        page = session.get(f"{self.hub.url}/hub/login", timeout=30)
        assert "Sign in with the statistics office" in page.text
        assert 'type="password"' not in page.text
        answer = session.get(
            f"{self.hub.url}/hub/oauth_login?next=/hub/home", allow_redirects=False, timeout=30
        )
        assert answer.status_code == 302
        return answer.headers["Location"]

    def login(self, name: str) -> requests.Session:
        """Go through the login of ``name``; ``session.last`` is the last answer."""
        session = self.hub.session()
        back = self.provider.authorize(self.begin(session), name)
        self.last = session.get(back, timeout=60)
        return session


def provider_of(folder: Path, hub: HubStack, **who: list[str]) -> tuple[OidcProvider, str]:
    provider = OidcProvider(folder)
    client_id, secret = provider.set_up(f"{hub.url}/hub/oauth_callback")
    for name in (OWNER, "ana", "eve"):
        provider.add_person(name)
    provider.set_group("stats", [OWNER, "ana"])
    provider.set_group("others", ["eve"])
    settings = {
        "issuer_url": provider.issuer,
        "client_id": client_id,
        "client_secret": secret,
        "login_service": "the statistics office",
        **who,
    }
    write_json(hub.layout.root / "oidc.json", settings)
    return provider, secret


@pytest.fixture(scope="module")
def oidc(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WithProvider]:
    with stack() as hub:
        folder = tmp_path_factory.mktemp("provider")
        provider, secret = provider_of(folder, hub, allowed_groups=["stats"])
        try:
            hub.start()
            yield WithProvider(hub, provider, secret)
        finally:
            provider.stop()


def inside(hub: HubStack, session: requests.Session) -> bool:
    page = session.get(f"{hub.url}/hub/home", allow_redirects=False, timeout=30)
    return page.status_code == 200


def test_a_member_of_an_allowed_group_gets_in(oidc: WithProvider) -> None:
    session = oidc.login(OWNER)
    assert oidc.last.url == f"{oidc.hub.url}/hub/home"
    assert inside(oidc.hub, session)
    groups = oidc.hub.api("GET", f"users/{OWNER}").json()["groups"]
    assert groups == ["stats"]


def test_a_second_person_gets_in_where_accounts_can_be_kept_apart(oidc: WithProvider) -> None:
    session = oidc.login("ana")
    assert inside(oidc.hub, session) == (os.geteuid() == 0)
    if os.geteuid() != 0:
        assert oidc.last.status_code == 403
        assert "needs a UID of its own" in oidc.hub.log("hub")


def test_somebody_of_another_group_does_not(oidc: WithProvider) -> None:
    session = oidc.login("eve")
    assert oidc.last.status_code == 403
    assert not inside(oidc.hub, session)
    assert oidc.hub.api("GET", "users/eve").status_code == 404


def test_who_leaves_the_group_is_out_at_the_next_login(oidc: WithProvider) -> None:
    oidc.provider.set_group("stats", ["ana"])
    try:
        session = oidc.login(OWNER)
        assert oidc.last.status_code == 403
        assert not inside(oidc.hub, session)
    finally:
        oidc.provider.set_group("stats", [OWNER, "ana"])


def test_an_answer_of_the_provider_works_once(oidc: WithProvider) -> None:
    session = oidc.hub.session()
    back = oidc.provider.authorize(oidc.begin(session), OWNER)
    assert session.get(back, timeout=60).url == f"{oidc.hub.url}/hub/home"
    thief = oidc.hub.session()
    oidc.begin(thief)
    assert thief.get(back, timeout=60).status_code >= 400
    assert not inside(oidc.hub, thief)


@pytest.mark.parametrize("query", ["", "?code=x", "?code=x&state=y", "?error=denied", "?state=x"])
def test_a_forged_answer_is_refused(oidc: WithProvider, query: str) -> None:
    session = oidc.hub.session()
    oidc.begin(session)
    answer = session.get(f"{oidc.hub.url}/hub/oauth_callback{query}", timeout=60)
    assert answer.status_code in (400, 403)
    assert not inside(oidc.hub, session)


def test_the_answer_to_one_browser_is_worthless_in_another(oidc: WithProvider) -> None:
    back = oidc.provider.authorize(oidc.begin(oidc.hub.session()), OWNER)
    thief = oidc.hub.session()
    oidc.begin(thief)
    assert thief.get(back, timeout=60).status_code in (400, 403)
    assert not inside(oidc.hub, thief)


def test_links_still_work(oidc: WithProvider) -> None:
    assert inside(oidc.hub, oidc.hub.login())


def test_the_clients_secret_is_shown_nowhere(oidc: WithProvider) -> None:
    oidc.login(OWNER)
    shown = "".join(p.read_text(errors="replace") for p in oidc.hub.layout.logs.iterdir())
    for process in oidc.hub.processes():
        shown += " ".join(process.cmdline()) + json.dumps(process.environ())
    assert len(oidc.secret) > 20
    assert oidc.secret not in shown


def test_a_provider_without_anybody_allowed_lets_nobody_in(tmp_path: Path) -> None:
    with stack() as hub:
        provider, secret = provider_of(tmp_path, hub)
        try:
            oidc = WithProvider(hub.start(), provider, secret)
            session = oidc.login(OWNER)
            assert oidc.last.status_code == 403
            assert not inside(hub, session)
        finally:
            provider.stop()
