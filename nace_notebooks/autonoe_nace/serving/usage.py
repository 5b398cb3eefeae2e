"""What each key used and may still use, the same for all workers of a server."""

from __future__ import annotations

import json
import logging
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from autonoe_nace.serving.errors import LimitError
from autonoe_nace.serving.shared import Numbers, RowLocks

_LOGGER = logging.getLogger(__name__)

KEYS = 4_096
"""Keys that are counted apart; those beyond share the last place."""
DAYS = 31
DAY_S = 86_400

_ID_BYTES = 16
_TOKENS, _REFILLED, _FIRST = 0, 1, 2
_DAY, _REQUESTS, _RECORDS, _REFUSED = 0, 1, 2, 3
_WIDTH = 4
_ASSIGNING = KEYS
"""The lock under which a key gets its place."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one key may use; 0 means as much as it likes."""

    rate_per_s: float = 0.0
    """Requests per second in the long run."""
    burst: int = 0
    """Requests that may come at once; 0 for those of two seconds."""
    records_per_day: int = 0
    """Records between two midnights, UTC."""

    @property
    def bucket(self) -> float:
        """Return how many requests may come at once."""
        return float(self.burst) if self.burst else max(1.0, 2 * self.rate_per_s)


@dataclass(frozen=True, slots=True)
class DayUse:
    """What a key used on one day (UTC)."""

    date: str
    requests: int
    records: int
    refused: int


class UsageTable:
    """Counts and limits by key in shared memory, copied to a file so that a restart keeps them.

    Parameters
    ----------
    path : Path
        File of the copy, mode 0600.
    clock : callable
        Seconds since 1970, UTC.
    """

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._table = Numbers(KEYS, _FIRST + DAYS * _WIDTH)
        # its very last cell counts the keys
        self._ids = Numbers(KEYS + 1, _ID_BYTES // 8)
        self._locks = RowLocks()
        self._places: dict[str, tuple[int, memoryview[float]]] = {}
        self._saved = ""
        self._failing = False
        self._restore()

    def admit(self, key_id: str, limits: Limits, records: int = 0) -> None:
        """Count one request of the key, and ``records`` of its day.

        Raises
        ------
        LimitError
            ``rate_limited`` when it came too early; then it is counted as refused. With
            ``records`` as :meth:`spend`.
        """
        place, row = self._places.get(key_id) or self._place(key_id)
        now = self._clock()
        self._locks.take(place)
        try:
            start = self._today(row, now)
            if limits.rate_per_s:
                tokens = self._refill(row, limits, now)
                if tokens < 1:
                    row[start + _REFUSED] += 1
                    raise LimitError(
                        f"More than {limits.rate_per_s:g} requests a second came with this key.",
                        hint="Wait for the seconds in Retry-After; put many records into one "
                        "request.",
                        code="rate_limited",
                        retry_after_s=math.ceil((1 - tokens) / limits.rate_per_s),
                    )
                row[_TOKENS] = tokens - 1
            row[start + _REQUESTS] += 1
            if records:
                self._spend(row, start, limits, records, now)
        finally:
            self._locks.release(place)

    def spend(self, key_id: str, limits: Limits, records: int) -> None:
        """Count ``records`` of the key's day.

        Raises
        ------
        LimitError
            ``quota_exceeded`` when fewer are left; then none is counted.
        """
        place, row = self._places.get(key_id) or self._place(key_id)
        now = self._clock()
        self._locks.take(place)
        try:
            self._spend(row, self._today(row, now), limits, records, now)
        finally:
            self._locks.release(place)

    def days(self, key_id: str) -> list[DayUse]:
        """Return the key's last days that saw a request, the latest first."""
        place, row = self._places.get(key_id) or self._place(key_id)
        with self._locks.holding(place):
            self._today(row, self._clock())
            cells = list(row)
        found = _days(cells)
        return sorted(found, key=lambda day: day.date, reverse=True)

    def today(self, key_id: str) -> DayUse:
        """Return what the key used since midnight, UTC."""
        day = date(1970, 1, 1) + timedelta(days=int(self._clock() // DAY_S))
        found = [use for use in self.days(key_id) if use.date == day.isoformat()]
        return found[0] if found else DayUse(day.isoformat(), 0, 0, 0)

    def save(self) -> None:
        """Copy the counts to the file when they changed; a full disk is reported once."""
        keys: dict[str, dict[str, list[int]]] = {}
        for place in range(int(self._ids.cells[-1])):
            raw = bytes(self._ids.row(place).cast("B")).rstrip(b"\0")
            keys[raw.decode()] = {
                day.date: [day.requests, day.records, day.refused]
                for day in _days(list(self._table.row(place)))
            }
        text = json.dumps(keys)
        if text == self._saved:
            return
        partial = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            partial.unlink(missing_ok=True)
            descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as stream:
                stream.write(text)
            partial.replace(self._path)
        except OSError as error:
            if not self._failing:
                _LOGGER.error("The use of the keys cannot be saved: %s", error.strerror)
            self._failing = True
        else:
            self._saved, self._failing = text, False

    def _restore(self) -> None:
        try:
            keys = json.loads(self._path.read_text())
            for key_id, days in keys.items():
                _, row = self._place(key_id)
                for text, counts in days.items():
                    day = date.fromisoformat(text)
                    number = (day - date(1970, 1, 1)).days
                    start = _FIRST + (number % DAYS) * _WIDTH
                    for offset, value in enumerate([number, *map(int, counts[:3])]):
                        row[start + offset] = value
        except FileNotFoundError:
            return
        except (OSError, ValueError, AttributeError, TypeError):
            _LOGGER.error("The file of the use of keys cannot be read; counting begins anew")

    def _place(self, key_id: str) -> tuple[int, memoryview[float]]:
        """Return where the key is counted, found or taken now."""
        raw = key_id.encode()[:_ID_BYTES].ljust(_ID_BYTES, b"\0")
        with self._locks.holding(_ASSIGNING):
            count = int(self._ids.cells[-1])
            for place in range(count):
                if bytes(self._ids.row(place).cast("B")) == raw:
                    break
            else:
                place = min(count, KEYS - 1)
                self._ids.row(place).cast("B")[:] = memoryview(raw)
                self._ids.cells[-1] = place + 1
        self._places[key_id] = place, self._table.row(place)
        return self._places[key_id]

    @staticmethod
    def _spend(
        row: memoryview[float], start: int, limits: Limits, records: int, now: float
    ) -> None:
        used = row[start + _RECORDS]
        if limits.records_per_day and used + records > limits.records_per_day:
            row[start + _REFUSED] += 1
            left = max(0, limits.records_per_day - int(used))
            raise LimitError(
                f"This key may have {limits.records_per_day} records coded a day; {left} are "
                "left today.",
                hint="The day ends at midnight UTC; whoever deployed the API can raise it.",
                code="quota_exceeded",
                retry_after_s=math.ceil(DAY_S - now % DAY_S),
            )
        row[start + _RECORDS] = used + records

    @staticmethod
    def _today(row: memoryview[float], now: float) -> int:
        """Return where today's counts begin in ``row``; what lay there a month ago is cleared."""
        number = int(now // DAY_S)
        start = _FIRST + (number % DAYS) * _WIDTH
        if row[start + _DAY] != number:
            for offset, value in enumerate((number, 0, 0, 0)):
                row[start + offset] = value
        return start

    @staticmethod
    def _refill(row: memoryview[float], limits: Limits, now: float) -> float:
        """Return the tokens in the key's bucket now; a key seen for the first time has all."""
        since = row[_REFILLED]
        row[_REFILLED] = now
        if not since:
            return limits.bucket
        # a clock that was set back must not empty the bucket
        gained = max(0.0, now - since) * limits.rate_per_s
        tokens = min(limits.bucket, row[_TOKENS] + gained)
        row[_TOKENS] = tokens
        return tokens


def _days(cells: list[float]) -> list[DayUse]:
    out = []
    for start in range(_FIRST, _FIRST + DAYS * _WIDTH, _WIDTH):
        number, *counts = (int(value) for value in cells[start : start + _WIDTH])
        if number and any(counts):
            day = date(1970, 1, 1) + timedelta(days=number)
            out.append(DayUse(day.isoformat(), *counts))
    return out
