"""Quality on the gold standard, weighted: coded automatically, by people, and all together.

The three are kept apart. What a person coded is right by that person's work, not by the model's:
counting it as the model's success would flatter the model.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
from pyarrow import fs

from autonoe.errors import InvalidInputError, NotFoundError, UnavailableError
from autonoe_nace.annotation.store import description, gold_uri
from autonoe_nace.monitoring.selection import Selection
from autonoe_nace.nomenclature import Nomenclature

COLUMNS = (
    *("request_id", "position", "code", "weight", "stratum", "model_code"),
    *("model_version", "model_confidence", "auto", "status", "annotated_at"),
)
NOT_GOLD = ("samples", "codings")
"""What ``autonoe nace annotate`` keeps beside the gold standard."""
ROUNDS = 4
"""Rounds, the last ones, whose agreement of people the dashboard shows."""
_PLACES = {"deployment": pa.string(), "time": pa.timestamp("us", tz="UTC")}
"""Columns that rounds pulled by an older version lack; null there."""
_MARKS = ("model_version", *_PLACES)
_Z = 1.959963984540054


def own_gold(*, account: str | None = None) -> str | None:
    """Return where the account's own gold standard lies or will lie; None without an account."""
    try:
        return gold_uri(account=account)
    except InvalidInputError:
        return None


def read_gold(uri: str) -> pa.Table:
    """Return the newest annotation of each prediction in the Parquet below ``uri``.

    Parameters
    ----------
    uri : str
        ``s3://…`` or a folder: the gold standard, or the place that ``autonoe nace annotate``
        wrote it to together with samples and single codings.

    Raises
    ------
    NotFoundError
        If there is none.
    UnavailableError
        If the store cannot be read.
    InvalidInputError
        If a column is missing.
    """
    try:
        store, files = _files(uri)
        found = ds.dataset(files, filesystem=store, format="parquet")
        missing = sorted(set(COLUMNS) - set(found.schema.names))
        if missing:
            raise InvalidInputError(f"The gold standard at {uri} lacks {', '.join(missing)}.")
        known = [field for field in found.schema if field.name not in _PLACES]
        whole = pa.schema([*known, *_PLACES.items()])
        rows = found.replace_schema(whole).to_table(columns=[*COLUMNS, *_PLACES])
    except (OSError, pa.ArrowException) as error:
        raise _unavailable(uri, error) from error
    rows = rows.sort_by([("annotated_at", "ascending")])
    last = {
        key: place
        for place, key in enumerate(
            zip(rows["request_id"].to_pylist(), rows["position"].to_pylist(), strict=True)
        )
    }
    return rows.take(pa.array(sorted(last.values()), pa.int64()))


def rounds(uri: str) -> list[dict[str, Any]]:
    """Return what `autonoe nace annotate pull` found about each round, the last name first.

    Parameters
    ----------
    uri : str
        As for :func:`read_gold`.

    Returns
    -------
    list of dict
        ``round``, ``agreement`` (by level ``percent`` and ``kappa`` of two people) and ``model``
        (by level its accuracy on ``all``, ``auto`` and ``manual``), each with its interval.
        Rounds that an older version pulled say nothing and are left out.

    Raises
    ------
    NotFoundError
        If there is no gold standard.
    UnavailableError
        If the store cannot be read.
    """
    found = []
    try:
        store, files = _files(uri)
        for path in files:
            with store.open_input_file(path) as stream:
                said = description(pq.read_schema(stream))
            if "agreement" in said:
                found.append(said)
    except (OSError, pa.ArrowException) as error:
        raise _unavailable(uri, error) from error
    return sorted(found, key=lambda one: str(one["round"]), reverse=True)


def _files(uri: str) -> tuple[fs.FileSystem, list[str]]:
    if "://" in uri:
        store, root = fs.FileSystem.from_uri(uri.rstrip("/"))
    else:
        store, root = fs.LocalFileSystem(), str(Path(uri).absolute())
    place = fs.FileSelector(root, recursive=True, allow_not_found=True)
    files = [
        info.path for info in store.get_file_info(place) if _holds_gold(info, root.rstrip("/"))
    ]
    if not files:
        raise NotFoundError(
            f"There is no gold standard at {uri} yet.",
            hint="Sample and annotate: autonoe nace annotate.",
        )
    return store, files


def _unavailable(uri: str, error: Exception) -> UnavailableError:
    return UnavailableError(f"The gold standard at {uri} cannot be read ({type(error).__name__}).")


def _holds_gold(info: fs.FileInfo, root: str) -> bool:
    if not info.path.endswith(".parquet") or info.base_name.startswith((".", "_")):
        return False
    return info.path.removeprefix(f"{root}/").partition("/")[0] not in NOT_GOLD


def chosen(gold: pa.Table, selection: Selection) -> pa.Table:
    """Return the gold texts whose predictions are selected.

    Parameters
    ----------
    gold : Table
        From :func:`read_gold`.
    selection : Selection
        Days are those of the predictions, not those on which people coded.

    Raises
    ------
    InvalidInputError
        If no gold text says what is asked for. Texts that alone do not say it are left out.
    """
    wanted = {"time": selection.window, "deployment": selection.deployment}
    for column, value in wanted.items():
        if value is not None and gold.num_rows and gold[column].null_count == gold.num_rows:
            what = "when it was predicted" if column == "time" else "which deployment answered"
            raise InvalidInputError(
                f"No text of the gold standard says {what}.",
                hint="`autonoe nace annotate pull` writes a round anew, with both.",
            )
    keep = [_is_chosen(row, selection) for row in gold.select([*_MARKS]).to_pylist()]
    return gold.filter(pa.array(keep, pa.bool_()))


def _is_chosen(row: Mapping[str, Any], selection: Selection) -> bool:
    window = selection.window
    if window is not None and not (
        row["time"] and window.first <= row["time"].date() <= window.last
    ):
        return False
    return selection.deployment in (None, row["deployment"]) and selection.version in (
        None,
        row["model_version"],
    )


def metrics(
    gold: pa.Table,
    *,
    threshold: float | None = None,
    tree: Nomenclature | None = None,
) -> dict[str, Any]:
    """Return the model's weighted accuracy on what it coded alone, on the rest, and on all.

    Parameters
    ----------
    gold : Table
        From :func:`read_gold` or :func:`chosen`.
    threshold : float, optional
        What counts as automatic; what the deployment decided by default.
    tree : Nomenclature, optional
        With it, accuracy is given at each of its levels.

    Returns
    -------
    dict
        ``auto``, ``manual`` and ``all``: of each ``n``, ``weight``, ``cannot_be_coded`` (weighted
        share that people could not code) and ``levels``, by level a share with its interval
        (``value``, ``low``, ``high``, ``n``) of texts whose first code is right. ``manual`` is
        what the model would have had where a person coded. ``blended`` is the share that is right
        when people are right: automatic ones that are right, and all others.
    """
    rows = gold.to_pylist()
    automatic = [
        bool(row["auto"]) if threshold is None else row["model_confidence"] >= threshold - 1e-9
        for row in rows
    ]
    parts = {
        "auto": [row for row, auto in zip(rows, automatic, strict=True) if auto],
        "manual": [row for row, auto in zip(rows, automatic, strict=True) if not auto],
        "all": rows,
    }
    found: dict[str, Any] = {name: _part(part, tree) for name, part in parts.items()}
    coded = [
        (row, auto) for row, auto in zip(rows, automatic, strict=True) if row["status"] == "coded"
    ]
    found["blended"] = weighted_share(
        [not auto or row["code"] == row["model_code"] for row, auto in coded],
        [row["weight"] for row, _ in coded],
    )
    return found


def weighted_share(hits: Sequence[bool], weights: Sequence[float]) -> dict[str, float]:
    """Return a weighted share with its 95 % interval (Wilson at Kish's effective number of rows).

    Returns
    -------
    dict
        ``value``, ``low``, ``high``, ``n`` (rows) and ``n_effective``.
    """
    weight = np.asarray(weights, dtype=float)
    if not len(weight) or weight.sum() <= 0:
        return {"value": math.nan, "low": 0.0, "high": 1.0, "n": 0, "n_effective": 0.0}
    p = float((np.asarray(hits, dtype=float) * weight).sum() / weight.sum())
    n = float(weight.sum() ** 2 / (weight**2).sum())
    centre = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
    return {
        "value": p,
        "low": max(0.0, centre - half),
        "high": min(1.0, centre + half),
        "n": len(weight),
        "n_effective": n,
    }


def _part(rows: Sequence[Mapping[str, Any]], tree: Nomenclature | None) -> dict[str, Any]:
    coded = [row for row in rows if row["status"] == "coded"]
    weights = [row["weight"] for row in coded]
    levels: dict[str, dict[str, float]] = {}
    for level in () if tree is None else tree.levels:
        assert tree is not None  # noqa: S101  the loop has no turn without it
        pairs = [
            (tree.ancestor(row["code"], level), tree.ancestor(row["model_code"], level), w)
            for row, w in zip(coded, weights, strict=True)
        ]
        # a text that people coded less finely says nothing about the levels below
        told = [(truth == said, w) for truth, said, w in pairs if truth is not None]
        if told:
            levels[str(level)] = weighted_share([hit for hit, _ in told], [w for _, w in told])
    levels["code"] = weighted_share([r["code"] == r["model_code"] for r in coded], weights)
    return {
        "n": len(rows),
        "weight": float(sum(row["weight"] for row in rows)),
        "cannot_be_coded": weighted_share(
            [row["status"] != "coded" for row in rows], [row["weight"] for row in rows]
        ),
        "levels": levels,
    }
