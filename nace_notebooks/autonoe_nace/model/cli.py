"""``autonoe nace predict``: codes for texts on the command line or in a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from autonoe.cli import print_json
from autonoe.errors import InvalidInputError
from autonoe_nace.cli_data import feature_columns, text_column

if TYPE_CHECKING:
    from autonoe_nace.model.answers import Candidate, Prediction


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--model", required=True, metavar="DIR", help="Folder of the model.")
@click.option("--data", metavar="F", help="CSV or Parquet with a column of texts.")
@text_column
@feature_columns
@click.option(
    "--feature",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="A side variable of every TEXT. May be repeated.",
)
@click.option(
    "--top-k",
    "-k",
    default=5,
    show_default=True,
    type=click.IntRange(min=1),
    help="Codes per text.",
)
@click.option("--level", type=int, help="A broader level than the model's own.")
@click.option(
    "--coverage",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Add the set of codes that holds the right one so often, for example 0.9.",
)
@click.option(
    "--fallback-at",
    type=click.FloatRange(0, 1),
    help="Add the code at the deepest level that reaches this confidence.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def predict(
    texts: Sequence[str],
    model: str,
    data: str | None,
    text_column: str,
    features: tuple[str, ...],
    given: tuple[str, ...],
    top_k: int,
    level: int | None,
    coverage: float | None,
    fallback_at: float | None,
    as_json: bool,
) -> None:
    """Give the most probable codes of each TEXT, or of each row of --data."""
    from autonoe_nace.model import NaceModel

    if bool(texts) == bool(data):
        raise InvalidInputError("Nothing to predict, or two things.", hint="Give texts or --data.")
    if (given and data) or (features and not data):
        raise InvalidInputError(
            "Side variables stand in columns of --data, or are given for a TEXT.",
            hint="--feature-column NAME with --data, --feature NAME=VALUE with texts.",
        )
    loaded = NaceModel.load(model)
    rows, beside = _rows(texts, data, text_column, features, _pairs(given))
    found = loaded.predict(
        rows, top_k, level=level, features=beside, coverage=coverage, fallback_at=fallback_at
    )
    if as_json:
        answers = [
            {"row": row, "text": text, **_document(p)}
            for row, (text, p) in enumerate(zip(rows, found, strict=True), start=1)
        ]
        print_json({"model": loaded.id, "predictions": answers})
        return
    for text, prediction in zip(rows, found, strict=True):
        _show(text, prediction, fallback_at)


def _rows(
    texts: Sequence[str],
    data: str | None,
    column: str,
    features: Sequence[str],
    given: Mapping[str, str],
) -> tuple[list[str], list[Mapping[str, str]] | None]:
    from autonoe_nace.tables import read_columns

    if data is None:
        return list(texts), [given] * len(texts) if given else None
    table = read_columns(data, [column, *features]).columns
    rows = list(table[column])
    if not features:
        return rows, None
    return rows, [{name: table[name][i] for name in features} for i in range(len(rows))]


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for pair in given:
        name, separator, value = pair.partition("=")
        if not (name and separator):
            raise InvalidInputError(
                f"{pair!r} is no side variable.", hint="Write NAME=VALUE, for example nature=99."
            )
        pairs[name] = value
    return pairs


def _document(prediction: Prediction) -> dict[str, Any]:
    return {
        "candidates": [_candidate(c) for c in prediction.candidates],
        "confidence": prediction.confidence,
        "stage": prediction.stage,
        "fallback": _candidate(prediction.fallback) if prediction.fallback else None,
        "conformal": prediction.conformal,
    }


def _candidate(candidate: Candidate) -> dict[str, Any]:
    return {
        "code": candidate.code,
        "title": candidate.title,
        "level": candidate.level,
        "probability": candidate.probability,
    }


def _show(text: str, prediction: Prediction, fallback_at: float | None) -> None:
    by = " by the rules engine" if prediction.stage == "lookup" else ""
    click.echo(f"{text}  [confidence {prediction.confidence:.2f}{by}]")
    for c in prediction.candidates:
        click.echo(f"  {c.probability:6.1%}  {c.code:<8}  {c.title}")
    if not prediction.candidates:
        click.echo("  no usable word")
        return
    if fallback_at is not None:
        sure = prediction.fallback
        told = f"{sure.code} {sure.title} ({sure.probability:.1%})" if sure else "at no level"
        click.echo(f"  sure enough: {told}")
    if prediction.conformal is not None:
        click.echo(f"  among: {', '.join(prediction.conformal)}")
