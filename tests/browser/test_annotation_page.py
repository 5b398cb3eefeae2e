"""The labelling page as a coder meets it: one text, a code, the next text."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from playwright.sync_api import Locator, Page, expect

from autonoe_nace.annotation import page as labelling
from autonoe_nace.annotation.collecting import pull
from autonoe_nace.annotation.design import Design
from autonoe_nace.annotation.rounds import Plan, project_of, push
from autonoe_nace.annotation.sampling import Sample, draw
from autonoe_nace.annotation.service import Service
from autonoe_nace.annotation.store import AnnotationStore
from autonoe_nace.nomenclature import load_nomenclature
from support import annotation
from support.annotated import LAST, population, store
from support.browser import Browser, Steps

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TREE = load_nomenclature("ateco2025")
HOSTILE = '<img src=x onerror="window.harm=1"><script>window.harm=1</script>'
WAIT_MS = 120_000
"""The page is two megabytes of script; on a busy machine it takes its time."""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("annotation")
    with annotation.running(folder, coders=["anna", "ben"], arbiters=["carla"]) as started:
        yield started


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """Return eight real looking texts with five ideas each; the fourth is hostile."""
    codes = list(TREE.at_level(5))[:5]
    drawn = draw(store(tmp_path / "logs", population(40)), TREE, Design(8), until=LAST)
    words = "produzione di formaggio fresco da latte di capra, con vendita diretta in azienda"
    texts = [f"{words} {n}" for n in range(drawn.rows.num_rows)]
    texts[3] = HOSTILE
    n = len(texts)
    rows = drawn.rows
    for name, values in {
        "text": texts,
        "codes": [codes] * n,
        "probabilities": [[0.41, 0.22, 0.11, 0.06, 0.03]] * n,
        "features": [[("nature", "artigianale"), ("surface", "120")]] * n,
    }.items():
        place = rows.column_names.index(name)
        field = rows.schema.field(name)
        rows = rows.set_column(place, field, pa.array(values, field.type))
    return replace(drawn, rows=rows)


def log_in(page: Page, service: Service, name: str) -> None:
    person = service.people.get(name)
    page.goto(f"{service.url}/user/login/")
    page.fill("input[name=email]", person.email)
    page.fill("input[name=password]", person.password)
    page.click("button[type=submit]")
    page.wait_for_selector(f"text={annotation_title()}", timeout=WAIT_MS)


def annotation_title() -> str:
    return "NACE"


def open_round(page: Page, service: Service, name: str, round_name: str) -> Locator:
    project = project_of(annotation.of(service, name), round_name)
    page.goto(f"{service.url}/projects/{project}/data?labeling=1")
    instruction = page.get_by_text("Give each text the code of its main activity")
    instruction.wait_for(timeout=WAIT_MS)
    page.keyboard.press("Escape")
    instruction.wait_for(state="hidden", timeout=WAIT_MS)
    text = page.locator(".nace-text")
    text.wait_for(timeout=WAIT_MS)
    return text


def submit(page: Page, text: Locator) -> None:
    """Submit and wait for the next text, or for the end of the round."""
    before = text.inner_text()
    page.get_by_test_id("bottombar-submit-button").click()
    page.wait_for_function(
        """before => {
            const text = document.querySelector('.nace-text');
            return !text || text.innerText !== before;
        }""",
        arg=before,
        timeout=WAIT_MS,
    )


def search(page: Page, words: str, pick: str) -> None:
    page.locator(".nace-code .htx-taxonomy").click()
    page.locator(".htx-taxonomy-search, .ant-tree-select-dropdown input").first.fill(words)
    leaf = page.locator(".ant-select-tree-treenode").filter(has_text=pick)
    leaf.first.locator(".ant-select-tree-checkbox").click(timeout=WAIT_MS)
    page.keyboard.press("Escape")


def test_a_coder_picks_an_idea_searches_and_says_that_it_cannot_be_done(
    service: Service, sample: Sample, browser: Browser, steps: Steps, tmp_path: Path
) -> None:
    places = AnnotationStore(str(tmp_path / "out"))
    push(service, places, sample, Plan("page", overlap=0, helped=True), TREE)
    page = browser.page
    log_in(page, service, "anna")
    text = open_round(page, service, "anna", "page")
    expect(page.get_by_text("What the model proposes")).to_be_visible()
    expect(page.locator(".nace-side")).to_contain_text("nature: artigianale · surface: 120")
    for code in sample.rows["codes"][0].as_py():
        expect(page.locator(".lsf-choices")).to_contain_text(code)
    expect(page.locator(".lsf-sidepanels__wrapper").first).to_be_hidden()
    steps.keep(page, "helped")
    if folder := os.environ.get("AUTONOE_PICTURES"):
        page.screenshot(path=Path(folder) / "labelling-page.png")

    # an idea: the tree goes away, so that there is one answer only; a second click brings it back
    idea = page.locator(".lsf-choice").nth(1).locator("label")
    idea.click()
    expect(page.locator(".nace-code")).to_be_hidden()
    idea.click()
    expect(page.locator(".nace-code")).to_be_visible()
    idea.click()
    expect(page.locator(".nace-code")).to_be_hidden()
    steps.keep(page, "idea")
    submit(page, text)

    # the nomenclature, by a word of its title
    search(page, "caprini", "01.45.0")
    steps.keep(page, "searched")
    submit(page, text)

    # neither
    page.locator(".lsf-choice").last.locator("label").click()
    submit(page, text)

    assert page.evaluate("window.harm") is None
    done = pull(service, places, "page", TREE)
    gold = places.read("gold", "page").to_pylist()
    assert done["codings"] == {"anna": 3}
    codes = sorted(row["code"] for row in gold)
    assert codes[0] == ""
    assert sample.rows["codes"][0].as_py()[1] in codes
    assert "01.45.0" in codes
    statuses = [row["status"] for row in gold]
    assert statuses.count(labelling.CANNOT) == 1
    outside = [
        url for url in browser.requests if not url.startswith((service.url, "data:", "blob:"))
    ]
    assert not outside, "the page called somebody else"


def test_blind_pages_show_no_idea_and_a_code_is_needed(
    service: Service, sample: Sample, browser: Browser, steps: Steps, tmp_path: Path
) -> None:
    places = AnnotationStore(str(tmp_path / "out"))
    push(service, places, sample, Plan("shut", overlap=0), TREE)
    page = browser.page
    log_in(page, service, "anna")
    text = open_round(page, service, "anna", "shut")
    assert page.get_by_text("What the model proposes").count() == 0
    assert "41 %" not in page.content()
    steps.keep(page, "blind")
    before = text.inner_text()
    button = page.get_by_test_id("bottombar-submit-button")
    if button.is_enabled():
        button.click()
        expect(page.get_by_text(labelling.words("en").required)).to_be_visible(timeout=WAIT_MS)
    assert text.inner_text() == before
