"""The one-time link: who gets in by it, who does not, and what is written down of it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs, urljoin, urlsplit

import psutil
import pytest
import requests

from autonoe.embedded import links
from support.hub_stack import OWNER, HubStack, xsrf
from support.open_redirects import PAYLOADS

REFUSED = "This link no longer works"


def follow(hub: HubStack, ticket: str, **params: str) -> requests.Response:
    """Open a link in a fresh browser, without going on to where it leads."""
    return hub.session().get(
        f"{hub.url}/hub/link",
        params={"ticket": ticket, **params},
        allow_redirects=False,
        timeout=30,
    )


def signed_in(hub: HubStack, session: requests.Session) -> str | None:
    """Return whose session this is, or None."""
    page = session.get(f"{hub.url}/hub/home", allow_redirects=False, timeout=30)
    if page.status_code != 200:
        return None
    marker = 'user: "'
    return page.text.partition(marker)[2].partition('"')[0]


def test_a_link_signs_in_once(hub: HubStack) -> None:
    ticket = hub.ticket()
    session = hub.session()
    answer = session.get(
        f"{hub.url}/hub/link", params={"ticket": ticket, "next": "/hub/home"}, timeout=30
    )
    assert answer.url == f"{hub.url}/hub/home"
    assert signed_in(hub, session) == OWNER
    again = follow(hub, ticket)
    assert again.status_code == 403
    assert REFUSED in again.text
    assert "autonoe up" in again.text


def test_a_link_leads_to_the_server_by_default(hub: HubStack) -> None:
    assert follow(hub, hub.ticket()).headers["Location"] == "/hub/spawn"


def test_a_link_leads_where_its_maker_said(hub: HubStack) -> None:
    assert follow(hub, hub.ticket(next_path="/hub/token")).headers["Location"] == "/hub/token"


def test_a_link_into_a_server_that_does_not_run_starts_it_first(hub: HubStack) -> None:
    path = f"/user/{OWNER}/mlflow/#/experiments/1"
    location = urlsplit(follow(hub, hub.ticket(next_path=path)).headers["Location"])
    assert location.path == "/hub/spawn"
    assert parse_qs(location.query) == {"next": [path]}


@pytest.mark.parametrize("ticket", ["", "x", "../../s3-admin.json", "A" * 43, "é" * 43, "A" * 9000])
def test_a_forged_ticket_is_refused(hub: HubStack, ticket: str) -> None:
    answer = follow(hub, ticket)
    assert answer.status_code == 403
    assert REFUSED in answer.text


def test_an_expired_ticket_is_refused(hub: HubStack) -> None:
    answer = follow(hub, hub.ticket(ttl_s=-1))
    assert answer.status_code == 403
    assert REFUSED in answer.text


def test_the_ticket_of_a_removed_account_is_refused(hub: HubStack) -> None:
    answer = follow(hub, hub.ticket("never-added"))
    assert answer.status_code == 403


def test_of_many_at_once_one_gets_in(hub: HubStack) -> None:
    ticket = hub.ticket()
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: follow(hub, ticket).status_code, range(8)))
    assert sorted(answers) == [302] + [403] * 7


def test_a_preview_does_not_use_the_link_up(hub: HubStack) -> None:
    ticket = hub.ticket()
    looked = requests.head(f"{hub.url}/hub/link", params={"ticket": ticket}, timeout=30)
    assert looked.status_code == 405
    assert follow(hub, ticket).status_code == 302


def test_the_page_speaks_french(hub: HubStack) -> None:
    answer = requests.get(
        f"{hub.url}/hub/link", headers={"Accept-Language": "fr-FR,en;q=0.5"}, timeout=30
    )
    assert "Ce lien ne fonctionne plus" in answer.text


def test_a_link_is_neither_stored_nor_passed_on_by_browsers(hub: HubStack) -> None:
    for answer in (follow(hub, hub.ticket()), follow(hub, "used")):
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_next_stays_on_this_host(hub: HubStack, payload: str) -> None:
    by_query = follow(hub, hub.ticket(), next=payload)
    by_maker = follow(hub, hub.ticket(next_path=payload))
    for answer in (by_query, by_maker):
        assert answer.status_code == 302
        assert answer.headers["Location"] == "/hub/spawn"


def test_no_ticket_reaches_a_log(hub: HubStack) -> None:
    tickets = [hub.ticket() for _ in range(6)]
    address = f"{hub.url}/hub/link"
    follow(hub, tickets[0])
    follow(hub, tickets[0])
    session = hub.session()
    session.get(f"{address}/", params={"ticket": tickets[1]}, timeout=30)
    session.get(f"{hub.url}/link", params={"ticket": tickets[2]}, timeout=30)
    session.post(address, params={"ticket": tickets[3]}, timeout=30)
    session.post(address, data={"ticket": tickets[4]}, timeout=30)
    session.get(f"{address}?x=%ff&ticket={tickets[5]}&next=/hub/home", timeout=30)
    written = "".join(p.read_text(errors="replace") for p in hub.layout.logs.iterdir())
    assert "/hub/link" in written
    for ticket in tickets:
        assert ticket not in written
        assert ticket[:20] not in written


def test_no_ticket_reaches_the_disk(hub: HubStack) -> None:
    ticket = hub.ticket()
    files = [p for p in hub.layout.root.rglob("*") if p.is_file()]
    assert len(files) > 10
    assert not [p for p in files if ticket.encode() in p.read_bytes() or ticket in str(p)]
    assert all(p.stat().st_mode & 0o077 == 0 for p in hub.layout.tickets.iterdir())


def test_there_is_no_other_way_in(hub: HubStack) -> None:
    session = hub.session()
    page = session.get(f"{hub.url}/hub/login", timeout=30)
    assert "autonoe up" in page.text
    assert "password" not in page.text
    token = xsrf(session, "/hub/")
    for form in (
        {"username": OWNER, "password": ""},
        {"username": OWNER, "password": OWNER},
        {"username": "admin", "password": "admin"},
        {"ticket": OWNER, "account": OWNER, "username": OWNER},
    ):
        answer = session.post(f"{hub.url}/hub/login", data={**form, "_xsrf": token}, timeout=30)
        assert answer.status_code == 403
        assert signed_in(hub, session) is None
    for path in ("/hub/signup", "/hub/oauth_login", "/hub/oauth_callback", "/hub/dummy"):
        assert session.get(f"{hub.url}{path}", timeout=30).status_code == 404


@pytest.mark.parametrize("path", ["/hub/home", "/hub/token", "/hub/admin", "/hub/spawn"])
def test_a_page_without_a_session_leads_to_the_login_page(hub: HubStack, path: str) -> None:
    answer = hub.session().get(f"{hub.url}{path}", timeout=30)
    assert answer.url.startswith(f"{hub.url}/hub/login")


def test_a_token_in_the_address_signs_nobody_in(hub: HubStack) -> None:
    token = hub.layout.secret("hub-supervisor-token").read_text().strip()
    answer = requests.get(f"{hub.url}/hub/api/users?token={token}", timeout=30)
    assert answer.status_code == 403
    assert hub.api("GET", "users").status_code == 200


def test_another_account_is_asked_for_before_it_replaces_the_present_one(hub: HubStack) -> None:
    name = hub.record("bo@example.org")
    session = hub.login()
    link = links.link(hub.url, hub.ticket(name, next_path="/hub/home"))
    page = session.get(link, timeout=30)
    assert page.status_code == 200
    assert f"You are signed in as {OWNER}" in page.text
    assert f"the account {name}" in page.text
    assert signed_in(hub, session) == OWNER
    fresh = page.text.partition('name="ticket" value="')[2].partition('"')[0]

    refused = session.post(f"{hub.url}/hub/link", data={"ticket": fresh}, timeout=30)
    assert refused.status_code == 403
    assert signed_in(hub, session) == OWNER

    form = {"ticket": fresh, "next": "/hub/home", "_xsrf": xsrf(session, "/hub/")}
    switched = session.post(f"{hub.url}/hub/link", data=form, timeout=30)
    assert switched.url == f"{hub.url}/hub/home"
    assert signed_in(hub, session) == name


@pytest.mark.parametrize("name", ["</script><script>alert(1)</script>", 'a"b', "a/b", "..", "a\\b"])
def test_a_name_that_could_be_code_cannot_log_in(hub: HubStack, name: str) -> None:
    hub.record(name)
    answer = follow(hub, hub.ticket(name))
    assert answer.status_code == 403
    assert "alert(1)" not in answer.text
    asked = _owner_session(hub).get(links.link(hub.url, hub.ticket(name)), timeout=30)
    assert "<script>alert(1)" not in asked.text


def test_switching_ends_the_first_accounts_session(hub: HubStack) -> None:
    hub.record("bea")
    session = hub.login()
    first = session.cookies.get("jupyterhub-session-id")
    page = session.get(links.link(hub.url, hub.ticket("bea")), timeout=30)
    fresh = page.text.partition('name="ticket" value="')[2].partition('"')[0]
    form = {"ticket": fresh, "next": "/hub/home", "_xsrf": xsrf(session, "/hub/")}
    session.post(f"{hub.url}/hub/link", data=form, timeout=30)
    assert signed_in(hub, session) == "bea"
    assert session.cookies.get("jupyterhub-session-id") != first
    assert session.get(f"{hub.url}/hub/spawn/{OWNER}", timeout=30).status_code in (403, 404)


def test_a_huge_name_costs_neither_log_nor_memory(hub: HubStack) -> None:
    assert hub.hub is not None
    session = hub.session()
    session.get(f"{hub.url}/hub/login", timeout=30)
    form = {"username": "x" * 10_000_000, "password": "y", "_xsrf": xsrf(session, "/hub/")}
    process = psutil.Process(hub.hub.pid)
    written, resident = len(hub.log("hub")), process.memory_info().rss
    answer = session.post(f"{hub.url}/hub/login", data=form, timeout=60)
    assert answer.status_code == 403
    assert len(answer.content) < 100_000
    assert len(hub.log("hub")) - written < 10_000
    assert process.memory_info().rss - resident < 150 * 2**20


def test_secrets_are_in_no_log_and_on_no_command_line(hub: HubStack) -> None:
    hub.login()
    secrets = {
        p.name: p.read_text(errors="replace").strip()
        for p in hub.layout.secrets.iterdir()
        if p.is_file()
    }
    assert "hub-cookie-secret" in secrets
    written = "".join(p.read_text(errors="replace") for p in hub.layout.logs.iterdir())
    shown = "".join(" ".join(p.cmdline()) for p in hub.processes())
    environments = "".join(" ".join(p.environ().values()) for p in hub.processes())
    for name, secret in secrets.items():
        assert secret not in written, name
        assert secret not in shown, name
        assert secret not in environments, name


def test_what_the_hub_writes_is_for_its_owner_only(hub: HubStack) -> None:
    for component in ("hub", "traefik"):
        folder: Path = hub.layout.component(component)
        assert folder.stat().st_mode & 0o077 == 0
        assert list(folder.iterdir())


@pytest.mark.parametrize("payload", PAYLOADS)
def test_the_login_page_leads_nowhere_else(hub: HubStack, payload: str) -> None:
    """JupyterHub's own rule, which lets some odd paths through, but no other host."""
    session = _owner_session(hub)
    answer = session.get(
        f"{hub.url}/hub/login", params={"next": payload}, allow_redirects=False, timeout=30
    )
    location = answer.headers["Location"].replace("\\", "/")
    assert urlsplit(urljoin(hub.url, location)).netloc == urlsplit(hub.url).netloc


@cache
def _owner_session(hub: HubStack) -> requests.Session:
    return hub.login()
