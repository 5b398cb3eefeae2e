"""The whole way of an analyst on a cluster, in a browser: from the login to the last stop."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from playwright.sync_api import Page, expect

from autonoe.errors import UnavailableError
from autonoe.waiting import wait_until
from autonoe_nace import notebooks
from support import forge
from support.browser import Browser, Steps, chromium, run_all, wait_for_lab
from support.hub_session import Hub
from support.places import ARTEFACTS
from support.stack import Stack

PERSON = "bob"
NOTEBOOKS = [script.stem for script in notebooks.scripts() if script.stem != "dashboard"]
API = "nace-api"
WORK = "kept across servers"


@pytest.fixture(scope="module")
def repository(stack: Stack) -> str:
    """Start a forge and return the address of its one repository."""
    return forge.deploy(stack.cluster, stack.instance)


@pytest.fixture
def browser(stack: Stack, request: pytest.FixtureRequest) -> Iterator[Browser]:
    """Open a browser that finds the OIDC provider under the name that the hub knows it by."""
    login = stack.companions.login
    assert login is not None
    issuer = urlsplit(login.issuer)
    here = urlsplit(stack.companions.local_openbao)
    rule = f"--host-resolver-rules=MAP {issuer.hostname}:{issuer.port or 80} {here.netloc}"
    failures = request.session.testsfailed
    with chromium(flags=(rule,)) as opened:
        opened.page.set_default_timeout(60_000)
        yield opened
        if request.session.testsfailed > failures:
            Steps(ARTEFACTS / "cluster" / "journey-failed").keep(opened.page, "failed")


def _log_in(page: Page, stack: Stack) -> None:
    login = stack.companions.login
    assert login is not None
    page.goto(stack.hub.url)
    page.get_by_text(re.compile("^Sign in with")).click()
    # The provider's own page: OpenBao's.
    page.wait_for_url(re.compile("/ui/vault/auth"))
    page.locator("select").first.select_option("userpass")
    page.get_by_label("Username").fill(PERSON)
    page.get_by_label("Password").fill(login.passwords[PERSON])
    page.locator("#auth-submit").click()
    page.wait_for_url(re.compile(r"/hub/(spawn|home)|/user/"))


def _choose(page: Page, hub: Hub, profile: str, **fields: str) -> None:
    page.goto(f"{hub.url}/hub/spawn")
    # The radio button lies below its card's label.
    page.locator(f'label[for="profile-{profile}"]').click()
    for name, value in fields.items():
        page.locator(f'[name="{profile}--{name}"]:not([type=range])').fill(value)


def _start(page: Page) -> None:
    page.locator("#start").click()
    page.wait_for_url(re.compile(rf"/user/{PERSON}/"), timeout=180_000)


def _pods(hub: Hub, selector: str) -> list[str]:
    where = (f"--namespace={hub.tenant(PERSON)}", f"--selector={selector}")
    found = hub.cluster.get("pods", *where)["items"]
    return [
        pod["metadata"]["name"]
        for pod in found
        if pod["status"].get("phase") == "Running" and not pod["metadata"].get("deletionTimestamp")
    ]


def _run_notebook(page: Page, hub: Hub, name: str) -> str:
    """Run a notebook in Lab to its end and return what its cells print."""
    page.goto(f"{hub.url}/user/{PERSON}/lab/tree/nace/{name}.ipynb?reset")
    panel = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    panel.locator(".jp-Cell").first.wait_for(timeout=120_000)
    # A long notebook is drawn in part: the last code cell appears when it is scrolled to.
    ended = panel.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    run_all(page, panel.locator(".jp-CodeCell .jp-InputArea-prompt", has_text="[1]"), timeout_s=120)
    saved = _executed(page, hub, name)
    # Lab connects again by itself when its socket broke, and tells by then.
    expect(ended).to_be_visible(timeout=60_000)
    return saved


def _executed(page: Page, hub: Hub, name: str) -> str:
    """Save until every cell of the notebook on the person's own volume has been executed."""
    script = (
        "import json, pathlib, sys\n"
        f"cells = json.loads(pathlib.Path.home().joinpath('nace/{name}.ipynb').read_text())"
        "['cells']\n"
        "code = [c for c in cells if c['cell_type'] == 'code' and ''.join(c['source']).strip()]\n"
        "outputs = [o for c in code for o in c['outputs']]\n"
        "said = [''.join(o.get('text', '')) or ''.join(o.get('data', {}).get('text/plain', ''))"
        " for o in outputs]\n"
        "wrong = [o for o in outputs if o['output_type'] == 'error']\n"
        "print(json.dumps({'left': sum(c['execution_count'] is None for c in code),"
        " 'wrong': [[o['ename'], o['evalue']] for o in wrong], 'said': '\\n'.join(said)}))"
    )

    # Lab may be writing the file at this moment.
    half_written = (UnavailableError,)

    def whole() -> str | None:
        page.keyboard.press("Control+s")
        found = json.loads(hub.run(PERSON, "python", "-c", script))
        assert not found["wrong"], f"{name}: {found['wrong']}"
        return f"{found['said']} " if not found["left"] else None

    return str(
        wait_until(
            whole, timeout_s=600, what=f"the end of {name}", interval_s=2, ignoring=half_written
        )
    )


@pytest.mark.timeout(1500)
def test_from_the_login_to_the_last_stop(stack: Stack, repository: str, browser: Browser) -> None:
    page, hub, steps = browser.page, stack.hub, Steps(ARTEFACTS / "cluster" / "journey")
    # A cluster that was kept may still run what an earlier journey left.
    if hub.api("GET", f"/users/{PERSON}", ok=False).ok:
        hub.stop(PERSON)
    _log_in(page, stack)
    steps.keep(page, "logged-in")

    # Every notebook keeps its kernel: twelve of them take more than three GiB.
    _choose(page, hub, "small", cpu="1.5", memory_gib="6", repository=repository)
    steps.keep(page, "profile")
    _start(page)
    wait_for_lab(page)
    steps.keep(page, "lab")
    assert _pods(hub, "component=singleuser-server") == ["jupyter"]
    clone = f"work/{forge.REPOSITORY}/README.md"
    assert hub.run(PERSON, "cat", clone).strip() == forge.NOTE

    said = {}
    for name in NOTEBOOKS:
        said[name] = _run_notebook(page, hub, name)
        steps.keep(page, name)
    assert f"s3://user-{PERSON}/nace/data/texts.parquet" in said["01-explore"]
    _was_tracked(stack, said["02-train-and-track"])
    assert re.search(r"of 49\d texts are coded automatically", said["03-register-and-serve"])
    served = "app.kubernetes.io/component=deployment"
    assert _pods(hub, served), "nothing serves in the person's namespace"

    hub.run(PERSON, "sh", "-c", f"echo {WORK!r} > mine.txt")
    hub.stop(PERSON)
    _choose(page, hub, "other")
    _start(page)
    wait_for_lab(page)
    assert hub.run(PERSON, "cat", "mine.txt").strip() == WORK
    assert hub.run(PERSON, "cat", clone).strip() == forge.NOTE
    (pod,) = hub.pods(PERSON)
    (notebook,) = [c for c in pod["spec"]["containers"] if c["name"] == "notebook"]
    assert notebook["resources"]["limits"]["cpu"] == "400m"
    steps.keep(page, "other-profile")

    page.goto(f"{hub.url}/hub/home")
    page.locator("#stop").click()
    wait_until(
        lambda: not hub.pods(PERSON), timeout_s=60, what="the server's pod to go", interval_s=0.5
    )
    claims = hub.cluster.get("pvc", f"--namespace={hub.tenant(PERSON)}")["items"]
    assert [claim["status"]["phase"] for claim in claims] == ["Bound"]
    assert _pods(hub, served), "the deployment went with the server"
    steps.keep(page, "stopped")


def _was_tracked(stack: Stack, said: str) -> None:
    """Check that the run that the notebook names is in the cluster's MLflow, and whose it is."""
    found = re.search(r"\b[0-9a-f]{32}\b", said)
    assert found is not None, said
    admin = stack.companions.generated["mlflow"]

    def ask(path: str, **params: str) -> dict[str, Any]:
        answer = requests.get(
            f"{stack.companions.local_mlflow}/api/2.0/mlflow/{path}",
            params=params,
            auth=(admin["username"], admin["password"]),
            timeout=30,
        )
        assert answer.ok, answer.text
        return dict(answer.json())

    run = ask("runs/get", run_id=found.group())["run"]["info"]
    experiment = ask("experiments/get", experiment_id=run["experiment_id"])["experiment"]
    assert (run["status"], experiment["name"]) == ("FINISHED", f"nace-{PERSON}")
