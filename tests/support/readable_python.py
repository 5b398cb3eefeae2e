"""A Python that other users of this machine may run, with the packages of this one."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from autonoe.embedded import uids
from autonoe.embedded.layout import Layout
from autonoe.errors import AutonoeError


def readable_python(folder: Path, layout: Layout) -> Path | None:
    """Return an interpreter that an account's UID can use, or None if this machine has none.

    A developer's Python may lie below a home folder that nobody else may enter. Then a system
    Python of the same version takes its packages over by a ``.pth`` file.

    Parameters
    ----------
    folder : Path
        Where a virtual environment may be made; every user must be able to enter it.
    layout : Layout
        The data folder that the account will have its home in.
    """
    if _usable(Path(sys.executable), layout):
        return Path(sys.executable)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    for base in (shutil.which(version, path="/usr/bin:/usr/local/bin"), "/usr/bin/python3"):
        if base and Path(base).exists() and _version(base) == sys.version_info[:2]:
            python = _mirror(base, folder)
            if _usable(python, layout):
                return python
    return None


def _usable(python: Path, layout: Layout) -> bool:
    try:
        uids.check_usable(layout, uids.LAST_UID, executable=str(python))
    except AutonoeError:
        return False
    return True


def _version(python: str) -> tuple[int, ...]:
    code = "import sys; print(*sys.version_info[:2])"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return tuple(int(part) for part in done.stdout.split())


def _mirror(base: str, folder: Path) -> Path:
    subprocess.run([base, "-m", "venv", "--without-pip", "--clear", str(folder)], check=True)
    folder.chmod(0o755)
    python = folder / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    done = subprocess.run([str(python), "-c", code], capture_output=True, text=True, check=True)
    packages = sysconfig.get_path("purelib")
    pth = Path(done.stdout.strip()) / "mirror.pth"
    pth.write_text(f"import site; site.addsitedir({packages!r})\n")
    here = Path(sys.prefix)
    for name in ("share", "etc"):
        if (here / name).exists() and not (folder / name).exists():
            (folder / name).symlink_to(here / name)
    for tool in (here / "bin").iterdir():
        ours = folder / "bin" / tool.name
        if not tool.name.startswith(("python", "activate", "Activate")) and not ours.exists():
            ours.symlink_to(tool)
    return python
