"""The dashboard's tab of the gold standard."""

from __future__ import annotations

import html
from typing import Any

from autonoe_nace.dashboard_html import figure, interval, table
from autonoe_nace.monitoring.gold import ROUNDS, chosen, metrics, read_gold, rounds
from autonoe_nace.monitoring.selection import Selection
from autonoe_nace.nomenclature import LEVEL_NAMES, Nomenclature

_TITLES = {
    "auto": "Coded automatically",
    "manual": "Left to people: the model's first code",
    "all": "All",
}


def gold_page(
    gold: str | None, threshold: float, tree: Nomenclature | None, selection: Selection
) -> str:
    """Return the model's accuracy on the gold standard, or what to do when there is none.

    Parameters
    ----------
    gold : str or None
        Where it lies.
    threshold : float
        What counts as automatic, in [0, 1].
    tree : Nomenclature or None
        With it, each of its levels is a row.
    selection : Selection
        Which predictions.

    Raises
    ------
    NotFoundError
        If there is no gold standard at ``gold``.
    UnavailableError
        If it cannot be read.
    InvalidInputError
        If it does not say what the selection asks for.
    """
    if gold is None:
        return (
            "<p>No gold standard is shown.</p><p class='quiet'>Sample and annotate "
            "(autonoe nace annotate), then give its address: dashboard(gold=…).</p>"
        )
    rows = chosen(read_gold(gold), selection)
    if not rows.num_rows:
        return "<p>No gold text is of these days, this deployment and this version.</p>"
    people = "".join(_people(said) for said in rounds(gold)[:ROUNDS])
    return _accuracy(metrics(rows, threshold=threshold, tree=tree), threshold) + people


def _people(said: dict[str, Any]) -> str:
    """Return the agreement of two people beside the model's accuracy, of one whole round."""
    head = ("Level", "Two people agree", "Cohen's kappa", "The model is right")
    lines = [
        (
            level,
            interval(row["percent"]),
            figure(row["kappa"]),
            interval(said["model"][level]["all"]),
        )
        for level, row in said["agreement"].items()
    ]
    title = html.escape(str(said["round"]))
    return f"<h3>People beside the model, round {title}</h3>" + table(head, lines)


def _accuracy(found: dict[str, Any], threshold: float) -> str:
    names = {str(level): name for level, name in enumerate(LEVEL_NAMES, start=1)}
    rows = [
        (
            names.get(level, "code as a whole"),
            *(
                interval(rate) if (rate := found[part]["levels"].get(level)) else ""
                for part in _TITLES
            ),
        )
        for level in found["all"]["levels"]
    ]
    head = [f"{title} (n = {found[part]['n']:,})" for part, title in _TITLES.items()]
    return (
        f"<p>At {threshold:.2f}, {interval(found['blended'])} of the final codes are right "
        "when people are; weighted to all predictions.</p>"
    ) + table(("Level", *head), rows)
