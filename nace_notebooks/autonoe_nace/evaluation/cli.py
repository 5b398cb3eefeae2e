"""``autonoe nace evaluate``, ``compare`` and ``threshold``."""

from __future__ import annotations

import functools
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from autonoe.cli import print_json
from autonoe_nace.cli_data import Columns, data_columns

if TYPE_CHECKING:
    from autonoe_nace.data import Dataset
    from autonoe_nace.evaluation.assess import Options
    from autonoe_nace.model import NaceModel

_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
_DATA = click.option("--data", required=True, metavar="F", help="CSV or Parquet, path or s3://.")


def _judging(command: Any) -> Any:
    """Add the options on weights, bootstrap and costs; the command gets them in ``chosen``."""

    @functools.wraps(command)
    def gathered(*arguments: Any, **given: Any) -> Any:
        chosen = {name: given.pop(name) for name in _NAMES}
        return command(*arguments, chosen=chosen, **given)

    for option in reversed(_OPTIONS):
        gathered = option(gathered)
    return gathered


_OPTIONS = (
    click.option(
        "--weight-column",
        metavar="NAME",
        help="Column of weights: each text's inverse inclusion probability.",
    ),
    click.option(
        "--group-column",
        metavar="NAME",
        help="Texts with the same value are drawn together by the bootstrap.",
    ),
    click.option(
        "--stratum-column", metavar="NAME", help="The bootstrap draws within these strata."
    ),
    click.option(
        "--replicates",
        default=1_000,
        show_default=True,
        type=click.IntRange(10, 100_000),
        help="Draws of the bootstrap.",
    ),
    click.option("--seed", default=1, show_default=True, type=int, help="Seed of the bootstrap."),
    click.option(
        "--minutes-per-review",
        default=1.0,
        show_default=True,
        help="Minutes a person needs for one text.",
    ),
    click.option(
        "--hourly-wage", default=30.0, show_default=True, help="What an hour of that person costs."
    ),
    click.option("--wrong-code", default=5.0, show_default=True, help="What one wrong code costs."),
    click.option(
        "--review-error",
        default=0.0,
        show_default=True,
        help="Share of texts that the person codes wrongly too.",
    ),
)
_LOOKUP = click.option(
    "--lookup",
    "lookup_file",
    metavar="FILE",
    help="Rules engine to show beside the model; that of the model's folder by default.",
)
_COSTS = ("minutes_per_review", "hourly_wage", "wrong_code", "review_error")
_NAMES = ("weight_column", "group_column", "stratum_column", "replicates", "seed", *_COSTS)


@click.command()
@click.option("--model", required=True, metavar="DIR", help="Folder of the model.")
@_DATA
@data_columns
@_judging
@_LOOKUP
@click.option(
    "--coverage",
    default=0.9,
    show_default=True,
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Of the conformal sets that are judged.",
)
@click.option(
    "--report",
    "report_file",
    metavar="FILE",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a page with all figures and plots: one HTML file that needs no network.",
)
@_JSON
def evaluate(
    model: str,
    data: str,
    columns: Columns,
    chosen: dict[str, Any],
    lookup_file: str | None,
    coverage: float,
    report_file: Path | None,
    as_json: bool,
) -> None:
    """Measure a model on labelled texts that it did not learn from."""
    from autonoe_nace.evaluation.assess import assess
    from autonoe_nace.evaluation.report import write_report
    from autonoe_nace.lookup import LookupIndex

    loaded, labelled, options = _loaded(model, data, columns, chosen)
    options = replace(options, coverage=coverage)
    if lookup_file is not None:
        options = replace(options, lookup=LookupIndex.load(lookup_file))
    result = assess(loaded, labelled, options)
    if report_file is not None:
        write_report(result, report_file, nomenclature=loaded.nomenclature, source=labelled.source)
        click.echo(f"Report written to {report_file}.", err=True)
    if as_json:
        print_json(result)
        return
    click.echo(f"{loaded.id}, {result['n']:,} texts (95 % intervals)")
    click.echo("level      n   top-1                 top-5                 macro-F1   ECE")
    for level, row in result["levels"].items():
        click.echo(
            f"{level:>5}  {row['n']:>5}   {_span(row['top1']):<20}  {_span(row['top5']):<20}  "
            f"{row['macro_f1']['value']:.3f}      {row['ece']['value']:.3f}"
        )
    if lookup := result["lookup"]:
        click.echo(
            f"look-up by rules: {lookup['auto_rate']['value']:.1%} coded, "
            f"{_share(lookup['accuracy'])} of those rightly"
        )
    elif rules := result["lookup_held_out"]:
        rightly = _share(rules["accuracy"] or {"value": None})
        click.echo(
            f"look-up by rules, on {rules['n']:,} texts held out in training: "
            f"{rules['auto_rate']['value']:.1%} coded, {rightly} of those rightly "
            "(--lookup FILE judges one on these texts)"
        )
    if sets := result["sets"]:
        click.echo(
            f"sets of {sets['wanted']:.0%}: {_span(sets['coverage'])} hold the right code, "
            f"with {_span(sets['size'], 1)} codes on average"
        )
    _say_threshold(result["threshold"])


@click.command()
@click.option("--model", required=True, metavar="DIR", help="Folder of the model.")
@_DATA
@data_columns
@_judging
@_JSON
def threshold(
    model: str, data: str, columns: Columns, chosen: dict[str, Any], as_json: bool
) -> None:
    """Recommend the confidence from which to code without a person, by what mistakes cost."""
    from autonoe_nace.evaluation.assess import assess

    loaded, labelled, options = _loaded(model, data, columns, chosen)
    result = assess(loaded, labelled, options)
    if as_json:
        print_json({"model": loaded.id, "n": result["n"], **result["threshold"]})
        return
    _say_threshold(result["threshold"])
    click.echo("section     n   threshold             coverage  accuracy")
    for row in result["threshold"]["sections"]:
        own = _span(row["threshold"]) if row["own"] else "the overall one"
        accuracy = _share(row["accuracy"]) if row["own"] else ""
        coverage = _share(row["coverage"])
        click.echo(f"{row['section']:>7} {row['n']:>5}   {own:<20}  {coverage:>8}  {accuracy}")


@click.command()
@click.option("--model", required=True, metavar="DIR", help="Folder of the model in place.")
@click.option("--with", "other", required=True, metavar="DIR", help="Folder of the other model.")
@_DATA
@data_columns
@click.option("--weight-column", metavar="NAME", help="Column of weights.")
@click.option("--group-column", metavar="NAME", help="Column of texts that are drawn together.")
@click.option(
    "--replicates",
    default=1_000,
    show_default=True,
    type=click.IntRange(10, 100_000),
    help="Draws of the bootstrap.",
)
@click.option("--seed", default=1, show_default=True, type=int, help="Seed of the bootstrap.")
@_JSON
def compare(
    model: str,
    other: str,
    data: str,
    columns: Columns,
    weight_column: str | None,
    group_column: str | None,
    replicates: int,
    seed: int,
    as_json: bool,
) -> None:
    """Compare two models on the same labelled texts; differences are --with minus --model."""
    from autonoe_nace.evaluation.compare import compare as judge
    from autonoe_nace.model import NaceModel

    chosen = {"weight_column": weight_column, "group_column": group_column}
    loaded, labelled, options = _loaded(model, data, columns, chosen)
    result = judge(
        loaded,
        NaceModel.load(other),
        labelled,
        weights=options.weights,
        clusters=options.clusters,
        replicates=replicates,
        seed=seed,
    )
    if as_json:
        print_json(result)
        return
    click.echo(f"{result['b']} against {result['a']}, {result['n']:,} texts (95 % intervals)")
    click.echo("level  figure      with   model   difference                only one right")
    for level, row in result["levels"].items():
        pairs = row["pairs"]
        for name in ("top1", "top5", "macro_f1", "ece"):
            cell = row[name]
            span = f"{cell['difference']:+.3f} ({cell['low']:+.3f} to {cell['high']:+.3f})"
            odd = f"{pairs['only_b']} and {pairs['only_a']}" if name == "top1" else ""
            click.echo(
                f"{level:>5}  {name:<9}  {cell['b']:.3f}   {cell['a']:.3f}   {span:<24}  {odd}"
            )


def _loaded(
    model: str, data: str, columns: Columns, chosen: dict[str, Any]
) -> tuple[NaceModel, Dataset, Options]:
    """Load the model, read the texts, and their weights, groups and strata by row number."""
    from autonoe_nace.cli_data import read_labelled
    from autonoe_nace.evaluation.assess import Options
    from autonoe_nace.evaluation.costs import Costs
    from autonoe_nace.evaluation.side import numbered, numbers
    from autonoe_nace.model import NaceModel

    costs = Costs.of(**{name: chosen[name] for name in _COSTS if name in chosen})
    loaded = NaceModel.load(model)
    language = loaded.manifest.language
    labelled = read_labelled("data", data, loaded.nomenclature, columns, language=language)
    weight, group, stratum = (
        chosen.get(f"{name}_column") for name in ("weight", "group", "stratum")
    )
    options = Options(
        weights=numbers(data, weight, labelled.rows) if weight else None,
        clusters=numbered(data, group, labelled.rows) if group else None,
        strata=numbered(data, stratum, labelled.rows) if stratum else None,
        replicates=chosen.get("replicates", 1_000),
        seed=chosen.get("seed", 1),
        costs=costs,
    )
    return loaded, labelled, options


def _say_threshold(found: dict[str, Any]) -> None:
    best = found["overall"]
    click.echo(
        f"recommended threshold {_span(best['threshold'], 2)}: {_share(best['coverage'])} coded "
        f"without a person, {_share(best['accuracy'])} of those rightly; "
        f"{best['cost_per_1000']['value']:,.0f} per 1,000 texts instead of "
        f"{best['all_by_hand_per_1000']:,.0f} by hand"
    )


def _span(cell: dict[str, float], digits: int = 3) -> str:
    return f"{cell['value']:.{digits}f} ({cell['low']:.{digits}f}-{cell['high']:.{digits}f})"


def _share(cell: dict[str, float | None]) -> str:
    return "none" if cell["value"] is None else f"{cell['value']:.1%}"
