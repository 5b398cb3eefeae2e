"""The profiles card as people meet it: words, colours, keys, links, and hostile names."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from autonoe.profiles.compile import panel_view
from autonoe.profiles.sources import load
from autonoe_extension.messages import catalogues
from autonoe_extension.panels.card import script, style
from autonoe_extension.profile_view import running_view
from browser.test_credentials_card import CONTRAST
from support.browser import Steps, chromium
from support.card import THEMES

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.harm=1"><script>window.harm=1</script>'
ORIGIN = "http://lab.example"
FAILED = {
    "step": "repository",
    "state": "failed",
    "message": "https://git.example/x could not be cloned.",
    "next": "Check the address, then run `git clone`.",
    "detail": "fatal: unable to access",
}
ENV = {
    "AUTONOE_PROFILE_NAME": "python",
    "AUTONOE_PROFILE_TITLE": "Python",
    "AUTONOE_PROFILE_REPOSITORY": "https://git.example/stat/nace.git",
    "AUTONOE_PROFILE_BRANCH": "main",
    "MEM_LIMIT": str(4 * 2**30),
    "CPU_LIMIT": "2.0",
}

Show = Callable[..., None]


def view(**offered: Any) -> dict[str, Any]:
    """Return what the server's route answers."""
    running = {**running_view(ENV), "start": {"steps": [FAILED]}}
    free = {"text": "Free now: 8 of 32 CPU", "warning": "No room now"}
    profiles = panel_view(load())
    return {
        "running": running,
        "usage": {"memory_bytes": 1.5 * 2**30, "processes": 4},
        "offered": {
            "profiles": profiles,
            "free": {"en": {"python": free}, "fr": {}},
            "limited": True,
            "spawn_url": "/hub/spawn",
            **offered,
        },
    }


@pytest.fixture(scope="module")
def chrome() -> Iterator[Page]:
    with chromium(width=820, height=1000) as browser:
        yield browser.page


@pytest.fixture
def show(chrome: Page) -> Iterator[Show]:
    """Return a function that shows the card in a page of a Jupyter server."""
    module, css = script("profiles"), style("profiles")

    def load_card(
        answer: dict[str, Any] | None, *, theme: str = "light", language: str = "en"
    ) -> None:
        colours = (THEMES / f"theme-{theme}-extension/index.css").read_text(encoding="utf-8")
        running = answer["running"] if answer else running_view({})
        values = {"running": running, "messages": catalogues(), "language": language}
        shown = json.dumps(values).replace("<", "\\u003c")
        page = f"""<!doctype html><meta charset="utf-8"><style>{colours}</style>
        <style>{css}</style><script id="jupyter-config-data" type="application/json">
        {{"baseUrl": "/user/ana/"}}</script>
        <body data-jp-theme-light="{str(theme == "light").lower()}"
        style="background: var(--jp-layout-color0)"><div id="card"></div><script type="module">
        {re.sub(r"export default", "const widget =", module)}
        const values = {shown};
        widget.render({{ model: {{ get: (name) => values[name], on() {{}}, off() {{}} }},
          el: document.getElementById("card") }});</script>"""

        def serve(route: Route) -> None:
            if urlsplit(route.request.url).path == "/user/ana/autonoe/profile":
                if answer is None:
                    route.fulfill(status=503, body="")
                else:
                    route.fulfill(json=answer)
            else:
                route.fulfill(body=page, content_type="text/html; charset=utf-8")

        chrome.unroute_all()
        chrome.route(f"{ORIGIN}/**", serve)
        chrome.goto(f"{ORIGIN}/user/ana/lab")
        chrome.wait_for_selector(".autonoe-card")

    yield load_card
    chrome.unroute_all()


def test_it_says_what_runs_what_failed_and_what_else_there_is(
    chrome: Page, show: Show, steps: Steps
) -> None:
    show(view())
    card = chrome.locator(".autonoe-card")
    expect(card).to_contain_text("1.5 of 4 GiB in use")
    expect(card).to_contain_text("Problem: https://git.example/x could not be cloned.")
    expect(card).to_contain_text("Next: Check the address")
    rows = card.get_by_role("listitem").filter(has=chrome.locator(".autonoe-name"))
    expect(rows).to_have_count(len(load()))
    expect(rows.first).to_contain_text("(running)")
    expect(rows.first).to_contain_text("Free now: 8 of 32 CPU")
    expect(rows.first).to_contain_text("2\u20134 CPU \u00b7 4\u201316 GiB memory")
    steps.keep(chrome, "card")


def test_its_links_preselect_and_keep_the_repository(chrome: Page, show: Show) -> None:
    show(view())
    link = chrome.get_by_role("link", name=re.compile("^Choose R,"))
    address = urlsplit(str(link.get_attribute("href")))
    assert address.netloc == "lab.example"
    assert address.path == "/hub/spawn"
    assert parse_qs(address.query) == {
        "profile": ["r"],
        "repo": ["https://git.example/stat/nace.git"],
        "branch": ["main"],
    }


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_text_has_enough_contrast(chrome: Page, show: Show, steps: Steps, theme: str) -> None:
    show(view(), theme=theme)
    chrome.locator("summary").first.click()
    steps.keep(chrome, theme)
    ratios = chrome.evaluate(CONTRAST)
    assert len(ratios) > 30
    assert not [entry for entry in ratios if entry[0] < 4.5]


def test_hostile_names_are_shown_as_text(chrome: Page, show: Show) -> None:
    answer = view()
    profile = answer["offered"]["profiles"][0]
    profile |= {"title": {"en": HOSTILE}, "description": {"en": HOSTILE}}
    profile["picture"] = "javascript:window.harm=1"
    answer["running"] |= {"title": HOSTILE, "repository": HOSTILE}
    answer["running"]["start"]["steps"] = [{**FAILED, "message": HOSTILE, "detail": HOSTILE}]
    show(answer)
    expect(chrome.locator(".autonoe-card").get_by_text(HOSTILE).first).to_be_visible()
    assert chrome.evaluate("window.harm") is None
    assert chrome.locator('.autonoe-card script, .autonoe-card img[src="x"]').count() == 0


def test_in_french(chrome: Page, show: Show) -> None:
    show(view(), language="fr")
    card = chrome.locator(".autonoe-card")
    assert card.get_attribute("lang") == "fr"
    expect(card).to_contain_text("Ce que vous pouvez démarrer")
    expect(card).to_contain_text("Codage NACE")


def test_when_the_hub_does_not_answer_it_says_so_and_can_ask_again(
    chrome: Page, show: Show
) -> None:
    show(None)
    expect(chrome.get_by_role("status")).to_contain_text("did not say what you can start")
    expect(chrome.get_by_role("button", name="Check again")).to_be_enabled()
