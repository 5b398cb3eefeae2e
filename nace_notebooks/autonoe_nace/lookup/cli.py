"""``autonoe nace lookup``: build the rules engine, judge it, ask it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from autonoe.cli import print_json
from autonoe.errors import InvalidInputError
from autonoe_nace.cli_data import Columns, data_columns, feature_columns, read_labelled
from autonoe_nace.cli_data import text_column as text_column_option

if TYPE_CHECKING:
    from autonoe_nace.lookup import LookupAnswer

_INDEX = click.option("--index", required=True, metavar="FILE", help="File of the index.")
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.group()
def lookup() -> None:
    """Code by rules: texts that were coded before, found again."""


@lookup.command()
@click.option("--data", required=True, metavar="F", help="CSV or Parquet, path or s3://.")
@click.option("--output", required=True, metavar="FILE", help="File for the index (JSON).")
@data_columns
@click.option("--nomenclature", required=True, metavar="NAME|FILE", help="What codes belong to.")
@click.option("--extra", multiple=True, metavar="F", help="More coded texts, such as notes.")
@click.option(
    "--extra-where", multiple=True, metavar="COLUMN=VALUE", help="Take only these rows of --extra."
)
@click.option("--language", default="", metavar="TAG|FILE", help="Rules of preparation.")
@click.option(
    "--synonyms", default="", metavar="TAG|FILE", help="Words that mean the same; by language."
)
@click.option("--bands", default="", metavar="NAME|FILE", help="Classes of numeric side variables.")
@click.option("--level", type=click.IntRange(1, 6), help="Level of the answers.")
@click.option("--titles/--no-titles", default=True, help="The nomenclature's titles are entries.")
@click.option(
    "--min-score", default=0.8, show_default=True, help="Share of the evidence for an answer."
)
@click.option("--rule", "using", multiple=True, help="exact, normalised, within; all by default.")
@_JSON
def build(
    data: str,
    output: str,
    columns: Columns,
    nomenclature: str,
    extra: tuple[str, ...],
    extra_where: tuple[str, ...],
    language: str,
    synonyms: str,
    bands: str,
    using: tuple[str, ...],
    as_json: bool,
    **chosen: Any,
) -> None:
    """Build the index from coded texts and write it to a file."""
    from autonoe_nace.lookup import LookupIndex, load_synonyms
    from autonoe_nace.lookup.index import RULES
    from autonoe_nace.nomenclature import load_nomenclature
    from autonoe_nace.text import load_bands, load_rules, rules_for

    tree = load_nomenclature(nomenclature)
    rules = load_rules(language) if language else rules_for(tree.language)
    beside = Columns(columns.text, columns.code, extra_where)
    index = LookupIndex.build(
        read_labelled("data", data, tree, columns, language=language),
        tree,
        rules,
        load_synonyms(synonyms or rules.language),
        extra=[read_labelled(f"extra {u}", u, tree, beside, language=language) for u in extra],
        bands=load_bands(bands) if bands else None,
        using=using or RULES,
        **chosen,
    )
    try:
        path = index.save(output)
    except OSError as error:
        raise InvalidInputError(
            f"The index cannot be written to {output}: {error.strerror}.", hint="Check the folder."
        ) from error
    sizes = {rule: len(found) for rule, found in index.entries.items()}
    if as_json:
        print_json(
            {
                "path": str(path),
                "sha256": index.sha256,
                "level": index.level,
                "entries": sizes,
                "sources": index.sources,
            }
        )
    else:
        click.echo(f"{sizes['exact']:,} texts written to {path}, {index.sha256[:12]}.")


@lookup.command()
@_INDEX
@click.option("--data", required=True, metavar="F", help="Coded texts that are not in the index.")
@data_columns
@click.option(
    "--nomenclature", metavar="NAME|FILE", help="That of the index, when it came from a file."
)
@click.option("--model", metavar="DIR", help="Show what this model does with the same texts.")
@_JSON
def evaluate(
    index: str,
    data: str,
    columns: Columns,
    nomenclature: str | None,
    model: str | None,
    as_json: bool,
) -> None:
    """Measure how much the rules code, and how well, beside a model if one is given."""
    from autonoe_nace.lookup import LookupIndex, beside_model, lookup_baseline
    from autonoe_nace.model import NaceModel
    from autonoe_nace.nomenclature import load_nomenclature

    engine = LookupIndex.load(index)
    loaded = NaceModel.load(model) if model else None
    tree = load_nomenclature(nomenclature or engine.nomenclature)
    language = engine.prepare.rules.language
    labelled = read_labelled("data", data, tree, columns, language=language)
    if loaded is None:
        result: dict[str, Any] = {"lookup": lookup_baseline(engine, labelled)}
    else:
        result = beside_model(engine, loaded, labelled)
    if as_json:
        print_json(result)
        return
    _say(result)


@lookup.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@_INDEX
@click.option("--data", metavar="F", help="CSV or Parquet with a column of texts.")
@text_column_option
@feature_columns
@click.option(
    "--feature",
    "given",
    multiple=True,
    metavar="NAME=VALUE",
    help="Side variable of the TEXTs. May be repeated.",
)
@_JSON
def code(
    texts: tuple[str, ...],
    index: str,
    data: str | None,
    text_column: str,
    features: tuple[str, ...],
    given: tuple[str, ...],
    as_json: bool,
) -> None:
    """Look up each TEXT, or each row of --data."""
    from autonoe_nace.lookup import LookupIndex
    from autonoe_nace.tables import read_columns

    if bool(texts) == bool(data):
        raise InvalidInputError("Nothing to look up, or two things.", hint="Give texts or --data.")
    engine = LookupIndex.load(index)
    rows = [_pairs(given)] * len(texts)
    if data:
        columns = read_columns(data, [text_column, *features]).columns
        texts = tuple(columns[text_column])
        rows = [{name: columns[name][i] for name in features} for i in range(len(texts))]
    answers = engine.code_all(texts, rows)
    if as_json:
        print_json({"index": engine.sha256, "answers": [*map(_document, texts, answers)]})
        return
    for text, answer in zip(texts, answers, strict=True):
        sure = answer.code or "not sure" if answer.rule else "not found"
        others = ", ".join(f"{c} {s:.2f}" for c, s in answer.candidates[:5])
        click.echo(f"{text}  [{sure}]  {answer.rule} {others}".rstrip())


def _pairs(given: Sequence[str]) -> dict[str, str]:
    pairs = {}
    for pair in given:
        name, sign, value = pair.partition("=")
        if not sign or not name.strip():
            raise InvalidInputError(
                f"{pair!r} is not of the form NAME=VALUE.", hint="For example --feature nature=03."
            )
        pairs[name.strip()] = value.strip()
    return pairs


def _document(text: str, answer: LookupAnswer) -> dict[str, Any]:
    return {
        "text": text,
        "code": answer.code,
        "score": answer.score,
        "rule": answer.rule,
        "qualifiers": list(answer.qualifiers),
        "candidates": [{"code": c, "score": s} for c, s in answer.candidates],
    }


def _say(result: dict[str, Any]) -> None:
    found = result["lookup"]
    click.echo(f"{found['n']:,} texts, level {found['level']}")
    click.echo(f"rules: {found['auto_rate']:.1%} coded, {_percent(found['accuracy_auto'])} rightly")
    for rule, counts in found["rules"].items():
        right = counts["n_right"] / counts["n_auto"] if counts["n_auto"] else None
        click.echo(f"  {rule:<11} {counts['n_auto']:>7,} coded, {_percent(right)} rightly")
    if "model" in result:
        model = result["model"]
        click.echo(f"model {model['id']}: {_percent(model['accuracy'])} of all rightly")
        click.echo(f"  as many texts, its surest    {_percent(model['accuracy_same_rate'])}")
        click.echo(f"  the texts that rules code    {_percent(model['accuracy_same_texts'])}")
        click.echo(f"rules first, then the model    {_percent(result['together']['accuracy'])}")


def _percent(share: float | None) -> str:
    return "none" if share is None else f"{share:.1%}"
