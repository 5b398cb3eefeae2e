"""Fill the page's template and write it in one step."""

from __future__ import annotations

import json
import math
import secrets
from pathlib import Path
from typing import Any

import jinja2
from plotly.offline import get_plotlyjs

from autonoe.errors import InvalidInputError
from autonoe_nace.monitoring.page.contents import Asked, contents
from autonoe_nace.monitoring.source import Logs

_FOLDER = Path(__file__).parent
DEFAULT = Asked()


def write_page(logs: Logs, target: Path, asked: Asked = DEFAULT) -> dict[str, Any]:
    """Write the dashboard as one file that needs neither server nor network.

    Parameters
    ----------
    logs : Logs
        Where to count.
    target : Path
        The file; replaced in one step.
    asked : Asked
        What it is about.

    Returns
    -------
    dict
        ``predictions``, ``days`` and ``bytes``.

    Raises
    ------
    NotFoundError
        If nothing is selected, or what was named (gold standard, windows) is not there.
    InvalidInputError
        If the file cannot be written.
    """
    document = contents(logs, asked)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER), autoescape=True, undefined=jinja2.StrictUndefined
    )
    page = environment.get_template("page.html.j2").render(
        source=document["source"],
        style=(_FOLDER / "page.css").read_text(encoding="utf-8"),
        script=(_FOLDER / "page.js").read_text(encoding="utf-8"),
        plotly=get_plotlyjs(),
        document=_embedded(document),
    )
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        partial.write_text(page, encoding="utf-8")
        partial.replace(target)
    except OSError as error:
        raise InvalidInputError(
            f"The page {target} cannot be written: {error.strerror}.",
            hint="Choose a folder that exists and is yours.",
        ) from error
    return {
        "predictions": sum(day["predictions"] for day in document["days"]),
        "days": len(document["days"]),
        "bytes": len(page.encode()),
    }


def _embedded(document: dict[str, Any]) -> str:
    """Return JSON that cannot end the script element it lies in, whatever strangers logged."""
    text = json.dumps(_finite(document), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _finite(value: Any) -> Any:
    """Return the value with NaN and infinity, which JSON lacks, as null."""
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value
