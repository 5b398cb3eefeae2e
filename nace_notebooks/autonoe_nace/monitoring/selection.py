"""Which predictions are meant: days, deployment, version of the model."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from autonoe.errors import InvalidInputError

_FOUR_WEEKS = 28
_SEASON_DAYS = 364
"""52 weeks: a year back on the same day of the week."""


@dataclass(frozen=True)
class Window:
    """Days from ``first`` to ``last`` (UTC), both included."""

    first: date
    last: date

    def __post_init__(self) -> None:
        if self.last < self.first:
            raise InvalidInputError(
                f"The window ends on {self.last}, before it begins on {self.first}."
            )

    @classmethod
    def parse(cls, text: str, *, today: date) -> Window:
        """Read ``2026-01-01..2026-03-31``, one day, or ``7d`` for the 7 days up to ``today``.

        Raises
        ------
        InvalidInputError
            If the text is none of these.
        """
        try:
            if text.endswith("d") and text[:-1].isdigit():
                return cls(today - timedelta(days=max(1, int(text[:-1])) - 1), today)
            first, _, last = text.partition("..")
            return cls(date.fromisoformat(first), date.fromisoformat(last or first))
        except (ValueError, OverflowError) as error:
            raise InvalidInputError(
                f"{text!r} is no window of days.",
                hint="Write 2026-01-01..2026-03-31, one day, or 7d for the last seven days.",
            ) from error

    @property
    def days(self) -> int:
        """Number of days."""
        return (self.last - self.first).days + 1

    def before(self) -> Window:
        """Return the window of the same length that ends the day before this one begins."""
        return self.moved(self.days)

    def same_season(self) -> Window:
        """Return the window 52 weeks earlier: same season, same days of the week."""
        return self.moved(_SEASON_DAYS)

    def moved(self, days: int) -> Window:
        """Return the window ``days`` days earlier."""
        step = timedelta(days=days)
        return Window(self.first - step, self.last - step)

    def __str__(self) -> str:
        """Return ``2026-01-01..2026-03-31``."""
        return f"{self.first}..{self.last}"


def last_two(span: Window) -> tuple[Window, Window] | None:
    """Return the last four weeks and the four before, or the halves of a shorter span.

    Returns
    -------
    tuple of Window or None
        Earlier one first; None of a single day.
    """
    length = min(_FOUR_WEEKS, span.days // 2)
    if length == 0:
        return None
    after = Window(span.last - timedelta(days=length - 1), span.last)
    return after.before(), after


@dataclass(frozen=True)
class Selection:
    """What a question is about; everything by default."""

    window: Window | None = None
    deployment: str | None = None
    version: str | None = None

    def within(self, window: Window) -> Selection:
        """Return the same for other days."""
        return replace(self, window=window)

    @property
    def where(self) -> str:
        """SQL condition over columns ``date``, ``deployment`` and ``version``."""
        parts = ["true"]
        if self.window is not None:
            parts.append("date BETWEEN $first AND $last")
        if self.deployment is not None:
            parts.append("deployment = $deployment")
        if self.version is not None:
            parts.append("version = $version")
        return " AND ".join(parts)

    @property
    def parameters(self) -> dict[str, Any]:
        """Values of the condition's parameters."""
        values: dict[str, Any] = {}
        if self.window is not None:
            values |= {"first": self.window.first, "last": self.window.last}
        if self.deployment is not None:
            values["deployment"] = self.deployment
        if self.version is not None:
            values["version"] = self.version
        return values


ALL = Selection()


def hundredths(threshold: float) -> int:
    """Return the threshold in hundredths.

    Raises
    ------
    InvalidInputError
        If it is not between 0 and 1.
    """
    if not 0 <= threshold <= 1:
        raise InvalidInputError(f"The threshold is between 0 and 1, not {threshold}.")
    return round(threshold * 100)
