"""Pictures of a recoding: what a person's time is worth, and the two series side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

_BLUE, _ORANGE = "#0072B2", "#D55E00"


def effort_chart(summary: Mapping[str, Any]) -> go.FigureWidget:
    """Return which share of the expected errors the best-ordered minutes take away.

    Parameters
    ----------
    summary : mapping
        Of :meth:`~autonoe_nace.recoding.recoded.RecodedRegister.summary`.
    """
    review = summary["review"]
    total = review["saved"] or 1.0
    hours = [0.0, *(part["minutes_share"] * review["minutes"] / 60 for part in review["gain"])]
    saved = [0.0, *(part["saved"] / total for part in review["gain"])]
    half = next((part for part in review["gain"] if part["saved"] >= total / 2), None)
    figure = go.FigureWidget()
    figure.add_scatter(x=hours, y=saved, mode="lines+markers", line_color=_BLUE)
    title = "Nothing is left to review"
    if half:
        title = f"{half['minutes_share']:.0%} of the time removes half of the expected errors"
    figure.update_layout(
        title=title,
        xaxis_title="Hours of review, the most useful case first",
        yaxis_title="Share of the expected errors removed",
        yaxis_tickformat=".0%",
        template="plotly_white",
        height=320,
    )
    return figure


def series_chart(rows: Sequence[Mapping[str, Any]], period: str) -> go.FigureWidget:
    """Return the counts of one period in both versions, the recoded ones with their intervals.

    Parameters
    ----------
    rows : sequence of mapping
        Of :func:`~autonoe_nace.recoding.series.counts`, best at section level.
    period : str
        Which one to show.
    """
    figure = go.FigureWidget()
    versions = list(dict.fromkeys(row["version"] for row in rows))
    for version, colour in zip(versions, (_BLUE, _ORANGE), strict=False):
        chosen = [r for r in rows if r["version"] == version and r["period"] == period]
        figure.add_bar(
            name=version,
            x=[row["code"] or "none" for row in chosen],
            y=[row["n"] for row in chosen],
            error_y={
                "type": "data",
                "array": [row["high"] - row["n"] for row in chosen],
                "arrayminus": [row["n"] - row["low"] for row in chosen],
            },
            marker_color=colour,
            marker_pattern_shape="/" if colour == _ORANGE else "",
            hovertext=[row["title"] for row in chosen],
        )
    figure.update_layout(
        title=f"The same units of {period} in two versions: letters move, units do not",
        xaxis_title="Section",
        yaxis_title="Sum of weights",
        barmode="group",
        template="plotly_white",
        height=360,
    )
    return figure
