"""UIDs of accounts: chosen once, never shared, refused where they would separate nobody."""

from __future__ import annotations

import os
import pwd
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autonoe.embedded import uids
from autonoe.embedded.layout import Layout
from autonoe.embedded.login_names import login_name
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import AutonoeError, ForbiddenError, InvalidInputError

ROOT = os.geteuid() == 0


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path / "data")
    layout.create()
    PlatformFile.create(host="127.0.0.1", port=8000, owner="owner").save(layout)
    return layout


def test_the_owner_keeps_the_platforms_uid(layout: Layout) -> None:
    assert uids.assign(layout, "owner") is None
    assert uids.assign(layout, "OWNER") is None
    assert uids.platform_uid(layout) == os.geteuid()
    assert uids.account_exists(layout, "owner")
    assert not uids.account_exists(layout, "ana")


def test_a_second_account_gets_a_uid_or_a_reason(layout: Layout) -> None:
    if not ROOT:
        with pytest.raises(ForbiddenError, match="UID of its own") as refused:
            uids.assign(layout, "ana")
        assert refused.value.code == "needs_root"
        assert "sudo" in refused.value.hint
        return
    first = uids.assign(layout, "ana")
    assert first is not None
    assert uids.FIRST_UID <= first <= uids.LAST_UID
    assert uids.assign(layout, "ANA") == first == uids.recorded(layout, "ana")
    second = uids.assign(layout, "bea")
    assert second != first
    uids.forget(layout, "ana")
    assert uids.recorded(layout, "ana") is None
    assert uids.assign(layout, "bea") == second


def test_a_platform_of_an_ordinary_user_refuses_even_when_root_asks(layout: Layout) -> None:
    if ROOT:
        os.chown(layout.secrets, 1000, 1000)
    with pytest.raises(ForbiddenError) as refused:
        uids.require_separation(layout, "ana")
    assert refused.value.code == "needs_root"
    uids.require_separation(layout, "owner")


def test_many_at_once_get_different_uids(layout: Layout) -> None:
    names = [f"student-{n}" for n in range(24)]
    if not ROOT:
        with pytest.raises(ForbiddenError):
            uids.assign(layout, names[0])
        return
    with ThreadPoolExecutor(8) as pool:
        given = list(pool.map(lambda name: uids.assign(layout, name), names))
    assert len(set(given)) == len(names)


def test_a_uid_in_use_is_passed_over(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    real = pwd.getpwuid

    def known(uid: int) -> pwd.struct_passwd:
        return real(0) if uid == uids.FIRST_UID else real(uid)

    monkeypatch.setattr(uids.pwd, "getpwuid", known)
    assert uids._free_uid({uids.FIRST_UID + 1}) > uids.FIRST_UID + 1


def test_the_range_has_an_end() -> None:
    taken = set(range(uids.FIRST_UID, uids.LAST_UID + 1))
    with pytest.raises(AutonoeError) as refused:
        uids._free_uid(taken)
    assert refused.value.code == "uids_exhausted"


def test_others_can_neither_read_nor_hold_the_registry(layout: Layout) -> None:
    if ROOT:
        uids.assign(layout, "ana")
    for path in (layout.root / "accounts").glob("uids.*"):
        assert path.stat().st_mode & 0o077 == 0


def test_an_interpreter_that_the_account_cannot_read_is_refused(
    layout: Layout, tmp_path: Path
) -> None:
    """Below a folder 0700, as below /root: tmp_path is one."""
    hidden = tmp_path / "bin"
    hidden.mkdir(mode=0o700)
    shutil.copy2(Path(sys.executable).resolve(), hidden / "python")
    with pytest.raises(AutonoeError) as refused:
        uids.check_usable(layout, uids.LAST_UID, executable=str(hidden / "python"))
    assert refused.value.code == "interpreter_unreadable"
    assert "/opt/autonoe" in refused.value.hint


@pytest.mark.parametrize(
    "name", ["ana", "Ana María", "bo@example.org", "x-1.y_2+z", "李雷", "ѝван"]
)
def test_names_of_people_can_log_in(name: str) -> None:
    assert login_name(name)


@pytest.mark.parametrize(
    "name",
    ["", " ", "..", "-x", "a/b", "a\\b", "<b>", 'a"', "a'b", "a&b", "a\nb", "\u202ea", "a;b"],
)
def test_names_that_are_more_than_names_cannot(name: str) -> None:
    with pytest.raises(InvalidInputError):
        login_name(name)
