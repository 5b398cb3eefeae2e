"""The session's ground: a clean environment, one running platform, nothing left behind."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest

from support.places import ARTEFACTS, shared
from support.platform import Platform, SharedPlatform

ROOT_VARIABLE = "AUTONOE_TEST_ROOT"
KEPT = {
    ROOT_VARIABLE,
    "AUTONOE_SHARED",
    "AUTONOE_PICTURES",
    "AUTONOE_IMAGE_IMPORT",
    "AUTONOE_TEST_INSTANCE",
    "AUTONOE_TESTBED_CACHE",
    "AUTONOE_Z2JH_CHART",
}
FOREIGN = ("AUTONOE_", "AWS_", "VAULT_", "BAO_", "MLFLOW_", "JUPYTER", "GIT_", "S3_", "PYTHONPATH")


def _clean_environment(home: Path) -> None:
    """Take away what a developer's shell could lend to a test, the home folder included."""
    for name in list(os.environ):
        if name.startswith(FOREIGN) and name not in KEPT:
            del os.environ[name]
    home.mkdir(exist_ok=True)
    os.environ["HOME"] = str(home)
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        os.environ.pop(name, None)
    for name in ("NO_PROXY", "no_proxy"):
        os.environ[name] = ",".join(filter(None, [os.environ.get(name), "127.0.0.1", "localhost"]))


def _is_controller(config: pytest.Config) -> bool:
    return not hasattr(config, "workerinput")


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt  # so that a terminated session still stops its platform


def pytest_configure(config: pytest.Config) -> None:
    """Choose the session's folder in the controller; workers inherit it."""
    if _is_controller(config):
        root = Path(tempfile.mkdtemp(prefix="autonoe-test-"))
        root.chmod(0o711)  # accounts with a UID of their own pass through it to their homes
        os.environ[ROOT_VARIABLE] = str(root)
        signal.signal(signal.SIGTERM, _interrupt)
    _clean_environment(Path(os.environ[ROOT_VARIABLE]) / "home")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Stop the platform; a process that survives it fails the session."""
    if not _is_controller(session.config):
        return
    logs = ARTEFACTS / "platform-logs" if session.exitstatus else None
    complaints = _shared_platform().close(logs)
    for complaint in complaints:
        print(f"\n{complaint}")  # noqa: T201  the terminal report is over
    if complaints and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_unconfigure(config: pytest.Config) -> None:
    """Remove the session's folder."""
    if _is_controller(config) and ROOT_VARIABLE in os.environ:
        shutil.rmtree(os.environ.pop(ROOT_VARIABLE), ignore_errors=True)


def _shared_platform() -> SharedPlatform:
    return SharedPlatform(Path(os.environ[ROOT_VARIABLE]))


@pytest.fixture(scope="session")
def platform() -> Platform:
    """Return the one embedded platform of this session; it is started by whoever asks first."""
    return _shared_platform().get()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder with ``data/labelled`` and ``data/nomenclatures``."""
    return shared()
