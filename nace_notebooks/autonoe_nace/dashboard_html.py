"""Figures and tables of the dashboard's tabs as HTML."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

Cell = object


def percent(share: float) -> str:
    """Return ``63.2 %``."""
    return f"{100 * share:.1f} %"


def table(head: Sequence[str], rows: Sequence[Sequence[Cell]], *, texts: int = 1) -> str:
    """Return an HTML table; whatever strangers logged is shown as text.

    Parameters
    ----------
    head : sequence of str
        Headings.
    rows : sequence of sequence
        Cells.
    texts : int
        The first so many columns are text, the others numbers.
    """
    if not rows:
        return "<p class='quiet'>None.</p>"

    def kind(place: int) -> str:
        return " class='text'" if place < texts else ""

    top = "".join(
        f"<th scope='col'{kind(place)}>{html.escape(cell)}</th>" for place, cell in enumerate(head)
    )
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind(p)}>{html.escape(str(cell))}</td>" for p, cell in enumerate(row))
        + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{top}</tr></thead><tbody>{body}</tbody></table>"


def interval(rate: Mapping[str, float]) -> str:
    """Return ``50.0 % (29.9 to 70.1)``; nothing of no rows."""
    if not rate["n"]:
        return ""
    return f"{percent(rate['value'])} ({100 * rate['low']:.1f} to {100 * rate['high']:.1f})"


def figure(value: Mapping[str, float]) -> str:
    """Return ``0.71 (0.52 to 0.88)``; nothing of no rows."""
    if not value["n"]:
        return ""
    return f"{value['value']:.2f} ({value['low']:.2f} to {value['high']:.2f})"


def points(change: Mapping[str, float]) -> str:
    """Return ``+1.2 points (-0.3 to +2.7)``."""
    value, low, high = (100 * change[name] for name in ("value", "low", "high"))
    return f"{value:+.1f} points ({low:+.1f} to {high:+.1f})"


def ratio(before: float, after: float) -> str:
    """Return ``+12 %``; nothing when there was nothing before."""
    return f"{100 * (after - before) / before:+.0f} %" if before else ""
