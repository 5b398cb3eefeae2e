"""The dashboard's choice of two windows of time."""

from __future__ import annotations

from collections.abc import Callable

import ipywidgets as widgets

from autonoe.errors import InvalidInputError
from autonoe_nace.monitoring import Window
from autonoe_nace.monitoring.selection import last_two


class WindowChoice:
    """Four dates: two windows, the last four weeks and the four before until somebody chooses.

    Parameters
    ----------
    changed : callable
        Called when somebody chose other days.

    Attributes
    ----------
    before_first, before_last, after_first, after_last : ipywidgets.DatePicker
        First and last day of the windows, both included.
    widget : ipywidgets.Widget
        What to show; it may be shown in several places.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed, self._own = changed, False
        names = ("Before", "to", "After", "to")
        pickers = [
            widgets.DatePicker(
                description=name,
                style={"description_width": "initial"},
                layout=widgets.Layout(width="min(205px, 100%)", margin="2px 8px 2px 0"),
            )
            for name in names
        ]
        self.before_first, self.before_last, self.after_first, self.after_last = pickers
        self._pickers = pickers
        for picker in pickers:
            picker.observe(self._chosen, "value")
        self.again = widgets.Button(description="Last four weeks", icon="undo")
        self.again.on_click(lambda _: self._reset())
        self.widget = widgets.HBox(
            [*pickers, self.again], layout=widgets.Layout(flex_flow="row wrap")
        )
        self._span: Window | None = None

    def suggest(self, span: Window | None) -> None:
        """Show the last two windows of the days with logs, unless somebody has chosen others."""
        self._span = span
        pair = last_two(span) if span else None
        if self._own or pair is None:
            return
        days = [day for window in pair for day in (window.first, window.last)]
        for picker, day in zip(self._pickers, days, strict=True):
            picker.unobserve(self._chosen, "value")
            picker.value = day
            picker.observe(self._chosen, "value")

    def windows(self) -> tuple[Window, Window]:
        """Return the two windows that are shown.

        Raises
        ------
        InvalidInputError
            If a day is missing or a window ends before it begins.
        """
        days = [picker.value for picker in self._pickers]
        if None in days:
            raise InvalidInputError(
                "Two windows need four dates.",
                hint="With two days of logs at least, the last four weeks are offered.",
            )
        return Window(days[0], days[1]), Window(days[2], days[3])

    def _chosen(self, _change: object) -> None:
        self._own = True
        self._changed()

    def _reset(self) -> None:
        self._own = False
        self.suggest(self._span)
        self._changed()
