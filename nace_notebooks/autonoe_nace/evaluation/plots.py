"""The plots of the evaluation report; each title says what was found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#6b6b6b"
"""From the palette of Okabe and Ito, which colour-blind people can read."""
_BAND = "rgba(0, 114, 178, 0.18)"
_NAMES = {1: "section", 2: "division", 3: "group", 4: "class", 5: "subclass", 6: "finest"}
_HEIGHT = 360

Cell = dict[str, Any]


def level_name(level: int | str) -> str:
    """Return the word for a level, such as ``class`` for 4."""
    return _NAMES.get(int(level), f"level {level}")


def accuracy_by_level(levels: dict[str, Any]) -> go.Figure:
    """Return top-1 to top-5 at each level with intervals."""
    finest = list(levels)[-1]
    row = levels[finest]
    figure = _figure(
        f"The first code is right for {_percent(row['top1'])} of texts at {level_name(finest)} "
        f"level, one of five for {_percent(row['top5'])}",
        "Codes looked at",
        "Share with the right code among them",
    )
    shades = (GREY, GREEN, "#CC79A7", ORANGE, BLUE, "#000000")[-len(levels) :]
    for (level, found), colour in zip(levels.items(), shades, strict=True):
        cells = [found[f"top{k}"] for k in range(1, 6)]
        figure.add_scatter(
            x=[1, 2, 3, 4, 5],
            y=[cell["value"] for cell in cells],
            error_y=_errors(cells),
            name=level_name(level),
            mode="lines+markers",
            line={"color": colour},
        )
    figure.update_xaxes(dtick=1)
    figure.update_yaxes(tickformat=".0%")
    return figure


def reliability_plot(row: dict[str, Any]) -> go.Figure:
    """Return how often a code came true against the probability that it was given."""
    bins = row["reliability"]
    ece = row["ece"]
    figure = _figure(
        f"Probabilities are off by {100 * ece['value']:.1f} points on average",
        "Probability that the model gave its first code",
        "Share of texts where it was right",
    )
    figure.add_scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        name="perfect",
        line={"color": GREY, "dash": "dash"},
        hoverinfo="skip",
    )
    largest = max(b["n"] for b in bins)
    figure.add_scatter(
        x=[b["probability"] for b in bins],
        y=[b["accuracy"]["value"] for b in bins],
        error_y=_errors([b["accuracy"] for b in bins]),
        mode="markers+lines",
        name="found",
        line={"color": BLUE},
        marker={"size": [6 + 12 * (b["n"] / largest) ** 0.5 for b in bins]},
        text=[f"{b['n']:,.0f} texts" for b in bins],
    )
    return _unit(figure)


def coverage_plot(document: dict[str, Any]) -> go.Figure:
    """Return accuracy against the share coded without a person, and where the choices lie."""
    curve = [row for row in document["risk_coverage"]["curve"] if row["accuracy"]]
    best = document["threshold"]["overall"]
    figure = _figure(
        f"At the recommended threshold {best['threshold']['value']:.2f}, "
        f"{_percent(best['coverage'])} are coded without a person, {_percent(best['accuracy'])} of "
        "those rightly",
        "Share of texts coded without a person",
        "Share of those coded rightly",
    )
    x = [row["coverage"]["value"] for row in curve]
    figure.add_scatter(
        x=[*x, *reversed(x)],
        y=[
            *(row["accuracy"]["high"] for row in curve),
            *(row["accuracy"]["low"] for row in reversed(curve)),
        ],
        fill="toself",
        fillcolor=_BAND,
        line={"width": 0},
        hoverinfo="skip",
        name="95 % interval",
    )
    figure.add_scatter(
        x=x,
        y=[row["accuracy"]["value"] for row in curve],
        mode="lines",
        name="model",
        line={"color": BLUE},
        text=[f"threshold {row['threshold']:.2f}" for row in curve],
    )
    _point(figure, best["coverage"], best["accuracy"], "recommended", ORANGE, "diamond")
    if lookup := document.get("lookup"):
        _point(figure, lookup["auto_rate"], lookup["accuracy"], "look-up by rules", GREEN, "square")
    figure.update_xaxes(tickformat=".0%")
    figure.update_yaxes(tickformat=".0%")
    return figure


def cost_plot(found: dict[str, Any]) -> go.Figure:
    """Return the cost of each threshold and the cheapest one with its interval."""
    best, curve = found["overall"], found["overall"]["curve"]
    value, low, high = (best["threshold"][name] for name in ("value", "low", "high"))
    figure = _figure(
        f"{value:.2f} costs least: {best['cost_per_1000']['value']:,.0f} per 1,000 texts instead "
        f"of {best['all_by_hand_per_1000']:,.0f} by hand",
        "Threshold: texts with less confidence go to a person",
        "Cost of 1,000 texts",
    )
    x = [row["threshold"] for row in curve]
    figure.add_scatter(
        x=[*x, *reversed(x)],
        y=[*(row["high"] for row in curve), *(row["low"] for row in reversed(curve))],
        fill="toself",
        fillcolor=_BAND,
        line={"width": 0},
        hoverinfo="skip",
        name="95 % interval",
    )
    figure.add_scatter(
        x=x, y=[row["value"] for row in curve], mode="lines", name="cost", line={"color": BLUE}
    )
    figure.add_vrect(x0=low, x1=high, fillcolor=ORANGE, opacity=0.15, line_width=0)
    figure.add_vline(x=value, line={"color": ORANGE, "dash": "dot"})
    figure.update_yaxes(rangemode="tozero")
    return figure


def bias_plot(rows: Sequence[dict[str, Any]], level: int | str) -> go.Figure:
    """Return how many more or fewer texts each code gets than it has."""
    shown = [row for row in rows if row["relative_bias"]]
    if not shown:
        return _figure("No code has texts", "", "")
    worst = max(shown, key=lambda row: abs(row["bias"]["value"]))
    figure = _figure(
        f"The count of {level_name(level)} {worst['code']} is off most: "
        f"{worst['bias']['value']:+,.0f} texts ({worst['relative_bias']['value']:+.1%})",
        level_name(level).capitalize(),
        "Bias, as share of the true count",
    )
    figure.add_scatter(
        x=[row["code"] for row in shown],
        y=[row["relative_bias"]["value"] for row in shown],
        error_y=_errors([row["relative_bias"] for row in shown]),
        mode="markers",
        marker={"color": BLUE, "size": 8},
        text=[f"{row['title']}<br>{row['n']:,} texts" for row in shown],
        name="first code",
    )
    figure.add_scatter(
        x=[row["code"] for row in shown],
        y=[(row["expected"] - row["true"]) / row["true"] for row in shown],
        mode="markers",
        marker={"color": ORANGE, "symbol": "x", "size": 7},
        name="sum of probabilities",
    )
    figure.add_hline(y=0, line={"color": GREY, "dash": "dash"})
    figure.update_xaxes(type="category")
    figure.update_yaxes(tickformat="+.0%")
    return figure


def mistakes_plot(confusion: dict[str, Any], level: int | str) -> go.Figure:
    """Return how far wrong answers are from the right code."""
    within = {int(n): share for n, share in confusion["within"].items()}
    names, shares, before = [], [], 0.0
    for n in sorted(within, reverse=True):
        names.append(f"same {level_name(n)}")
        shares.append(within[n] - before)
        before = within[n]
    names.append("elsewhere")
    shares.append(1 - before)
    near = within[max(within)] if within else 0.0
    figure = _figure(
        f"{near:.0%} of wrong answers are siblings of the right {level_name(level)}",
        "Where the wrong answer lies",
        "Share of wrong answers",
    )
    figure.add_bar(x=names, y=shares, marker_color=BLUE, text=[f"{s:.0%}" for s in shares])
    figure.update_yaxes(tickformat=".0%")
    return figure


def _figure(title: str, x: str, y: str) -> go.Figure:
    figure = go.Figure()
    figure.update_layout(
        title={"text": title, "font": {"size": 15}},
        xaxis_title=x,
        yaxis_title=y,
        template="plotly_white",
        height=_HEIGHT,
        margin={"l": 70, "r": 20, "t": 50, "b": 60},
        legend={"orientation": "h", "y": -0.25},
        font={"family": "system-ui, sans-serif"},
    )
    return figure


def _unit(figure: go.Figure) -> go.Figure:
    figure.update_xaxes(range=[0, 1.02])
    figure.update_yaxes(range=[0, 1.02])
    return figure


def _errors(cells: Sequence[Cell]) -> dict[str, Any]:
    return {
        "type": "data",
        "symmetric": False,
        "array": [cell["high"] - cell["value"] for cell in cells],
        "arrayminus": [cell["value"] - cell["low"] for cell in cells],
        "thickness": 1.2,
        "width": 3,
    }


def _point(
    figure: go.Figure, coverage: Cell, accuracy: Cell, name: str, colour: str, symbol: str
) -> None:
    if coverage["value"] is None or accuracy["value"] is None:
        return
    figure.add_scatter(
        x=[coverage["value"]],
        y=[accuracy["value"]],
        error_x=_errors([coverage]),
        error_y=_errors([accuracy]),
        mode="markers",
        name=name,
        marker={"color": colour, "symbol": symbol, "size": 11},
    )


def _percent(cell: Cell) -> str:
    return "none" if cell["value"] is None else f"{cell['value']:.1%}"
