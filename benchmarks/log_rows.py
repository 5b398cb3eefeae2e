"""A year of prediction logs as the ETL writes them, realistic and made up, day by day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from autonoe_nace.data import ateco
from autonoe_nace.logs.record import SCHEMA
from autonoe_nace.nomenclature import load_nomenclature

FIRST = date(2025, 11, 1)
CANDIDATES = 5
_WEEK = np.array([1.25, 1.2, 1.15, 1.1, 1.0, 0.2, 0.1])
_VERSIONS = ("1", "2", "3", "4")


class Rows:
    """Makes the rows of one day after another; the same seed gives the same year.

    Parameters
    ----------
    seed : int
        Of the random numbers.
    shifted : float
        By how much the index falls during the last 30 days, in [0, 1].
    """

    def __init__(self, *, seed: int = 1, shifted: float = 0.08) -> None:
        self._random = np.random.default_rng(seed)
        data, tree = ateco(), load_nomenclature("ateco2025")
        codes = sorted({code for code in data.codes if tree.title(code)})
        self._codes = pa.array(codes)
        self._texts = pa.array(data.texts)
        weight = 1 / np.arange(1, len(codes) + 1) ** 0.9
        self._weight = self._random.permutation(weight) / weight.sum()
        # hard classes are hard all year
        self._ease = self._random.normal(0, 0.6, len(codes))
        self._shifted = shifted

    def year(self, rows: int, *, days: int = 365) -> Iterator[tuple[date, pa.Table]]:
        """Yield each day (UTC) and its rows, ``rows`` together."""
        share = np.array(
            [_WEEK[(FIRST + timedelta(days=d)).weekday()] for d in range(days)], dtype=float
        )
        ends = np.round(np.cumsum(share / share.sum()) * rows).astype(int)
        begin = 0
        for number, end in enumerate(ends):
            yield FIRST + timedelta(days=number), self.day(number, int(end - begin), days)
            begin = int(end)

    def day(self, number: int, n: int, days: int) -> pa.Table:
        """Return ``n`` rows of the day ``number`` of ``days``."""
        draw = self._random
        start = datetime.combine(FIRST + timedelta(days=number), datetime.min.time(), UTC)
        first = draw.choice(len(self._codes), n, p=self._weight)
        skill = 1.2 + 0.15 * (number * len(_VERSIONS) // days)
        drop = self._shifted * 12 if number >= days - 30 else 0.0
        top = 1 / (1 + np.exp(-(draw.normal(skill - drop, 1.4, n) + self._ease[first])))
        failed = draw.random(n) < 0.003
        probabilities = _candidates(top, draw)
        confidence = np.where(failed, 0.0, probabilities[:, 0] - probabilities[:, 1])
        places = np.column_stack(
            [first, draw.integers(0, len(self._codes), (n, CANDIDATES - 1))]
        ).ravel()
        offsets = np.concatenate([[0], np.cumsum(np.where(failed, 0, CANDIDATES))]).astype(np.int32)
        places = places[np.repeat(~failed, CANDIDATES)]
        batch = draw.integers(0, 3, n) * (draw.random(n) < 0.2)
        latency = draw.lognormal(0.6, 0.5, n) + batch * 4
        words = draw.integers(0, len(self._texts), n)
        texts = self._texts.take(pa.array(words))
        version = _VERSIONS[min(number * len(_VERSIONS) // days, len(_VERSIONS) - 1)]
        identifiers = draw.integers(0, 2**62, n)
        return pa.table(
            {
                "request_id": pa.array([f"{value:016x}" for value in identifiers.tolist()]),
                "position": pa.array(batch, pa.int32()),
                "time": pa.array(
                    np.sort(draw.integers(0, 86_400_000_000, n)) + int(start.timestamp() * 1e6)
                ).cast(SCHEMA.field("time").type),
                "deployment": _repeated("nace-api", n),
                "key_id": pa.array([f"k{value}" for value in draw.integers(0, 20, n).tolist()]),
                "model_name": _repeated("nace", n),
                "model_version": _repeated(version, n),
                "model_sha256": _repeated(version * 64, n),
                "text": texts,
                "codes": _lists(offsets, self._codes.take(pa.array(places))),
                "probabilities": _lists(
                    offsets, pa.array(probabilities.ravel()[np.repeat(~failed, CANDIDATES)])
                ),
                "confidence": pa.array(confidence),
                "threshold": pa.repeat(pa.scalar(0.8), n),
                "auto": pa.array(confidence >= 0.8),
                "latency_ms": pa.array(np.round(latency, 3)),
                "error": pa.array(np.where(failed, "no_usable_word", "")),
                "features": _features(draw.integers(0, 4, n)),
                "stage": pa.array(np.where(draw.random(n) < 0.2, "lookup", "model")),
                "fallback_code": _repeated("", n),
                "top_k": pa.repeat(pa.scalar(CANDIDATES, pa.int32()), n),
                "level": pa.repeat(pa.scalar(5, pa.int32()), n),
                "characters": pc.cast(pc.utf8_length(texts), pa.int32()),
                "words": pa.repeat(pa.scalar(0, pa.int32()), n),
                "code": pa.array(
                    np.where(failed, "", np.array(self._codes.to_pylist(), dtype=object)[first]),
                    pa.string(),
                ),
                "probability": pa.array(np.where(failed, 0.0, probabilities[:, 0])),
            }
        ).cast(SCHEMA)


def write_year(folder: Path, rows: int, *, days: int = 365, seed: int = 1) -> None:
    """Write a year of logs in the ETL's layout below ``folder``."""
    for day, table in Rows(seed=seed).year(rows, days=days):
        place = folder / f"date={day}"
        place.mkdir(parents=True, exist_ok=True)
        pq.write_table(table, place / "predictions.parquet", compression="zstd")


def _candidates(top: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Return the probabilities of the candidates, largest first, below 1 together."""
    rest = draw.dirichlet(np.full(CANDIDATES, 0.6), len(top))[:, : CANDIDATES - 1]
    others = np.sort(rest, axis=1)[:, ::-1] * (1 - top)[:, None]
    return np.sort(np.column_stack([top, others]), axis=1)[:, ::-1]


def _repeated(value: str, n: int) -> pa.Array:
    return pa.repeat(pa.scalar(value), n)


def _lists(offsets: np.ndarray, values: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), values)


def _features(kinds: np.ndarray) -> pa.Array:
    offsets = pa.array(np.arange(len(kinds) + 1), pa.int32())
    values = pa.array([f"N{kind}" for kind in kinds.tolist()])
    return pa.MapArray.from_arrays(offsets, pa.repeat(pa.scalar("nature"), len(kinds)), values)
