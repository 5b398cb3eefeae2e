"""The start wrapper with packages, and with a home folder that takes nothing more."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import pytest

from profiles.starting import Start, script
from support.https import Https


def _wheel(folder: Path, name: str, version: str, requires: str = "") -> None:
    """Write a wheel with one module."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    metadata += f"Requires-Dist: {requires}\n" if requires else ""
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", f"VERSION = '{version}'\n")
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def index(tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """Return a folder of wheels and the variables that make it the only index."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    return folder, {
        "UV_OFFLINE": "1",
        "UV_FIND_LINKS": str(folder),
        "UV_CACHE_DIR": str(tmp_path / "uv"),
    }


def test_packages_come_beside_those_of_the_image(
    start: Start, home: Path, index: tuple[Path, dict[str, str]]
) -> None:
    _wheel(index[0], "somewhat", "1.0", "click")
    _wheel(index[0], "click", "99.0")
    done = start(index[1], packages='["somewhat>=1"]')
    # click is there in the image's version; the newer one must not come in front of it.
    assert done.step("packages")["state"] == "failed"
    _wheel(index[0], "click", version("click"))
    done = start(index[1], packages='["somewhat>=1"]')
    assert done.step("packages")["state"] == "ok", done.step("packages")["detail"]
    (place,) = done.env["PYTHONPATH"].split(os.pathsep)
    assert sorted(p.name for p in Path(place).glob("*.py")) == ["somewhat.py"]
    seen = subprocess.run(
        [sys.executable, "-c", "import somewhat, click; print(somewhat.VERSION)"],
        env={"PYTHONPATH": place},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert seen.stdout == "1.0\n"


def test_a_package_that_would_change_the_image_is_told(
    start: Start, index: tuple[Path, dict[str, str]]
) -> None:
    _wheel(index[0], "click", "99.0")
    found = start(index[1], packages='["click>=99"]').step("packages")
    assert found["state"] == "failed"
    assert "click" in found["detail"]


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """Return a home without a byte left; for those who may not mount, one they cannot write to."""
    place = tmp_path / "disk"
    place.mkdir()
    if os.geteuid():
        place.chmod(0o500)
        yield place
        return
    size = ["-o", "size=1m,mode=0700"]
    subprocess.run(["mount", "-t", "tmpfs", *size, "tmpfs", str(place)], check=True, timeout=10)
    try:
        with (place / "data.bin").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(b"x" * 65536)
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True, timeout=10)


def test_a_full_home_sends_what_jupyter_writes_elsewhere(
    start: Start, full: Path, https: Https
) -> None:
    before = sorted(full.iterdir())
    asked = {**script(https, "echo ran"), "repository": f"{https.url}/x.git"}
    done = start({"HOME": str(full)}, **asked)
    message = done.step("home")["message"]
    assert ("full" if os.geteuid() == 0 else "cannot be written to") in message
    assert "du -sh" in done.step("home")["next"]
    assert done.step("repository")["state"] == "failed"
    assert done.step("script")["state"] == "ok"
    assert done.env["HOME"] == str(full)
    assert sorted(full.iterdir()) == before, "nothing half-written is left"
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        place = Path(done.env[name])
        assert not place.is_relative_to(full)
        (place / "probe").write_text("x")
    assert str(full / ".jupyter") in done.env["JUPYTER_CONFIG_PATH"]
    shutil.rmtree(done.env["TMPDIR"])
