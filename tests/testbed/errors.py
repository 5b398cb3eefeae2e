"""The one error of this package."""

from __future__ import annotations

from autonoe.errors import AutonoeError


class TestbedError(AutonoeError):
    """The test cluster could not be built, started or reached."""

    __test__ = False  # pytest would take the name for a test class
    code = "testbed_failed"
