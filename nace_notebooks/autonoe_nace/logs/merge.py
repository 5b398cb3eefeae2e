"""Bring one staged file into its days: what the store has is left out, the rest is added."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from autonoe_nace.logs.record import SCHEMA, conform
from autonoe_nace.logs.store import PartitionStore

FULL = 250_000
"""Rows from which on a day's file is left as it is, and the next one begun."""


class Staged:
    """A staged file, and which of its rows are still wanted.

    Parameters
    ----------
    file : Path
        As :func:`autonoe_nace.logs.segments.stage` wrote it.
    unique : bool
        Whether it is known that no prediction is twice in it.

    Attributes
    ----------
    duplicates : int
        Rows that were in the file, or in the store, before.
    """

    def __init__(self, file: Path, *, unique: bool = False) -> None:
        self.file = file
        rows = pq.read_table(file, columns=["time"])
        # the UTC day holds all of it, the last microsecond included
        self._days = pc.cast(rows["time"], pa.date32()).combine_chunks()
        self._wanted = (
            pa.repeat(pa.scalar(True), len(rows)) if unique else _first_of_each(self._keys)
        )
        self.duplicates = len(rows) - int(pc.sum(self._wanted).as_py() or 0)

    @cached_property
    def _keys(self) -> pa.Array:
        return keys(pq.read_table(self.file, columns=["request_id", "position"]))

    @property
    def days(self) -> list[str]:
        """Days (UTC) of its rows, in order."""
        return sorted(day.as_py().isoformat() for day in pc.unique(self._days))

    def add_to(self, store: PartitionStore, day: str, folder: Path) -> int:
        """Add the day's rows that the store lacks; return how many there were.

        Parameters
        ----------
        store : PartitionStore
            Nobody else writes to it meanwhile.
        day : str
            One of :attr:`days`.
        folder : Path
            For files on their way.
        """
        mask = self._new_rows(store, day)
        count = int(pc.sum(mask).as_py() or 0)
        if count == 0:
            return 0
        number, held = store.newest(day)
        if held + count > FULL and held:
            number, held = number + 1, 0
        if held == 0 and count == len(self._days):
            store.publish(self.file, day, number)
            return count
        rebuilt = folder / "rebuilt.parquet"
        with pq.ParquetWriter(rebuilt, SCHEMA, compression="zstd") as writer:
            if held:
                with store.opened(store.path(day, number)) as before:
                    writer.write_table(conform(before.read()))
            for rows in self._rows(mask):
                writer.write_table(rows)
        store.publish(rebuilt, day, number)
        return count

    def _new_rows(self, store: PartitionStore, day: str) -> pa.Array:
        of_day = pc.equal(self._days, pa.scalar(day).cast(pa.date32()))
        mask = pc.and_(of_day, self._wanted)
        for path in store.files(day):
            with store.opened(path) as file:
                known = keys(file.read(columns=["request_id", "position"]))
            again = pc.and_(pc.is_in(self._keys, value_set=known), mask)
            self.duplicates += pc.sum(again).as_py() or 0
            mask = pc.and_not(mask, again)
        return mask

    def _rows(self, mask: pa.Array) -> Iterator[pa.Table]:
        """Yield the chosen rows group by group: a large file never lies in memory whole."""
        file, start = pq.ParquetFile(self.file), 0
        for group in range(file.num_row_groups):
            size = file.metadata.row_group(group).num_rows
            chosen = mask.slice(start, size)
            start += size
            if pc.any(chosen).as_py():
                yield conform(file.read_row_group(group)).filter(chosen)


def keys(rows: pa.Table) -> pa.Array:
    """Return one string a row that names the prediction: its request and place in it."""
    positions = pc.cast(rows["position"], pa.string())
    joined = pc.binary_join_element_wise(rows["request_id"], positions, "\0")
    found = joined.combine_chunks()
    return found if isinstance(found, pa.Array) else pa.concat_arrays(found.chunks)


def _first_of_each(keys: pa.Array) -> pa.Array:
    """Return which rows are the first with their key."""
    if pc.count_distinct(keys).as_py() == len(keys):
        return pa.repeat(pa.scalar(True), len(keys))
    places = pa.array(range(len(keys)), pa.int64())
    groups = pa.table({"key": keys, "place": places}).group_by("key")
    first = groups.aggregate([("place", "min")])["place_min"]
    return pc.is_in(places, value_set=first.combine_chunks())
