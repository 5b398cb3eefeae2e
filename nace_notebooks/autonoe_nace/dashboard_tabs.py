"""What lies behind the dashboard's first page: classes, windows, drift, service, gold standard.

Each tab is computed when it is opened, and again when the slider or the deployment changes.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import ipywidgets as widgets

from autonoe.errors import AutonoeError
from autonoe_nace.dashboard_gold import gold_page
from autonoe_nace.dashboard_html import Cell, interval, percent, points, ratio, table
from autonoe_nace.dashboard_windows import WindowChoice
from autonoe_nace.monitoring import (
    Logs,
    Selection,
    Window,
    compare,
    count_codes,
    drift,
    drill,
    hardest,
    nomenclature_of,
    operations,
    rarest,
)
from autonoe_nace.nomenclature import Nomenclature

Question = Callable[[], tuple[float, Selection]]


class Tabs:
    """Five tabs over the same logs.

    Parameters
    ----------
    logs : Logs
        Where to count.
    question : callable
        Returns the threshold and the selection that hold now.
    gold : str, optional
        Where the gold standard lies.

    Attributes
    ----------
    widget : ipywidgets.Widget
        What to show.
    """

    def __init__(self, logs: Logs, question: Question, *, gold: str | None = None) -> None:
        self._logs, self._question, self._gold = logs, question, gold
        self._under: list[str] = []
        # with its choices from the start: what changes before the page has it is lost
        self.code = widgets.Dropdown(
            options=self._choices(),
            description="Inside",
            layout=widgets.Layout(width="min(640px, 100%)"),
        )
        self.classes, self.compared, self.drift, self.service, self.gold = (
            widgets.HTML() for _ in range(5)
        )
        self.windows = WindowChoice(self._moved)
        self.windows.suggest(logs.span())
        self.measure = widgets.Button(description="Measure drift", icon="search")
        self.measure.on_click(lambda _: self._show(self.drift, self._drift))
        self.code.observe(self._chosen, "value")
        pages: dict[str, tuple[widgets.Widget, Callable[[], None]]] = {
            "Classes": (widgets.VBox([self.code, self.classes]), self._classes_page),
            "Two windows": (
                widgets.VBox([self.windows.widget, self.compared]),
                lambda: self._show(self.compared, self._compared),
            ),
            "Drift": (
                widgets.VBox([self.windows.widget, self.measure, self.drift]),
                lambda: None,
            ),
            "Service": (self.service, lambda: self._show(self.service, self._service)),
            "Gold standard": (self.gold, lambda: self._show(self.gold, self._gold_table)),
        }
        self._fill = [fill for _, fill in pages.values()]
        self.widget = widgets.Tab([page for page, _ in pages.values()], titles=list(pages))
        self.widget.observe(lambda _: self.update(), "selected_index")

    def update(self) -> None:
        """Compute the open tab again."""
        if self.widget.selected_index is not None:
            self._fill[self.widget.selected_index]()

    @cached_property
    def tree(self) -> Nomenclature | None:
        """The nomenclature of the codes, found out once."""
        return nomenclature_of(self._logs)

    def _show(self, place: widgets.HTML, make: Callable[[], str]) -> None:
        try:
            place.value = make()
        except AutonoeError as error:
            place.value = (
                f"<p>{html.escape(error.message)}</p><p class='quiet'>{html.escape(error.hint)}</p>"
            )

    def _classes_page(self) -> None:
        self._show(self.classes, self._classes)

    def _offer(self) -> None:
        self.code.unobserve(self._chosen, "value")
        self.code.options = self._choices()  # which chooses the first one
        self.code.observe(self._chosen, "value")

    def _choices(self) -> list[tuple[str, str]]:
        """Return what the open code holds, and the way back up."""
        if self.tree is None:
            return [("All codes", "")]
        _, selection = self._question()
        inside = self._under[-1] if self._under else ""
        rows = drill(self._logs, self.tree, under=inside, selection=selection)
        up = [(f"Up, out of {inside}", "..")] if inside else []
        names = [(f"{row['code']}  {row['title']}"[:80], row["code"]) for row in rows]
        here = "All sections" if not inside else f"{inside}  {self.tree.title(inside)}"[:80]
        return [(here, ""), *up, *names]

    def _chosen(self, change: Any) -> None:
        if change["new"] == "..":
            self._under.pop()
        elif change["new"]:
            self._under.append(change["new"])
        else:
            return
        self._offer()
        self._show(self.classes, self._classes)

    def _classes(self) -> str:
        if self.tree is None:
            return "<p class='quiet'>The codes belong to no nomenclature that is known here.</p>"
        threshold, selection = self._question()
        counts = count_codes(self._logs, threshold=threshold, selection=selection)
        head = ("Code", "Title", "Predictions", "Share", "Automatic (95 % interval)")
        inside = self._under[-1] if self._under else ""
        parts = [
            ("", drill(self._logs, self.tree, under=inside, counts=counts)),
            ("<h3>Hardest classes</h3>", hardest(self._logs, self.tree, counts=counts)),
            ("<h3>Rarest classes</h3>", rarest(self._logs, self.tree, counts=counts)),
        ]
        return "".join(
            title
            + table(
                head,
                [
                    (
                        *(row["code"], row["title"], f"{row['n']:,}", percent(row["share"])),
                        interval(row["automatic"]) if row["n"] else "",
                    )
                    for row in rows
                ],
                texts=2,
            )
            for title, rows in parts
        )

    def _asked(self) -> tuple[Window, Window, float, Selection]:
        threshold, selection = self._question()
        self.windows.suggest(self._logs.span(selection))
        return *self.windows.windows(), threshold, selection

    def _moved(self) -> None:
        self.drift.value = ""  # it was measured between other days
        self.update()

    def _compared(self) -> str:
        before, after, threshold, selection = self._asked()
        found = compare(
            self._logs, before, after, threshold=threshold, tree=self.tree, selection=selection
        )
        first, second = found["before"], found["after"]
        rows: list[Sequence[Cell]] = [
            (
                "Predictions a day",
                f"{first['per_day']:,.0f}",
                f"{second['per_day']:,.0f}",
                ratio(first["per_day"], second["per_day"]),
            ),
            (
                f"Automatic at {threshold:.2f}",
                percent(first["automatic"]["value"]),
                percent(second["automatic"]["value"]),
                points(found["automatic"]),
            ),
            (
                "Refused",
                percent(first["errors"]["value"]),
                percent(second["errors"]["value"]),
                points(found["errors"]),
            ),
            (
                "Latency p99 (ms)",
                f"{first['latency_ms']['p99']:.1f}",
                f"{second['latency_ms']['p99']:.1f}",
                ratio(first["latency_ms"]["p99"], second["latency_ms"]["p99"]),
            ),
        ]
        head = ("", str(before), str(after), "Change (95 % interval)")
        sections = [
            (
                f"{row['code']}  {row['title']}",
                *(percent(row[when]) for when in ("before", "after")),
                points(row["change"]),
            )
            for row in found.get("sections", [])[:10]
        ]
        return (
            table(head, rows)
            + "<h3>Sections whose share changed most</h3>"
            + table(("Section", *head[1:]), sections)
        )

    def _drift(self) -> str:
        before, after, _, selection = self._asked()
        found = drift(self._logs, before, after, tree=self.tree, selection=selection)
        rows = [
            (
                *(row["label"], row["kind"]),
                *(f"{row['distances']['hellinger']:.3f}", f"{row['baseline']['hellinger']:.3f}"),
                f"{row['season_usual']['hellinger']:.3f}" if row["season_usual"] else "",
                f"{row['distances']['bhattacharyya']:.4f}",
                f"{row['distances']['kullback_leibler']:.4f}",
                f"{row['distances']['ks']:.3f}" if "ks" in row["distances"] else "",
                f"{row['distances']['cramers_v']:.3f}",
                f"{'▲ ' if row['verdict'] == 'changed' else ''}{row['verdict']}",
            )
            for row in found["variables"]
        ]
        head = ("Variable", "", "Hellinger", "Usual", "Last year", "Bhattacharyya")
        note = (
            f"<p class='quiet'>{before} against {after}. “Usual” is the distance that such windows "
            "have in 95 of 100 cases when nothing changes, “last year” what the same weeks have in "
            "95 of 100 years like the last.</p>"
        )
        more = ("Kullback-Leibler", "Kolmogorov-Smirnov", "Cramér's V", "Finding")
        return note + table((*head, *more), rows, texts=2)

    def _service(self) -> str:
        threshold, selection = self._question()
        found = operations.latency(self._logs, selection)
        quantiles = [(name, f"{value:.1f}") for name, value in found.items()]
        errors = [
            (row["error"], f"{row['n']:,}", interval(row["share"]))
            for row in operations.errors(self._logs, selection)
        ]
        versions = [
            (
                *(row["version"], row["deployment"], row["first"], row["last"]),
                *(f"{row['predictions']:,}", f"{row['looked_up']:,}"),
                interval(row["automatic"]),
            )
            for row in operations.versions(self._logs, threshold, selection)
        ]
        head = ("Version", "Deployment", "First day", "Last day", "Predictions", "Looked up")
        return (
            "<h3>Model versions</h3>"
            + table((*head, f"Automatic at {threshold:.2f}"), versions, texts=2)
            + "<h3>Latency of requests (ms)</h3>"
            + table(("Quantile", "ms"), quantiles)
            + "<h3>Errors</h3>"
            + table(("Error", "Predictions", "Share (95 % interval)"), errors)
        )

    def _gold_table(self) -> str:
        threshold, selection = self._question()
        return gold_page(self._gold, threshold, self.tree, selection)
