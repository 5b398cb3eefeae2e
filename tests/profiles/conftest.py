"""Catalogues written by the tests, and an https server."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autonoe.profiles.catalogue import Catalogue, read_folder
from autonoe.profiles.sources import load
from profiles.starting import Start, starter
from support.https import Https, serve

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Return a function that writes YAML to ``catalogue/NAME.yaml`` and returns the folder."""

    def write(text: str, name: str = "a", folder: str = "catalogue") -> Path:
        place = tmp_path / folder
        place.mkdir(exist_ok=True)
        (place / f"{name}.yaml").write_text(textwrap.dedent(text), encoding="utf-8")
        return place

    return write


@pytest.fixture
def read(write: Write) -> Callable[[str], Catalogue]:
    """Return a function that reads YAML as a catalogue."""
    return lambda text: read_folder(write(text), source="catalogue")


@pytest.fixture(scope="session")
def builtin() -> Catalogue:
    """Return the catalogue that ships with Autonoe."""
    return load()


@pytest.fixture
def https(tmp_path: Path) -> Iterator[Https]:
    """Return a folder that is served over https."""
    with serve(tmp_path) as site:
        yield site


@pytest.fixture
def trusted(https: Https, monkeypatch: pytest.MonkeyPatch) -> Https:
    """Return the server, and let this process trust it."""
    for name, value in https.trust.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("NO_PROXY", "localhost")
    return https


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Return an empty home folder."""
    place = tmp_path / "home"
    place.mkdir()
    return place


@pytest.fixture
def start(home: Path, https: Https) -> Start:
    """Return a function that runs the start wrapper in that home."""
    return starter(home, https)
