"""What will be done, worked out from what is wanted and what is there."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autonoe.platform import catalogue
from autonoe.platform.helm import Release, merge, secret_values
from autonoe.platform.plan import Wanted, differences, step, wanted
from autonoe.platform.preconditions import version_tuple
from autonoe.platform.site import Site
from support.helm_charts import part, write_list

_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.dictionaries(st.text(max_size=2), inner, max_size=3),
    max_leaves=8,
)
_MAPS = st.dictionaries(st.text(max_size=2), _VALUES, max_size=4)


@pytest.fixture
def want(tmp_path: Path) -> Wanted:
    folder = write_list(tmp_path / "list", part("a"), a={"word": "one", "password": "hunter22"})
    return wanted(catalogue.load(folder).parts[0], Site(), folder)


@pytest.fixture
def installed(want: Wanted) -> Release:
    return Release(want.release, want.namespace, 3, "deployed", want.label, "1")


def test_what_is_not_there_is_installed(want: Wanted) -> None:
    assert step(want, None, None).action == "install"


def test_what_is_as_wanted_is_kept(want: Wanted, installed: Release) -> None:
    assert step(want, installed, want.values).action == "keep"


def test_another_version_is_an_upgrade(want: Wanted, installed: Release) -> None:
    found = step(want, replace(installed, chart="a-0.9.0"), want.values)
    assert found.action == "upgrade"
    assert "a-0.9.0 is installed, a-1.0.0 is wanted" in found.reason


def test_other_values_are_an_upgrade_that_names_them_and_hides_them(
    want: Wanted, installed: Release
) -> None:
    found = step(want, installed, {"word": "one", "password": "hunter11"})
    assert (found.action, found.reason) == ("upgrade", "Values differ: password.")
    assert "hunter" not in json.dumps(found.to_dict()) + repr(found)


@pytest.mark.parametrize("status", ["pending-install", "pending-upgrade", "uninstalling"])
def test_an_interrupted_change_is_repaired(want: Wanted, installed: Release, status: str) -> None:
    assert step(want, replace(installed, status=status), None).action == "repair"


def test_a_failed_change_is_done_again(want: Wanted, installed: Release) -> None:
    found = step(want, replace(installed, status="failed"), want.values)
    assert (found.action, found.reason) == ("upgrade", "The last change ended as failed.")


def test_the_command_is_what_a_person_would_type(want: Wanted) -> None:
    command = want.command()
    assert command.startswith("helm upgrade --install autonoe-a a --repo https://charts.example")
    assert "--version 1.0.0 --namespace autonoe-parts --create-namespace --values " in command


@given(_MAPS, _MAPS)
def test_differences_are_empty_exactly_when_nothing_differs(
    one: dict[str, object], other: dict[str, object]
) -> None:
    assert differences(one, one) == []
    same = json.dumps(_filled(one), sort_keys=True) == json.dumps(_filled(other), sort_keys=True)
    assert (differences(one, other) == []) == same


def _filled(values: object) -> object:
    """Leave out what is null: to Helm that is the same as not there."""
    if isinstance(values, dict):
        return {key: _filled(value) for key, value in values.items() if value is not None}
    return values


@given(_MAPS, _MAPS, _MAPS)
def test_layers_merge_in_any_grouping(
    a: dict[str, object], b: dict[str, object], c: dict[str, object]
) -> None:
    assert merge(merge(a, b), c) == merge(a, b, c)
    assert merge(a, {}) == merge({}, a) == a


def test_secrets_of_values_are_known_by_their_keys() -> None:
    values = {"db": {"password": "hunter22"}, "keys": ["abcdefgh"], "word": "nothing", "n": 5}
    assert secret_values(values) == {"hunter22", "abcdefgh"}


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("v1.37.2", (1, 37, 2)),
        ("v1.33.1-gke.5+x", (1, 33, 1)),
        ("1.30+", (1, 30)),
        ("3.14", (3, 14)),
    ],
)
def test_versions_of_managed_clusters_are_read(text: str, version: tuple[int, ...]) -> None:
    assert version_tuple(text) == version
