"""Names of people as names that buckets, paths and entities accept."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autonoe.errors import InvalidInputError
from autonoe.names import MAX_SLUG, normalise_name, project_bucket, slug, user_bucket

_BUCKET = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_SAFE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@given(st.text(max_size=300))
def test_every_name_becomes_a_bucket_or_is_refused(name: str) -> None:
    try:
        result = slug(name)
    except InvalidInputError:
        return
    assert len(result) <= MAX_SLUG
    for bucket in (user_bucket(name), project_bucket(name)):
        assert _BUCKET.fullmatch(bucket)
    assert slug(normalise_name(name)) == result


@given(st.text(min_size=1, max_size=60), st.text(min_size=1, max_size=60))
def test_two_names_share_a_slug_only_when_they_are_one(one: str, other: str) -> None:
    try:
        same = normalise_name(one) == normalise_name(other)
        assert (slug(one) == slug(other)) is same
    except InvalidInputError:
        return


@given(st.from_regex(_SAFE, fullmatch=True).filter(lambda name: len(name) <= MAX_SLUG))
def test_a_safe_name_stays_as_it_is(name: str) -> None:
    assert slug(name) == name
    assert "--" not in name


@given(st.text(min_size=1, max_size=60))
def test_an_unsafe_name_never_meets_a_safe_one(name: str) -> None:
    try:
        result = slug(name)
    except InvalidInputError:
        return
    if not _SAFE.fullmatch(normalise_name(name)):
        assert re.search(r"--[a-z2-7]{16}$", result)


@pytest.mark.parametrize("name", ["Ève", "STRAßE", "ﬁsh", "Ⅷ", "\uff21\uff22", "İstanbul"])
def test_spelling_and_case_do_not_matter(name: str) -> None:
    forms = {name, name.upper(), name.lower(), unicodedata.normalize("NFD", name), f" {name} "}
    assert len({slug(form) for form in forms if normalise_name(form) == normalise_name(name)}) == 1
    assert slug(unicodedata.normalize("NFD", name)) == slug(unicodedata.normalize("NFC", name))


@pytest.mark.parametrize(
    "name",
    ["", "  ", "a\nb", "a\0b", "\x7f", "a\u200bb", "a\u202eb", "\ud800", "\ue000", "a\u2028b"],
)
def test_invisible_characters_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError):
        normalise_name(name)


def test_a_trailing_newline_is_not_part_of_a_safe_name() -> None:
    """``re.match`` with ``$`` would let one through (KubeSpawner's image check did)."""
    assert slug("alice\n") == "alice"
    assert slug("alice-") != "alice-"


def test_hyphens_at_the_edge_are_not_lost() -> None:
    names = ["ana", "-ana", "ana-", "a-na", "a--na", "ana.", "ana_"]
    assert len({slug(name) for name in names}) == len(names)


def test_long_names_keep_what_tells_them_apart() -> None:
    one, other = "x" * 60 + "a", "x" * 60 + "b"
    assert slug(one) != slug(other)
    with pytest.raises(InvalidInputError):
        slug("x" * 256)
