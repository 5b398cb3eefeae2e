"""How full the home is, and when a person is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from autonoe.home_disk import GIB, describe, measure


@pytest.mark.parametrize(
    ("used", "free", "level", "said"),
    [
        (2 * GIB, 8 * GIB, "fine", "2.0 of 10.0 GiB"),
        (9 * GIB, GIB, "nearly_full", "Move large files"),
        (10 * GIB, 2**20, "full", "Delete"),
        (0, 0, "full", "0.0 of 0.0"),
    ],
)
def test_a_disk_is_described_before_it_is_full(used: int, free: int, level: str, said: str) -> None:
    found = describe(11 * GIB, used, free)
    assert found.level == level
    assert said in found.message
    assert found.as_dict()["free_bytes"] == free


def test_the_disk_of_a_folder_is_measured(tmp_path: Path) -> None:
    found = measure(tmp_path)
    assert found.total_bytes >= found.used_bytes > 0
    with pytest.raises(OSError, match="missing"):
        measure(tmp_path / "missing")
