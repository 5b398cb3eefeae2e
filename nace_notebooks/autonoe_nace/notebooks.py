"""The example notebooks: stored as scripts, installed as notebooks."""

from __future__ import annotations

import hashlib
import json
import secrets
from pathlib import Path

import jupytext
import nbformat

from autonoe.errors import NotFoundError

_RECORD = ".autonoe-notebooks.json"
"""In the target folder: which content each notebook was installed with."""


def scripts() -> list[Path]:
    """Return the notebooks' scripts, from the wheel or from the source tree, by name.

    Raises
    ------
    NotFoundError
        If the installation holds neither.
    """
    here = Path(__file__).parent
    for folder in (here / "_notebooks", here.parent / "notebooks"):
        found = sorted(folder.glob("*.py"))
        if found:
            return found
    raise NotFoundError("The example notebooks are not installed.", hint="Install autonoe[nace].")


def install(target: Path) -> list[Path]:
    """Write each notebook into ``target`` unless the person has changed the one that is there.

    A notebook that is still as it was installed is replaced when the package has a newer one; one
    that was edited, run, or deleted stays as it is.

    Parameters
    ----------
    target : Path
        Created when missing.

    Returns
    -------
    list of Path
        The notebooks that were written.
    """
    target.mkdir(parents=True, exist_ok=True)
    record = _read_record(target)
    written = []
    for script in scripts():
        place = target / f"{script.stem}.ipynb"
        content = convert(script)
        before = record.get(place.name)
        if before is None and place.exists():
            continue  # somebody's own notebook of that name
        if before is not None and (not place.exists() or _digest(place.read_text()) != before):
            continue
        if before != _digest(content):
            _write(place, content)
            record[place.name] = _digest(content)
            written.append(place)
    if written:
        _write(target / _RECORD, json.dumps(record, indent=1))
    return written


def convert(script: Path) -> str:
    """Return the notebook that ``script`` stands for; the same script gives the same text."""
    notebook = jupytext.read(script, fmt="py:percent")
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{number}"  # jupytext's own ids are random
    return str(nbformat.writes(notebook))  # type: ignore[no-untyped-call]


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _read_record(target: Path) -> dict[str, str]:
    try:
        record = json.loads((target / _RECORD).read_text())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    partial.write_text(text)
    partial.replace(path)
