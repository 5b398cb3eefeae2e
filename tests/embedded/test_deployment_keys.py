"""More keys for a deployment: given, limited and taken away one by one, and kept as hashes."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from autonoe import apikeys
from autonoe.backends.keys import MOST, KeyRequest, add, revoke
from autonoe.embedded.deployments import Deployments
from autonoe.embedded.layout import Layout
from autonoe.errors import ConflictError, InvalidInputError, NotFoundError
from embedded.test_deployments import deployments, layout, no_hub, request

__all__ = ["deployments", "layout", "no_hub"]

ME = os.geteuid()
NAME = {"name": "nace-api"}


def file_of(layout: Layout) -> Path:
    return layout.root / "deployments" / "ana" / "nace-api" / "keys.json"


@pytest.mark.asyncio
async def test_each_holder_has_a_key_with_limits_of_its_own(
    deployments: Deployments, layout: Layout
) -> None:
    first = (await deployments.deploy(request(), ME))["api_key"]
    wish = {"label": "register team", "rate_per_s": 2.5, "records_per_day": 1_000}
    second = await deployments.add_key({**NAME, **wish}, ME)
    entries = apikeys.read(file_of(layout))
    assert apikeys.find(entries, first) is not None, "the owner's key stays"
    found = apikeys.find(entries, second["api_key"])
    assert found is not None
    assert (found.id, found.rate_per_s, found.records_per_day) == (second["id"], 2.5, 1_000)
    assert stat.S_IMODE(file_of(layout).stat().st_mode) == 0o600
    assert second["api_key"] not in file_of(layout).read_text()

    listed = await deployments.keys(NAME, ME)
    assert [(row["label"], row["rate_per_s"]) for row in listed] == [
        ("ana", 0.0),
        ("register team", 2.5),
    ]
    assert not any("api_key" in row or "sha256" in row for row in listed)
    again = await deployments.deploy(request(threshold=0.4), ME)
    assert "api_key" not in again
    assert apikeys.read(file_of(layout)) == entries, "other settings change no key"


@pytest.mark.asyncio
async def test_a_revoked_key_is_worthless_and_the_others_are_not(
    deployments: Deployments, layout: Layout
) -> None:
    first = (await deployments.deploy(request(), ME))["api_key"]
    second = await deployments.add_key({**NAME}, ME)
    assert await deployments.revoke_key({**NAME, "key_id": second["id"]}, ME) == {
        "revoked": second["id"]
    }
    entries = apikeys.read(file_of(layout))
    assert apikeys.find(entries, second["api_key"]) is None
    assert apikeys.find(entries, first) is not None
    for unknown in (second["id"], "", None, "../keys"):
        with pytest.raises(NotFoundError, match="no key of that id"):
            await deployments.revoke_key({**NAME, "key_id": unknown}, ME)
    assert apikeys.read(file_of(layout)) == entries


@pytest.mark.asyncio
async def test_a_wrong_wish_changes_nothing(deployments: Deployments, layout: Layout) -> None:
    await deployments.deploy(request(), ME)
    before = file_of(layout).read_bytes()
    for wrong in BAD:
        with pytest.raises(InvalidInputError):
            await deployments.add_key({**NAME, **wrong}, ME)
    for name in (None, "", "..", "other", "../ana/nace-api"):
        with pytest.raises(NotFoundError):
            await deployments.add_key({"name": name}, ME)
    assert file_of(layout).read_bytes() == before


BAD: list[dict[str, Any]] = [
    {"label": 1},
    {"label": "x" * 101},
    {"label": "two\nlines"},
    {"rate_per_s": -1},
    {"rate_per_s": True},
    {"rate_per_s": "2"},
    {"rate_per_s": float("nan")},
    {"rate_per_s": float("inf")},
    {"rate_per_s": 1e9},
    {"records_per_day": -1},
    {"records_per_day": 1.5},
    {"records_per_day": True},
    {"records_per_day": 10**15},
    {"sha256": "0" * 64},
]


@pytest.mark.parametrize("wrong", BAD, ids=str)
def test_a_key_that_nobody_can_have_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        KeyRequest.from_dict(wrong)


def test_there_is_an_end_to_keys() -> None:
    entries: tuple[apikeys.KeyEntry, ...] = ()
    for number in range(MOST):
        entries, _ = add(entries, KeyRequest(f"holder {number}"))
    with pytest.raises(ConflictError, match="at most"):
        add(entries, KeyRequest())
    assert len(revoke(entries, entries[5].id)) == MOST - 1


def test_a_notebook_that_shows_the_answer_does_not_show_the_key() -> None:
    _, made = add((), KeyRequest("ana"))
    assert made.api_key
    assert made.api_key not in repr(made)
