"""Nothing that a user can set, call or meet is missing from the documentation."""

from __future__ import annotations

import re
import subprocess

import pytest
from scripts.reference import commands, errors
from scripts.reference.__main__ import FOLDER, PAGES

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


def test_error_codes_are_stable_words() -> None:
    page = errors.page()
    codes = re.findall(r"^\| `([^`]+)` \|", page, flags=re.MULTILINE)
    assert len(codes) > 5
    assert [c for c in codes if not re.fullmatch(r"[a-z][a-z0-9_]*", c)] == []
    assert len(codes) == len(set(codes)), "two errors share a code"


def test_the_two_commands_of_the_readme_are_targets_that_run_what_they_say() -> None:
    readme = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    wanted = re.findall(r"^\$ make (\w+)", readme, flags=re.MULTILINE)
    assert wanted == ["up", "test"]
    for target, command in {"up": "autonoe up --detach", "test": "-m pytest"}.items():
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


def test_every_guide_and_decision_can_be_reached() -> None:
    """Sphinx collects both folders by pattern; a page in another place would be lost."""
    pages = {p.relative_to(DOCS) for p in DOCS.rglob("*.md") if "_build" not in p.parts}
    index = (DOCS / "index.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"^([\w/]+)$", index, flags=re.MULTILINE))
    lost = [
        str(page)
        for page in pages
        if page.parent.name not in {"guides", "adr"}
        and page.name != "index.md"
        and str(page.with_suffix("")) not in listed
    ]
    assert not lost
