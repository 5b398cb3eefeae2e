"""Write docs/reference/*.md from the code, so that no command, setting or error can be missing.

Usage: ``python -m scripts.reference [FOLDER]``. ``make reference`` runs it, and a test compares
the committed pages with what it writes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from . import commands, errors, profiles, settings

PAGES = {
    "commands.md": commands.page,
    "settings.md": settings.page,
    "errors.md": errors.page,
    "profiles.md": profiles.page,
    **profiles.SCHEMA_FILES,
}
FOLDER = Path(__file__).parents[2] / "docs" / "reference"


def main(folder: Path = FOLDER) -> None:
    """Write every page into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, page in PAGES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(page().rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
