"""``autonoe nace dual``, ``recode`` and ``series``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from autonoe.cli import print_json
from autonoe.errors import InvalidInputError
from autonoe_nace.cli_data import feature_columns
from autonoe_nace.cli_progress import ProgressBar

if TYPE_CHECKING:
    from autonoe_nace.model import NaceModel
    from autonoe_nace.recoding.answers import DualPrediction
    from autonoe_nace.recoding.correspondence import Correspondence


def _table_options(command: Any) -> Any:
    for option in (
        click.option(
            "--correspondence-where",
            multiple=True,
            metavar="COLUMN=VALUE",
            help="Take only these rows of --correspondence.",
        ),
        click.option("--target-column", default="", help="Its codes to go to. [default: second]"),
        click.option(
            "--source-column", default="", help="Its codes to come from. [default: first]"
        ),
        click.option(
            "--correspondence",
            metavar="F",
            default="",
            help="Correspondence table, CSV or Parquet; the official one when left out.",
        ),
        click.option("--to", "target", metavar="NAME|F", default="", help="Version to go to."),
        click.option(
            "--from", "source", metavar="NAME|F", default="", help="Version to come from."
        ),
    ):
        command = option(command)
    return command


def _table(model: NaceModel | None, side: str, given: dict[str, Any]) -> Correspondence:
    """Return the correspondence; one version is the model's, the other its partner by default."""
    from autonoe_nace.data.conditions import Condition
    from autonoe_nace.recoding.sources import load_correspondence, partner

    versions = {"source": given["source"], "target": given["target"]}
    other = "target" if side == "source" else "source"
    if model:
        versions[side] = versions[side] or model.nomenclature
        versions[other] = versions[other] or partner(model.nomenclature.name)
    table = load_correspondence(
        versions["source"],
        versions["target"],
        table=given["correspondence"],
        source_column=given["source_column"],
        target_column=given["target_column"],
        where=[Condition.parse(text) for text in given["correspondence_where"]],
    )
    for line in table.report.lines():
        click.echo(f"correspondence: {line}", err=True)
    return table


@click.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--model", required=True, metavar="DIR", help="Model of the version to come from.")
@click.option("--second-model", metavar="DIR", help="Model of the version to go to.")
@click.option("--data", metavar="F", help="CSV or Parquet with a column of texts.")
@click.option("--text-column", default="text", show_default=True, help="Column of the texts.")
@click.option(
    "--top-k", "-k", default=5, show_default=True, type=click.IntRange(min=1), help="Codes a text."
)
@_table_options
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def dual(
    texts: Sequence[str],
    model: str,
    second_model: str | None,
    data: str | None,
    text_column: str,
    top_k: int,
    as_json: bool,
    **table_options: Any,
) -> None:
    """Code each TEXT in two versions at once, with codes that correspond."""
    from autonoe_nace.data import read_texts
    from autonoe_nace.model import NaceModel
    from autonoe_nace.recoding.dual import DualCoder

    if bool(texts) == bool(data):
        raise InvalidInputError("Nothing to predict, or two things.", hint="Give texts or --data.")
    rows = read_texts(data, text_column=text_column) if data else list(texts)
    first = NaceModel.load(model)
    second = NaceModel.load(second_model) if second_model else None
    table = _table(first, "source", table_options)
    coder = DualCoder(first, table, second=second, k=top_k)
    answers = coder.predict(rows)
    if as_json:
        print_json(
            {
                "model": first.id,
                "second_model": second.id if second else None,
                "correspondence": coder.correspondence.summary(),
                "predictions": [
                    {"row": number, "text": text, **answer.to_dict()}
                    for number, (text, answer) in enumerate(
                        zip(rows, answers, strict=True), start=1
                    )
                ],
            }
        )
        return
    for text, answer in zip(rows, answers, strict=True):
        _say(text, answer, table)


def _say(text: str, answer: DualPrediction, table: Correspondence) -> None:
    click.echo(text)
    if answer.pair is None:
        click.echo("  no usable word")
        return
    for version, code, confidence in (
        (table.source, answer.pair.source, answer.source_confidence),
        (table.target, answer.pair.target, answer.target_confidence),
    ):
        title = version.title(code) if code else "no code corresponds"
        click.echo(f"  {version.name:<12} {code or '-':<8} {title}  [confidence {confidence:.2f}]")
    if answer.ambiguity:
        click.echo(f"  {answer.ambiguity.why}:")
        for candidate in answer.ambiguity.candidates:
            click.echo(f"    {candidate.probability:6.1%}  {candidate.code:<8}  {candidate.title}")


@click.command()
@click.option("--data", required=True, metavar="F", help="Register: CSV or Parquet, or s3://.")
@click.option("--output", required=True, metavar="DIR", help="Folder or s3:// for the result.")
@click.option("--model", metavar="DIR", help="Model of the version to go to.")
@_table_options
@click.option("--text-column", default="text", show_default=True, help="Column of the texts.")
@click.option("--code-column", default="code", show_default=True, help="Column of the old codes.")
@click.option("--id-column", default="", help="Column to identify a unit by.")
@click.option("--weight-column", default="", help="Employment, turnover: what a unit counts.")
@click.option("--period-column", default="", help="Column of the period, for the series.")
@feature_columns
@click.option("--threshold", default=0.8, show_default=True, help="Confidence for the model.")
@click.option("--min-support", type=float, help="Least probability of all candidates together.")
@click.option("--sharpness", type=float, help="Power of the model's probabilities.")
@click.option(
    "--fit-sharpness",
    "fit",
    metavar="F",
    help="Choose --sharpness on these texts with new codes ('text', 'code'), not learned from.",
)
@click.option("--chunk-rows", type=click.IntRange(min=1), help="Rows of one part.")
@click.option("--fresh", is_flag=True, help="Begin again over the result of another recipe.")
@click.option("--decisions", metavar="F", help="Filled-in review file to take over.")
@click.option("--queue", metavar="F", help="Write the review queue there, as CSV.")
@click.option("--queue-cases", default=10_000, show_default=True, help="Cases in it at most.")
@click.option("--minutes", default=1.0, show_default=True, help="Time for a case, in minutes.")
@click.option(
    "--minutes-per-candidate", default=0.0, show_default=True, help="More for each candidate."
)
@click.option("--human-error", default=0.0, show_default=True, help="Share of wrong decisions.")
@click.option("--result", metavar="F", help="Write all rows into one Parquet file.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def recode(data: str, output: str, model: str | None, as_json: bool, **given: Any) -> None:
    """Bring a labelled register to another version: by table, by model, and a review queue."""
    from autonoe_nace.model import NaceModel
    from autonoe_nace.recoding.recode import CHUNK_ROWS, Plan
    from autonoe_nace.recoding.recode import recode as run
    from autonoe_nace.recoding.recoded import Effort
    from autonoe_nace.recoding.register import Columns

    effort = Effort(given["minutes"], given["minutes_per_candidate"], given["human_error"])
    loaded = NaceModel.load(model) if model else None
    table = _table(loaded, "target", given)
    names = {name: given[f"{name}_column"] for name in ("text", "code", "id", "weight", "period")}
    plan = Plan(
        columns=Columns(**names, features=given["features"]),
        rules=_rules(loaded, table, given),
        chunk_rows=given["chunk_rows"] or CHUNK_ROWS,
        fresh=given["fresh"],
    )
    with ProgressBar() as bar:
        register = run(data, table, loaded, output, plan=plan, progress=bar)
    applied = register.apply(given["decisions"]) if given["decisions"] else None
    cases = None
    if given["queue"]:
        cases = register.write_queue(given["queue"], limit=given["queue_cases"], effort=effort)
    if given["result"]:
        register.write(given["result"])
    summary = register.summary(effort)
    if as_json:
        print_json({"output": output, "decisions": applied, "queue_cases": cases, **summary})
        return
    for status, row in summary["by_status"].items():
        click.echo(f"{status:<8} {row['rows']:>12,} rows  {row['share']:7.1%} of the weight")
    review = summary["review"]
    click.echo(f"{review['cases']:,} cases to review, {review['minutes'] / 60:,.1f} hours")


def _rules(model: NaceModel | None, table: Correspondence, given: dict[str, Any]) -> Any:
    from autonoe_nace.data import read_table
    from autonoe_nace.recoding.decide import Rules
    from autonoe_nace.recoding.sharpness import fit_sharpness

    chosen = {"threshold": given["threshold"]}
    for name in ("min_support", "sharpness"):
        if given[name] is not None:
            chosen[name] = given[name]
    if given["fit"] and model:
        found = fit_sharpness(model, table, read_table(given["fit"], nomenclature=table.target))
        click.echo(
            f"sharpness: {found.value:.2f} on {found.n:,} questions; the model is right in "
            f"{found.accuracy:.1%}, and now says {found.probability_after:.1%}",
            err=True,
        )
        chosen["sharpness"] = found.value
    return Rules(**chosen)


@click.command()
@click.option(
    "--recoded",
    required=True,
    multiple=True,
    metavar="DIR",
    help="Output of recode; several cover both sides of the change.",
)
@click.option("--level", default=4, show_default=True, help="1 section to 6.")
@click.option("--counts", "counts_file", metavar="F", help="Write the counts there, as CSV.")
@click.option("--matrix", metavar="F", help="Write the conversion matrix there, as CSV.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def series(
    recoded: Sequence[str], level: int, counts_file: str | None, matrix: str | None, as_json: bool
) -> None:
    """Count units in both versions over time, with the conversion matrix between them."""
    from autonoe_nace.recoding.recoded import RecodedRegister
    from autonoe_nace.recoding.series import conversion, counts, write_csv

    registers = [RecodedRegister(folder) for folder in recoded]
    rows = counts(registers, level=level)
    matrices = [
        {"from": r.source.name, "to": r.target.name, **cell}
        for r in registers
        for cell in conversion(r, level=level)
    ]
    if counts_file:
        write_csv(counts_file, rows)
    if matrix:
        write_csv(matrix, matrices)
    if as_json:
        print_json({"level": level, "counts": rows, "conversion": matrices})
        return
    for row in rows:
        click.echo(
            f"{row['version']:<12} {row['period'] or '-':<10} {row['code'] or '-':<8} "
            f"{row['n']:>14,.1f}  ({row['low']:,.1f} to {row['high']:,.1f})  {row['basis']}"
        )
