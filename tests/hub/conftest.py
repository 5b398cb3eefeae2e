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
def running(**variables: str) -> Iterator[HubStack]:
    """Yield a hub in a folder of its own, and end all that it started."""
    # Not below tmp_path, which only its owner may enter: accounts have UIDs of their own.
    parent = os.environ.get("AUTONOE_TEST_ROOT")
    root = Path(tempfile.mkdtemp(prefix="hub-", dir=parent))
    stack = HubStack(root, **variables)
    try:
        yield stack.start()
    finally:
        left = stack.stop()
        for process in left:
            process.kill()
        psutil.wait_procs(left, timeout=10)
        shutil.rmtree(root, ignore_errors=True)


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
