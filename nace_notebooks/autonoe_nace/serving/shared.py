"""Numbers that the processes of one server share: anonymous memory, inherited by fork."""

from __future__ import annotations

import fcntl
import mmap
import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager

_CELL_BYTES = 8
_NOTE_BYTES = 1024


class Numbers:
    """A table of 64-bit floats: whole numbers are exact up to 2**53.

    Parameters
    ----------
    rows, columns : int
        Size of the table; pages that nobody writes to take no memory.

    Attributes
    ----------
    cells : memoryview
        All cells, row after row.
    """

    def __init__(self, rows: int, columns: int) -> None:
        self.rows = rows
        self.columns = columns
        self._memory = mmap.mmap(-1, rows * columns * _CELL_BYTES)
        self.cells: memoryview[float] = memoryview(self._memory).cast("d")

    def row(self, number: int) -> memoryview[float]:
        """Return one row to write to."""
        return self.cells[number * self.columns : (number + 1) * self.columns]

    def total(self, column: int) -> float:
        """Return the sum of ``column`` over all rows."""
        return float(sum(self.cells[column :: self.columns]))


class RowLocks:
    """One lock a row, held by a process at most, and gone with it when it is killed.

    A lock in the memory itself would stay locked for ever after a kill; the kernel's record locks
    on a file without content do not, and cost 1.4 microseconds to take and give back.
    """

    def __init__(self) -> None:
        # a file in memory: a full disk must not keep a server from starting
        self._descriptor = os.memfd_create("autonoe-locks")
        weakref.finalize(self, os.close, self._descriptor)

    def take(self, row: int) -> None:
        """Wait for the lock of ``row``; threads of one process are not kept apart."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_EX, 1, row)

    def release(self, row: int) -> None:
        """Give the lock of ``row`` back."""
        fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, row)

    @contextmanager
    def holding(self, row: int) -> Iterator[None]:
        """Hold the lock of ``row`` in a block; taking and releasing it costs half as much."""
        self.take(row)
        try:
            yield
        finally:
            self.release(row)


class Note:
    """A short text that one process leaves for the others."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, _NOTE_BYTES)

    def write(self, text: str) -> None:
        """Leave ``text``, cut to what fits."""
        raw = text.encode()[: _NOTE_BYTES - 2]
        self._memory[1 : len(raw) + 2] = raw + b"\0"

    def read(self) -> str:
        """Return the last text, empty at first."""
        raw = self._memory[1:]
        return raw[: raw.index(b"\0")].decode(errors="ignore")
