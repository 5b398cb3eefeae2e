"""Hubs for the tests of this folder."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from support.hub_stack import HubStack


@contextmanager
def stack(**variables: str) -> Iterator[HubStack]:
    """Yield a hub that is not started yet, in a folder of its own; end all that it starts."""
    # Not below tmp_path, which only its owner may enter: accounts have UIDs of their own.
    parent = os.environ.get("AUTONOE_TEST_ROOT")
    root = Path(tempfile.mkdtemp(prefix="hub-", dir=parent))
    made = HubStack(root, **variables)
    try:
        yield made
    finally:
        left = made.stop()
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=10)
        shutil.rmtree(root, ignore_errors=True)


@contextmanager
def running(**variables: str) -> Iterator[HubStack]:
    """Yield a hub that runs, in a folder of its own; end all that it started."""
    with stack(**variables) as made:
        yield made.start()


@pytest.fixture(scope="module")
def hub() -> Iterator[HubStack]:
    """Return a hub that the tests of one module share."""
    with running() as stack:
        yield stack


@pytest.fixture
def own_hub() -> Iterator[HubStack]:
    """Return a hub that one test has to itself, and may kill."""
    with running() as stack:
        yield stack
