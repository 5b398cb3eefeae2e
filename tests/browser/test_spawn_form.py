"""The start form as people meet it: pictures, keys, 400 pixels, both languages, both themes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
from playwright.sync_api import Page, expect

from browser.test_credentials_card import CONTRAST
from hub.conftest import stack
from support.browser import Browser, Steps, chromium
from support.hub_stack import OWNER
from support.profile_hub import ProfileHub, catalogue, node

pytestmark = pytest.mark.browser

HOSTILE = '<img src=x onerror="window.harm=1"><script>window.harm=1</script>'
REPOSITORY = "https://git.example.org/stat/nace.git"


@pytest.fixture(scope="module")
def hub() -> Iterator[ProfileHub]:
    """Run a hub that offers what a cluster's does, with an organisation's brand."""
    with stack() as plain:
        made = ProfileHub(plain.layout.root, cluster=True)
        catalogue(made.layout.root / "catalogue", gpu=[], teaching=[])
        hostile = f"profiles:\n  zz:\n    title: '{HOSTILE}'\n    description: '{HOSTILE}'\n"
        (made.layout.root / "catalogue/zz.yaml").write_text(hostile + "    image: x:1\n")
        made.site(
            catalogues=[{"directory": "catalogue"}],
            brand={
                "name": "Statistics Lab",
                "colour": "#0b7a5e",
                "message": {"en": f"News {HOSTILE}", "fr": "Maintenance vendredi."},
                "links": [{"title": {"en": "Help", "fr": "Aide"}, "url": "https://x.example/"}],
            },
        )
        made.nodes(node("a", 16, 64), node("g", 32, 128, 4))
        made.start()
        try:
            yield made
        finally:
            left = made.stop()
            for process in left:
                process.kill()
            psutil.wait_procs(left, timeout=10)


def sign_in(hub: ProfileHub, page: Page, path: str = "/hub/spawn") -> None:
    page.goto(f"{hub.url}/hub/link?ticket={hub.ticket()}&next={quote(path, safe='')}")
    page.wait_for_selector("#start, #switch")


@pytest.fixture
def page(hub: ProfileHub, browser: Browser) -> Page:
    sign_in(hub, browser.page)
    return browser.page


def test_cards_by_category_with_pictures_and_free_counts(
    page: Page, browser: Browser, steps: Steps
) -> None:
    steps.keep(page, "form")
    headings = page.locator(".profiles h2").all_inner_texts()
    assert headings[:3] == ["Data analysis", "Automatic coding", "Large computations"]
    card = page.locator('.profile[data-profile="gpu"]')
    expect(card).to_contain_text("Free now: 8 of 32 CPU, 32 of 128 GiB memory, 1 of 4 GPU")
    picture = card.locator("img.picture")
    assert picture.evaluate("e => e.complete && e.naturalWidth > 0")
    expect(page.locator('.profile[data-profile="python-large"]')).to_contain_text("No room now")
    assert page.evaluate("window.harm") is None
    assert page.locator(".profile script, .message-of-the-day :is(img, script)").count() == 0
    assert browser.console_errors == []


def test_counts_change_while_one_looks(hub: ProfileHub, page: Page) -> None:
    page.clock.install()
    page.reload()
    line = page.locator('[data-free="python"]')
    expect(line).to_contain_text("4 of 16 CPU")
    try:
        hub.nodes(node("a", 16, 64), node("b", 16, 64))
        page.clock.fast_forward("00:15")
        expect(line).to_contain_text("8 of 32 CPU")
    finally:
        hub.nodes(node("a", 16, 64), node("g", 32, 128, 4))


def test_the_keyboard_chooses_changes_and_starts(page: Page) -> None:
    page.locator("#profile-python").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#profile-r")).to_be_checked()
    expect(page.locator("#what")).to_have_text("R")
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(
            page.evaluate(
                "[document.activeElement.name || document.activeElement.id"
                " || document.activeElement.tagName.toLowerCase(),"
                " getComputedStyle(document.activeElement).outlineStyle]"
            )
        )
    assert [name for name, _ in reached] == [
        "r--cpu",
        "r--memory_gib",
        "r--disk_gib",
        "r--kernel",
        "r--repository",
        "r--branch",
        "summary",
        "start",
        reached[8][0],
    ]
    assert {outline for _, outline in reached[:8]} <= {"solid", "auto"}, "the focus must be seen"


def test_slider_and_number_go_together_within_the_ceiling(page: Page) -> None:
    card = page.locator('.profile[data-profile="python"]')
    number = card.locator('input[name="python--memory_gib"]')
    slider = number.locator("xpath=preceding-sibling::input")
    slider.fill("8")
    expect(number).to_have_value("8")
    number.fill("12")
    expect(slider).to_have_value("12")
    number.fill("64")
    page.locator("#start").click()
    assert number.evaluate("e => e.validity.rangeOverflow"), "the browser says it before the hub"
    assert "/hub/spawn" in page.url


def test_at_400_pixels_nothing_is_cut(hub: ProfileHub, steps: Steps) -> None:
    with chromium(width=400, height=800) as narrow:
        narrow.page.set_extra_http_headers({"Accept-Language": "fr-FR"})
        sign_in(hub, narrow.page, f"/hub/spawn?profile=nace&repo={REPOSITORY}")
        steps.keep(narrow.page, "narrow")
        for summary in narrow.page.locator("summary:visible").all():
            summary.click()
        assert narrow.page.evaluate("document.documentElement.scrollWidth") <= 400
        expect(narrow.page.locator("#start")).to_be_in_viewport()
        assert narrow.page.locator("html").get_attribute("lang") == "fr"
        expect(narrow.page.locator("h1")).to_have_text("Démarrer un serveur")
        expect(narrow.page.get_by_label("Dépôt Git").locator("visible=true")).to_have_value(
            REPOSITORY
        )
        expect(narrow.page.get_by_text("vient d'un lien")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_has_enough_contrast(
    hub: ProfileHub, browser: Browser, steps: Steps, scheme: str
) -> None:
    page = browser.page
    page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    sign_in(hub, page, "/hub/spawn?profile=gpu")
    for summary in page.locator("summary:visible").all():
        summary.click()
    steps.keep(page, scheme)
    ratios = page.evaluate(
        CONTRAST.replace('document.querySelector(".autonoe-card")', "document.body")
    )
    assert len(ratios) > 40
    assert not [entry for entry in ratios if entry[0] < 4.5]


def test_a_refused_form_says_why_and_keeps_what_was_typed(page: Page) -> None:
    page.get_by_label("Git repository").locator("visible=true").fill("file:///etc/passwd")
    page.locator("#start").click()
    expect(page.get_by_role("alert").first).to_contain_text("must begin with https://")
    expect(page.get_by_label("Git repository").locator("visible=true")).to_have_value(
        "file:///etc/passwd"
    )


def test_a_choice_starts_is_remembered_and_can_be_changed(
    hub: ProfileHub, browser: Browser, steps: Steps
) -> None:
    page = browser.page
    sign_in(hub, page, "/hub/spawn?profile=nace&cpu=3")
    page.locator("#start").click()
    page.wait_for_url(f"**/user/{OWNER}/lab**", timeout=120_000)
    page.goto(f"{hub.url}/hub/spawn?profile=r")
    steps.keep(page, "switch")
    expect(page.locator("h1")).to_have_text("Your server is running")
    page.locator("#switch").click()
    expect(page.locator("#profile-r")).to_be_checked(timeout=60_000)
    page.goto(f"{hub.url}/hub/spawn")
    expect(page.locator("#profile-nace")).to_be_checked()
    expect(page.locator('input[name="nace--cpu"]')).to_have_value("3")


def test_home_and_login_wear_the_brand(hub: ProfileHub, browser: Browser, steps: Steps) -> None:
    page = browser.page
    page.goto(f"{hub.url}/hub/login")
    steps.keep(page, "login")
    expect(page.locator("#jupyterhub-logo")).to_contain_text("Statistics Lab")
    assert page.get_by_text("Cette plateforme").locator("visible=true").count() == 0
    sign_in(hub, page, "/hub/home")
    steps.keep(page, "home")
    expect(page.get_by_role("link", name="Help")).to_be_visible()
    colour = page.locator("#start").evaluate("e => getComputedStyle(e).backgroundColor")
    assert colour == "rgb(11, 122, 94)"


def test_pictures_for_the_guide(hub: ProfileHub, page: Page) -> None:
    """``make pictures`` takes the form's picture into the documentation from here."""
    page.set_viewport_size({"width": 1100, "height": 900})
    # The day's message is an attack here, which would puzzle a reader of the guide.
    page.locator(".message-of-the-day").evaluate("e => e.remove()")
    shot = page.screenshot()
    assert len(shot) > 20_000
    if folder := os.environ.get("AUTONOE_PICTURES"):
        Path(folder, "start-form.png").write_bytes(shot)
