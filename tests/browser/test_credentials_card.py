"""The credentials card as people meet it: words, colours, keys, and hostile names."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from support import card
from support.browser import chromium

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.harm=1"><script>window.harm=1</script>'
FAILED = {
    "id": "1",
    "state": "failed",
    "step": "write",
    "bucket": "user-alice",
    "at": time.time(),
    "problem": {
        "code": "test.unreachable",
        "message": "",
        "hint": "",
        "technical": "EndpointConnectionError",
    },
}
DONE = {**FAILED, "state": "ok", "step": "remove", "elapsed_ms": 84}
RENEWAL = {"code": "renewal", "message": "", "hint": "", "technical": "no answer"}
OUTSIDE = {
    "account": "",
    "groups": [],
    "buckets": [],
    "secrets": [],
    "session": {"expires_at": None, "renewed_at": None, "renews_at": None},
    "problem": {"code": "none", "message": "", "hint": "", "technical": ""},
}
STATES: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "ready": ({}, DONE),
    "starting": ({"state": "starting"}, {"state": "idle"}),
    "stale": ({"state": "stale", "problem": RENEWAL}, FAILED),
    "down": ({"state": "down", "problem": RENEWAL}, FAILED),
    "none": ({"state": "none", **OUTSIDE}, {"state": "idle"}),
}

# WCAG 2.1: relative luminance of each visible text against the first opaque background behind it.
CONTRAST = """() => {
  const rgba = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const over = (top, under) => {
    const a = top[3] ?? 1;
    return [0, 1, 2].map((i) => top[i] * a + under[i] * (1 - a));
  };
  const background = (node) => {
    const layers = [];
    for (let e = node; e; e = e.parentElement) {
      layers.unshift(rgba(getComputedStyle(e).backgroundColor));
    }
    return layers.reduce((under, top) => over(top, under), [255, 255, 255]);
  };
  const light = (c) => {
    const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = c.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const found = [];
  const card = document.querySelector(".autonoe-card");
  const walker = document.createTreeWalker(card, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.disabled) continue;
    const behind = background(element);
    const [a, b] = [light(over(rgba(getComputedStyle(element).color), behind)), light(behind)];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    found.push([Math.round(ratio * 100) / 100, walker.currentNode.data.trim().slice(0, 40)]);
  }
  return found;
}"""


@pytest.fixture(scope="module")
def chrome() -> Iterator[Page]:
    with chromium(width=820, height=900) as browser:
        yield browser.page


@pytest.fixture
def page(chrome: Page) -> Page:
    chrome.goto("about:blank")
    return chrome


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", STATES)
def test_every_text_has_enough_contrast(page: Page, theme: str, name: str) -> None:
    changes, test = STATES[name]
    card.show(page, card.view(**changes), test=test, theme=theme)
    for summary in page.locator("summary").all():
        if summary.is_visible():
            summary.click()
    ratios = page.evaluate(CONTRAST)
    assert len(ratios) > 5
    assert not [entry for entry in ratios if entry[0] < 4.5]


@pytest.mark.parametrize("name", STATES)
def test_each_state_is_text_and_icon(page: Page, name: str) -> None:
    changes, test = STATES[name]
    card.show(page, card.view(**changes), test=test)
    state = page.locator(".autonoe-state")
    expect(state).not_to_be_empty()
    assert state.locator("svg").count() == 1
    assert state.get_attribute("aria-live") == "polite"
    if name in {"stale", "down", "none"}:
        expect(page.get_by_text("Next:").first).to_be_visible()


def test_hostile_names_are_shown_as_text(page: Page) -> None:
    bucket = {"name": HOSTILE, "access": "write", "kind": "project", "group": HOSTILE}
    problem = {"code": "odd", "message": HOSTILE, "hint": HOSTILE, "technical": HOSTILE}
    state = card.view(
        account=HOSTILE, mail=HOSTILE, groups=[HOSTILE], buckets=[bucket], problem=problem
    )
    card.show(page, state, test={**FAILED, "bucket": HOSTILE, "problem": problem})
    for summary in page.locator("summary").all():
        summary.click()
    assert page.evaluate("window.harm") is None
    assert page.locator(".autonoe-card img, .autonoe-card script").count() == 0
    assert page.get_by_text(HOSTILE).count() >= 7


def test_french_has_every_text_and_the_card_says_its_language(page: Page) -> None:
    english, french = card.catalogues()["en"], card.catalogues()["fr"]
    assert set(english) == set(french)
    for key, text in english.items():
        assert set(_places(text)) == set(_places(french[key])), key
    card.show(page, card.view(), test=DONE, language="fr")
    shown = page.locator(".autonoe-card")
    assert shown.get_attribute("lang") == "fr"
    expect(shown).to_contain_text("Tout fonctionne")
    assert not [text for text in english.values() if len(text) > 25 and text in shown.inner_text()]


def _places(text: str) -> list[str]:
    return [part.split("}")[0] for part in text.split("{")[1:]]


def test_the_keyboard_reaches_everything_in_reading_order(page: Page) -> None:
    card.show(page, card.view())
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "[document.activeElement.ariaLabel || document.activeElement.innerText,"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
        )
    assert [name for name, _ in reached] == [
        "Check again",
        "Copy s3://user-alice/",
        "Copy s3://project-nace/",
        "Copy s3://public/",
        "Copy kv/users/alice/",
        "Copy kv/shared/",
        "Bucket to test",
        "Test access",
        "The same without this panel",
    ]
    assert {outline for _, outline in reached} == {"solid"}, "the focus must be seen"


def test_arrow_keys_choose_the_tool(page: Page) -> None:
    card.show(page, card.view())
    page.get_by_text("The same without this panel").click()
    page.get_by_role("tab", name="Python").focus()
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="AWS CLI")).to_have_attribute("aria-selected", "true")
    expect(page.get_by_role("tabpanel")).to_contain_text("aws s3api list-buckets")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tabpanel")).to_contain_text("bao token lookup")


def test_the_test_button_asks_the_kernel_and_can_be_cancelled(page: Page) -> None:
    card.show(page, card.view())
    page.get_by_label("Bucket to test").select_option("project-nace")
    page.get_by_role("button", name="Test access").click()
    asked = page.evaluate("model.sent.at(-1)")
    assert (asked["type"], asked["bucket"]) == ("test", "project-nace")
    expect(page.get_by_text("Waiting for the kernel")).to_be_visible()
    expect(page.get_by_text("since 1 s")).to_be_visible()  # told to be alive while it waits
    page.get_by_role("button", name="Cancel").click()
    assert page.evaluate("model.sent.at(-1)") == {"type": "cancel", "id": asked["id"]}
    expect(page.get_by_role("button", name="Test access")).to_be_enabled()


def test_the_result_turns_green_with_words_and_is_announced(page: Page) -> None:
    card.show(page, card.view())
    page.evaluate("(state) => model.set('test', state)", DONE)
    result = page.locator(".autonoe-result.autonoe-ok")
    expect(result).to_contain_text("It works: wrote, read back and removed")
    assert result.get_attribute("aria-live") == "polite"
    assert result.locator("svg").count() == 1
    assert result.evaluate("e => getComputedStyle(e).color") == "rgb(26, 127, 55)"


def test_the_countdown_goes_on_without_the_kernel(page: Page) -> None:
    page.clock.install()
    card.show(page, card.view())
    expect(page.get_by_text("55 min", exact=True)).to_be_visible()
    page.clock.fast_forward("10:00")
    expect(page.get_by_text("45 min", exact=True)).to_be_visible()
    page.clock.fast_forward("46:00")
    expect(page.get_by_text("expired; new keys are being fetched")).to_be_visible()
    expect(page.get_by_text("Last known state, from")).to_be_visible()


def test_the_kernel_is_not_asked_again_and_again(page: Page) -> None:
    page.clock.install()
    card.show(page, card.view())
    page.clock.run_for("20:00")
    # No /autonoe/status in this page: asked once in vain, then the kernel once; the next time is
    # when a renewal is due.
    assert len(page.evaluate("model.sent")) == 1
    page.clock.run_for("20:00")
    assert 1 < len(page.evaluate("model.sent")) < 12


def test_a_closed_card_stops_its_timers(page: Page) -> None:
    page.clock.install()
    card.show(page, card.view())
    page.evaluate("stop()")
    page.clock.run_for("45:00")
    assert page.evaluate("model.sent") == []
