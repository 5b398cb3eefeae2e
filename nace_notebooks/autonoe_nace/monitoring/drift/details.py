"""Counts of words and side variables, which the facts do not hold, from a part of the rows."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autonoe_nace.monitoring.drift.counts import DayCounts, Variable
from autonoe_nace.monitoring.selection import Selection, Window
from autonoe_nace.monitoring.source import Logs

PSEUDONYM = "hmac-sha256:"
_FREQUENT = 300
_ROWS = 50_000
"""Of a window; what drawing them adds to a distance shrinks with the root of their number only."""
_WORDS = Variable("words", "Words of the texts", "input")

Tallies = dict[Variable, dict[date, Counter[str]]]


def from_details(
    logs: Logs, selection: Selection, windows: Iterable[Window], *, rows: int = _ROWS
) -> dict[Variable, DayCounts]:
    """Return the counts of side variables and words, from about ``rows`` rows of each window.

    Texts that are pseudonyms have no words.
    """
    tallies: Tallies = defaultdict(lambda: defaultdict(Counter))
    for window in windows:
        within = replace(selection, window=window)
        total = logs.rows("SELECT count(*) AS n FROM facts WHERE {where}", within)[0]["n"]
        if total:
            _scan(logs, within, window, max(1, total // rows), tallies)
    found = {}
    for variable in sorted(tallies, key=lambda variable: variable.name):
        days = tallies[variable]
        if variable == _WORDS:
            days = _frequent(days)
        found[variable] = DayCounts.of(
            (day, value, n) for day, counts in days.items() for value, n in counts.items()
        )
    return found


def _scan(logs: Logs, selection: Selection, window: Window, step: int, tallies: Tallies) -> None:
    asked = {"deployment": selection.deployment, "model_version": selection.version}
    wanted = {column: value for column, value in asked.items() if value is not None}
    for day, rows in logs.details(window, [*wanted, "text", "features"]):
        chosen = rows.take(np.arange(0, len(rows), step)) if step > 1 else rows
        for column, value in wanted.items():
            chosen = chosen.filter(pc.equal(chosen[column], value))
        for name, counts in _features(chosen["features"]).items():
            variable = Variable(f"feature:{name}", f"Side variable {name!r}", "input")
            tallies[variable][day].update(counts)
        if words := _words(chosen["text"]):
            tallies[_WORDS][day].update(words)


def _features(column: pa.ChunkedArray) -> Mapping[str, Mapping[str, int]]:
    """Return how often each side variable has each value."""
    maps = column.drop_null().combine_chunks()
    found = {}
    for name in pc.unique(maps.keys).to_pylist():
        counted = pc.value_counts(maps.items.filter(pc.equal(maps.keys, name)))
        found[name] = {row["values"]: row["counts"] for row in counted.to_pylist()}
    return found


def _words(texts: pa.ChunkedArray) -> Mapping[str, int]:
    """Return in how many texts each word stands."""
    plain = texts.filter(pc.invert(pc.starts_with(texts, PSEUDONYM)))
    split = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(pc.utf8_lower(plain)))
    split = split.combine_chunks()
    words = split.flatten().dictionary_encode()
    known = words.dictionary.to_pylist()
    # twice in a text is once: pairs of text and word in order, without those that repeat
    pairs = pc.list_parent_indices(split).to_numpy() * len(known) + words.indices.to_numpy()
    pairs.sort()
    new = np.diff(pairs, prepend=-1) > 0
    counts = np.bincount(pairs[new] % max(1, len(known)), minlength=len(known))
    return {word: n for word, n in zip(known, counts.tolist(), strict=True) if word}


def _frequent(days: Mapping[date, Counter[str]]) -> dict[date, Counter[str]]:
    """Return the counts of the most frequent words; all others are one."""
    total: Counter[str] = Counter()
    for counts in days.values():
        total.update(counts)
    kept = {word for word, _ in total.most_common(_FREQUENT)}
    found = {}
    for day, counts in days.items():
        found[day] = Counter({word: counts[word] for word in kept & counts.keys()})
        if rest := counts.total() - found[day].total():
            found[day][""] = rest
    return found
