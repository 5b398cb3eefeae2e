"""The example notebooks arrive in the person's folder, and never in their way."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from autonoe_extension.examples import FOLDER, install_examples

LOG = logging.getLogger("test")


def test_they_are_copied_once_and_a_changed_one_stays(tmp_path: Path) -> None:
    install_examples(str(tmp_path), LOG)
    first, *others = sorted((tmp_path / FOLDER).glob("*.ipynb"))
    assert others
    first.write_text("mine", encoding="utf-8")
    others[0].unlink()
    install_examples(str(tmp_path), LOG)
    assert first.read_text(encoding="utf-8") == "mine"
    assert not others[0].exists(), "what somebody removed does not come back"


def test_a_folder_that_cannot_be_made_is_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FOLDER).write_text("a file of that name", encoding="utf-8")
    install_examples(str(tmp_path), LOG)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert str(tmp_path / FOLDER) in caplog.text
