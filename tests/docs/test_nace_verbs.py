"""Every verb of `autonoe nace` is typed by a test, and shown in a guide or a notebook."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from autonoe_nace.cli import nace

ROOT = Path(__file__).parents[2]
TESTS = [
    path.read_text(encoding="utf-8")
    for path in sorted((ROOT / "tests").rglob("test_*.py"))
    if path != Path(__file__)
]
PAGES = [
    path.read_text(encoding="utf-8")
    for folder, kind in ((ROOT / "docs" / "guides", "*.md"), (ROOT / "nace_notebooks", "*.py"))
    for path in sorted(folder.rglob(kind))
    if folder.name == "guides" or path.parent.name == "notebooks"
]


def leaves(group: click.Group, *above: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of each verb that does something, below ``group``."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, name
        if isinstance(command, click.Group):
            yield from leaves(command, *above, name)
        else:
            yield (*above, name)


VERBS = list(leaves(nace))


def typed(verb: tuple[str, ...], source: str) -> bool:
    """Tell whether a test's source has all words of the verb as arguments."""
    return all(re.search(rf'"{re.escape(word)}["\s]', source) for word in ("nace", *verb))


def shown(verb: tuple[str, ...], page: str) -> bool:
    """Tell whether a page has the verb as it is typed, or among others: `rounds start|stop`."""
    for found in re.finditer(r"\bnace ((?:[a-z|-]+ ?)+)", page):
        words = [word.split("|") for word in found[1].split()]
        if len(words) >= len(verb) and all(w in some for w, some in zip(verb, words, strict=False)):
            return True
    return False


def test_the_tree_is_walked() -> None:
    assert {("train",), ("models", "register"), ("search", "run-one")} <= set(VERBS)
    assert len(VERBS) > 40
    assert typed(("models", "check"), 'main(["nace", "models", *a])\nrun("check")')
    assert not typed(("models", "check"), 'main(["nace", "models", *a])')
    assert shown(("models", "gate"), "`autonoe nace models check|gate X`")
    assert not shown(("models", "gate"), "`autonoe nace models check X gate`")


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_verb_is_typed_by_a_test(verb: tuple[str, ...]) -> None:
    assert any(typed(verb, source) for source in TESTS)


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_a_verb_is_shown_to_people(verb: tuple[str, ...]) -> None:
    assert any(shown(verb, page) for page in PAGES)
