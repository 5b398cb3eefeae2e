"""The dashboard: how much is coded automatically, and what another threshold would change.

It is a plain ipywidgets object, so it works in JupyterLab, Notebook 7 and Voilà; the charts carry
their own JavaScript and need no network.
"""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

import ipywidgets as widgets
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from autonoe.errors import AutonoeError
from autonoe_nace.dashboard_html import percent, table
from autonoe_nace.dashboard_tabs import Tabs
from autonoe_nace.logs.place import logs_uri
from autonoe_nace.monitoring import PredictionStatistics, Rate
from autonoe_nace.monitoring.gold import own_gold
from autonoe_nace.monitoring.selection import Selection

_BLUE, _ORANGE, _GREY = "#0072B2", "#D55E00", "#8A8A8A"
"""Okabe and Ito's colours: they stay apart for colour-blind people."""
_ALL = "All deployments"
_FEW_DAYS, _MANY_DAYS = 5, 40

_STYLE = """
<style>
.autonoe-nace { border: 1px solid var(--jp-border-color2, #ddd); border-radius: 6px;
  background: var(--jp-layout-color1, #fff); color: var(--jp-ui-font-color1, #1f1f1f);
  font-family: var(--jp-ui-font-family, system-ui, sans-serif); padding: 12px 16px;
  max-width: 1100px; }
.autonoe-nace h2 { font-size: 1.3em; margin: 0 0 4px; }
.autonoe-nace .finding { font-size: 1.6em; font-weight: 600; line-height: 1.3; margin: 8px 0; }
.autonoe-nace .quiet { color: var(--jp-ui-font-color2, #555); margin: 0; }
.autonoe-nace table { border-collapse: collapse; }
.autonoe-nace th, .autonoe-nace td { text-align: right; padding: 2px 12px 2px 0;
  border-bottom: 1px solid var(--jp-border-color2, #ddd); font-variant-numeric: tabular-nums; }
.autonoe-nace .widget-html-content { line-height: 1.4; }
.autonoe-nace th, .autonoe-nace td { white-space: nowrap; vertical-align: top; }
.autonoe-nace .text { text-align: left; }
.autonoe-nace td.text { white-space: normal; min-width: 4em; }
.autonoe-nace h3 { font-size: 1.05em; margin: 14px 0 4px; }
.autonoe-nace .widget-html-content { overflow-x: auto; }
.autonoe-nace summary { cursor: pointer; padding: 4px 0; }
</style>
"""


class Dashboard:
    """Requests per day, automatic-coding rate by threshold, distribution of the confidence index.

    Parameters
    ----------
    statistics : PredictionStatistics
        The logs' numbers.
    threshold : float
        Where the slider starts, in [0, 1].
    gold : str, optional
        Where the gold standard lies.

    Attributes
    ----------
    widget : ipywidgets.Widget
        What to show.
    """

    def __init__(
        self, statistics: PredictionStatistics, *, threshold: float = 0.8, gold: str | None = None
    ) -> None:
        self.statistics = statistics
        names = statistics.deployments()
        self.threshold = widgets.FloatSlider(
            value=threshold,
            min=0,
            max=1,
            step=0.01,
            description="Threshold",
            readout_format=".2f",
            layout=widgets.Layout(width="min(480px, 100%)"),
        )
        self.deployment = widgets.Dropdown(
            options=[(_ALL, ""), *((name, name) for name in names)],
            value="",
            description="Deployment",
        )
        self.finding = widgets.HTML()
        self.tables = widgets.HTML()
        # drawn before it becomes a widget: what changes before the page has it is lost
        figure = _empty_figure()
        first = self.numbers()
        _draw(figure, first)
        self.figure = go.FigureWidget(figure)
        self.threshold.observe(self._update, "value")
        self.deployment.observe(self._update, "value")
        title = widgets.HTML(
            f"{_STYLE}<h2>Automatic coding</h2><p class='quiet'>What the served model coded by "
            "itself, and what it would code with another threshold of the confidence index.</p>"
        )
        controls = widgets.HBox(
            [self.threshold, self.deployment], layout=widgets.Layout(flex_flow="row wrap")
        )
        self.tabs = Tabs(statistics.logs, self._question, gold=gold)
        self.widget = widgets.VBox(
            [title, controls, self.finding, self.figure, self.tables, self.tabs.widget]
        )
        self.widget.add_class("autonoe-nace")
        self._show(first)
        self.tabs.update()

    def numbers(self) -> dict[str, Any]:
        """Return the numbers that are shown now."""
        threshold, chosen = self.threshold.value, self.deployment.value or None
        rate = self.statistics.automatic(threshold, deployment=chosen)
        return {
            "threshold": threshold,
            "automatic": rate,
            "per_day": self.statistics.per_day(deployment=chosen),
            "automatic_per_day": self.statistics.automatic_per_day(threshold, deployment=chosen),
            "confidence": self.statistics.confidence(deployment=chosen),
        }

    def _question(self) -> tuple[float, Selection]:
        return self.threshold.value, Selection(deployment=self.deployment.value or None)

    def _update(self, _change: object = None) -> None:
        now = self.numbers()
        self._show(now)
        _draw(self.figure, now)
        self.tabs.update()

    def _show(self, now: dict[str, Any]) -> None:
        rate: Rate = now["automatic"]
        self.finding.value = (
            f"<div class='finding' role='status' aria-live='polite'>At {now['threshold']:.2f}, "
            f"{percent(rate.value)} of {rate.n:,} descriptions are coded automatically</div>"
            f"<p class='quiet'>95 % interval {percent(rate.low)} to {percent(rate.high)}; the "
            f"other {rate.n - round(rate.value * rate.n):,} go to a person.</p>"
        )
        self.tables.value = _tables(now)


def _draw(figure: go.Figure, now: dict[str, Any]) -> None:
    days, daily = now["per_day"], now["automatic_per_day"]
    classes, threshold = now["confidence"], now["threshold"]
    # a date axis under one or two days shows hours that mean nothing
    kind = "category" if len(days) <= _FEW_DAYS else "date"
    with figure.batch_update():
        figure.layout.xaxis.type = figure.layout.xaxis2.type = kind
        figure.data[0].x = [str(row["date"]) for row in days]
        figure.data[0].y = [int(row["predictions"]) for row in days]
        figure.data[1].x = [str(row["date"]) for row in daily]
        figure.data[1].y = [100 * row["rate"] for row in daily]
        # of many days the intervals hide the line; they are in the table
        figure.data[1].error_y.visible = len(daily) <= _MANY_DAYS
        figure.data[1].mode = "lines+markers" if len(daily) <= _MANY_DAYS else "lines"
        figure.data[1].error_y.array = [100 * (row["high"] - row["rate"]) for row in daily]
        figure.data[1].error_y.arrayminus = [100 * (row["rate"] - row["low"]) for row in daily]
        figure.data[2].x = [float(row["lower"]) + 0.025 for row in classes]
        figure.data[2].y = [int(row["n"]) for row in classes]
        figure.data[2].marker.color = [
            _BLUE if float(row["lower"]) >= threshold - 1e-9 else _GREY for row in classes
        ]
        figure.layout.shapes[0].x0 = figure.layout.shapes[0].x1 = threshold
        for place, text in enumerate(_titles(now)):
            figure.layout.annotations[place].text = text


def dashboard(
    uri: str | None = None,
    *,
    threshold: float = 0.8,
    account: str | None = None,
    gold: str | None = None,
) -> widgets.Widget:
    """Return the dashboard of the logs at ``uri``, or a card that says why there is none.

    Parameters
    ----------
    uri : str, optional
        ``s3://…`` or a folder; by default the account's own logs.
    threshold : float
        Where the slider starts, in [0, 1].
    account : str, optional
        Whose logs; by default those of the account that runs the kernel.
    gold : str, optional
        Gold standard to show, ``s3://…`` or a folder; the account's own beside its own logs.
    """
    if gold is None and uri is None:
        gold = own_gold(account=account)
    try:
        statistics = PredictionStatistics(uri or logs_uri(account=account))
        return Dashboard(statistics, threshold=threshold, gold=gold).widget
    except AutonoeError as error:
        card = widgets.HTML(
            f"{_STYLE}<h2>Automatic coding</h2><p>{html.escape(error.message)}</p>"
            f"<p class='quiet'>{html.escape(error.hint)}</p>"
        )
        box = widgets.VBox([card])
        box.add_class("autonoe-nace")
        return box


def _empty_figure() -> go.Figure:
    grid = make_subplots(rows=1, cols=3, subplot_titles=(" ", " ", " "), horizontal_spacing=0.08)
    grid.add_bar(marker_color=_BLUE, row=1, col=1, name="Predictions")
    grid.add_scatter(
        mode="lines+markers",
        line_color=_ORANGE,
        error_y={"type": "data", "array": [], "arrayminus": [], "symmetric": False},
        row=1,
        col=2,
        name="Automatic",
    )
    grid.add_bar(row=1, col=3, width=0.045, name="Descriptions")
    grid.add_shape(
        type="line",
        x0=0,
        x1=0,
        y0=0,
        y1=1,
        yref="y3 domain",
        xref="x3",
        line={"color": _ORANGE, "width": 2, "dash": "dash"},
    )
    grid.update_xaxes(title_text="Day (UTC)", row=1, col=1)
    grid.update_xaxes(title_text="Day (UTC)", row=1, col=2)
    grid.update_xaxes(title_text="Confidence index", range=[0, 1], row=1, col=3)
    grid.update_yaxes(title_text="Predictions", rangemode="tozero", row=1, col=1)
    grid.update_yaxes(title_text="Coded automatically (%)", range=[0, 100], row=1, col=2)
    grid.update_yaxes(title_text="Descriptions", rangemode="tozero", row=1, col=3)
    # white whatever the theme, so that the contrast of the text is known
    grid.update_layout(
        template="plotly_white",
        showlegend=False,
        height=340,
        width=1040,
        margin={"l": 60, "r": 20, "t": 60, "b": 60},
        font={"color": "#222", "size": 12},
        paper_bgcolor="#fff",
    )
    grid.update_annotations(font_size=14)
    return grid


def _titles(now: dict[str, Any]) -> Sequence[str]:
    days, daily = now["per_day"], now["automatic_per_day"]
    total = sum(int(row["predictions"]) for row in days)
    plural = "days" if len(days) != 1 else "day"
    rates = [100 * row["rate"] for row in daily] or [0.0]
    below = sum(int(row["n"]) for row in now["confidence"] if float(row["lower"]) < 0.2)
    share = 100 * below / max(1, now["automatic"].n)
    spread = (
        f"{rates[0]:.0f} % automatic"
        if len(rates) == 1
        else f"{min(rates):.0f} to {max(rates):.0f} % automatic by day"
    )
    return (
        f"{total:,} predictions on {len(days)} {plural}",
        spread,
        f"{share:.0f} % have an index below 0.2",
    )


def _tables(now: dict[str, Any]) -> str:
    daily = {row["date"]: row for row in now["automatic_per_day"]}
    rows = []
    for day in now["per_day"]:
        rate = daily.get(day["date"])
        shown = f"{Rate(rate['rate'], rate['low'], rate['high'], rate['n'])}" if rate else ""
        rows.append(
            (
                day["date"],
                f"{int(day['requests']):,}",
                f"{int(day['predictions']):,}",
                f"{int(day['errors']):,}",
                shown,
                f"{day['latency_p50_ms']:.1f}",
                f"{day['latency_p99_ms']:.1f}",
            )
        )
    head = (
        *("Day (UTC)", "Requests", "Predictions", "Errors", "Automatic (95 % interval)"),
        *("Latency p50 (ms)", "p99 (ms)"),
    )
    classes = [
        (f"{float(row['lower']):.2f} to {float(row['lower']) + 0.05:.2f}", f"{int(row['n']):,}")
        for row in now["confidence"]
    ]
    return (
        f"<details><summary>The same numbers by day</summary>{table(head, rows)}</details>"
        "<details><summary>The same numbers by confidence index</summary>"
        f"{table(('Confidence index', 'Descriptions'), classes)}</details>"
    )
