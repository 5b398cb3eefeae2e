"""Nothing that a user can set, call or meet is missing from the documentation."""

from __future__ import annotations

import inspect
import re
import subprocess
from pathlib import Path

import pytest
from scripts.reference import commands, errors, settings
from scripts.reference.__main__ import FOLDER, PAGES

from autonoe.credentials import environment
from autonoe.credentials.server import AgentHandler
from autonoe.credentials.settings import AgentSettings
from autonoe.embedded.layout import Layout
from autonoe_extension.app import AutonoeExtension
from autonoe_hub.authenticator import LinkAuthenticator
from autonoe_nace.serving.app import ServingApp
from autonoe_nace.serving.settings import ServingSettings
from support.places import REPOSITORY

DOCS = REPOSITORY / "docs"


@pytest.mark.parametrize("name", PAGES)
def test_reference_page_says_what_the_code_says(name: str) -> None:
    committed = (FOLDER / name).read_text(encoding="utf-8")
    assert committed == PAGES[name]().rstrip() + "\n", "run `make reference` and commit the pages"


def test_every_command_and_option_explains_itself() -> None:
    silent = []
    for path, command in commands.walk_commands():
        if not command.help:
            silent.append(path)
        silent += [
            f"{path} {parameter.opts[0]}"
            for parameter in command.params
            if parameter.param_type_name == "option"
            and not getattr(parameter, "hidden", False)
            and not getattr(parameter, "help", None)
        ]
    assert not silent


def test_every_setting_has_a_meaning() -> None:
    rows = re.findall(r"^\| (`[^|]+`) \| +\|", settings.page(), flags=re.MULTILINE)
    assert not rows, "write a docstring under the field"


def test_every_variable_of_a_kernel_is_documented(tmp_path: Path) -> None:
    known = AgentSettings(
        account="ana",
        proof_file=tmp_path / "proof.json",
        openbao_url="http://127.0.0.1:1",
        s3_url="http://127.0.0.1:2",
        mlflow_url="http://127.0.0.1:3",
    )
    files = {name: tmp_path / name for name in ("token", "git", "aws")}
    names = set(
        environment.kernel_environment(
            known, agent_url="http://127.0.0.1:4", token="pass", files=files
        )
    )
    names |= set(environment.without_proxy({}))
    documented = set(re.findall(r"`([A-Za-z0-9_]+)`", (FOLDER / "environment.md").read_text()))
    assert names - documented == set()
    listed = re.findall(r"^\| (`[^|]+) \|", (FOLDER / "environment.md").read_text(), re.MULTILINE)
    promised = {name for row in listed for name in re.findall(r"`(\w+)`", row)}
    assert promised - names == set(), "documented, and never set"


def _routes(tmp_path: Path) -> set[str]:
    """Return the paths of every route that the code registers."""
    serving = ServingApp(ServingSettings(model=str(tmp_path), state_dir=tmp_path)).asgi()
    found = {route.path for route in serving.routes}
    extension = AutonoeExtension()
    extension.handlers = []
    extension.initialize_handlers()
    found |= {handler[0] for handler in extension.handlers}
    authenticator = LinkAuthenticator(layout=Layout(tmp_path))
    found |= {
        f"/hub{path}"
        for path, handler, *_ in authenticator.get_handlers(None)
        if handler.__module__.startswith("autonoe_hub")
    }
    agent = inspect.getsource(AgentHandler._route)
    found |= set(re.findall(r'"(/\w[\w/]*)"', agent))
    return found


def test_every_route_is_documented(tmp_path: Path) -> None:
    page = (FOLDER / "http.md").read_text(encoding="utf-8")
    documented = set(re.findall(r"^\| `(?:[A-Z]+ )?(/[^`]*)` \|", page, flags=re.MULTILINE))
    routes = _routes(tmp_path)
    assert len(routes) >= 10
    assert {r for r in routes if r.rstrip("/") not in {d.rstrip("/") for d in documented}} == set()


def test_error_codes_are_stable_words() -> None:
    page = errors.page()
    codes = re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE)
    assert len(codes) > 5
    assert [c for c in codes if not re.fullmatch(r"[a-z][a-z0-9_]*", c)] == []


COMMANDS = {
    "up": "autonoe up --detach",
    "test": "-m pytest",
    "cluster": "-m tests.testbed up",
    "images": "-m scripts.images",
    "test-cluster": "-m pytest tests/cluster",
    "cluster-down": "-m tests.testbed down",
}
"""What each target that the README names comes down to."""


def test_the_commands_of_the_readme_are_targets_that_run_what_they_say() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\$ make ([a-z-]+)", readme, flags=re.MULTILINE) == list(COMMANDS)
    for target, command in COMMANDS.items():
        shown = subprocess.run(
            ["make", "--dry-run", "--no-print-directory", target],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            check=True,
            timeout=30,
        )
        assert command in shown.stdout
        assert "scripts/bootstrap.sh" in shown.stdout


def test_every_page_can_be_reached() -> None:
    """Sphinx says so only on its console; a page that no table of contents lists is lost."""
    for page in DOCS.rglob("*.md"):
        if "_build" in page.parts or page == DOCS / "index.md":
            continue
        index = page.parent / ("README.md" if page.parent.name == "adr" else "index.md")
        if page == index:
            index = DOCS / ("architecture.md" if page.parent.name == "adr" else "index.md")
        text = index.read_text(encoding="utf-8")
        folder = index.parent
        patterns = re.findall(r"^([\w/\[\]!*-]+)$", text, flags=re.MULTILINE)
        listed = {found.with_suffix("") for p in patterns for found in folder.glob(f"{p}.md")}
        assert page.with_suffix("") in listed, f"{page} is in no table of contents"


def test_the_map_is_true() -> None:
    """What the architecture page names is there; what a later mode adds is named as such."""
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    here = re.sub(r"^Cluster mode will add .*?\n\n", "", text, flags=re.MULTILINE | re.DOTALL)
    named = {
        path
        for path in re.findall(r"`([a-z_]+/[\w./]*)`", here)
        if path not in {"components/", "panels/"}  # told below their packages
    }
    assert len(named) > 12
    assert [path for path in sorted(named) if not (REPOSITORY / path).exists()] == []
    packages = {p.parent.name for p in REPOSITORY.glob("*/autonoe*/__init__.py")}
    assert [package for package in packages if package not in text] == []
