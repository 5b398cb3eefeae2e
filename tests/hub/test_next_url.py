"""A login leads to a path of this host or nowhere."""

from __future__ import annotations

from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autonoe_hub.next_url import MAX_LENGTH, local_path
from support.open_redirects import PAYLOADS

HOST = "hub.example"


@pytest.mark.parametrize("payload", PAYLOADS)
def test_known_tricks_are_refused(payload: str) -> None:
    assert local_path(payload) == ""


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/hub/home",
        "/user/ana/lab/tree/nace/01_explore.ipynb",
        "/user/b%C3%B3b%20n/lab?reset&file-browser-path=/a#b",
        "/hub/spawn?next=%2Fhub%2Fhome",
        "/user/ana/files/a%20b/..c/d...txt",
    ],
)
def test_paths_are_kept(path: str) -> None:
    assert local_path(path) == path


def test_a_long_address_is_refused() -> None:
    assert local_path("/" + "x" * MAX_LENGTH) == ""


@given(st.text(alphabet=st.sampled_from("/\\.%2fF5cC09:@?#ae \t\n\r[]x-"), max_size=12))
def test_whatever_is_kept_stays_on_the_host(address: str) -> None:
    kept = local_path(address)
    assert kept in ("", address)
    # As a browser reads it: tabs and newlines are dropped, backslashes are slashes.
    read = kept.translate({9: None, 10: None, 13: None}).replace("\\", "/").strip()
    assert urlsplit(urljoin(f"http://{HOST}/hub/link", read)).netloc == HOST
