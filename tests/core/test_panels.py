"""Panels are found by entry point."""

from __future__ import annotations

import pytest

from autonoe import panels


def test_the_installed_panels_are_listed() -> None:
    assert "credentials" in dir(panels)


def test_an_unknown_panel_names_those_that_exist() -> None:
    with pytest.raises(AttributeError, match="credentials"):
        _ = panels.nothing
