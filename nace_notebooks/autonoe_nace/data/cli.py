"""``autonoe nace duplicates``, ``split`` and ``class-texts``: labelled texts before training."""

from __future__ import annotations

import click

from autonoe.cli import print_json
from autonoe_nace.cli_data import Columns, data_columns, read_labelled, report

_DATA = click.option("--data", required=True, metavar="F", help="CSV or Parquet, path or s3://.")
_TREE = click.option(
    "--nomenclature", required=True, metavar="NAME|FILE", help="What the codes belong to."
)
_LANGUAGE = click.option(
    "--language", default="", help="Rules of preparation; that of the nomenclature."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.command()
@_DATA
@data_columns
@_TREE
@_LANGUAGE
@click.option("--shown", default=20, show_default=True, help="Conflicts to show.")
@_JSON
def duplicates(
    data: str, columns: Columns, nomenclature: str, language: str, shown: int, as_json: bool
) -> None:
    """Report what repeats, nearly repeats, and has several codes."""
    from autonoe_nace.data.duplicates import find_duplicates
    from autonoe_nace.nomenclature import load_nomenclature

    tree = load_nomenclature(nomenclature)
    labelled = read_labelled("data", data, tree, columns, language=language)
    found = find_duplicates(labelled, language=language)
    if as_json:
        print_json(found.to_dict(shown))
        return
    click.echo(f"{found.texts:,} texts, {found.distinct:,} distinct, {found.repeated:,} repeated")
    click.echo(
        f"{len(found.conflicts):,} texts have several codes ({found.conflicting_rows:,} rows): "
        f"at most {found.ceiling:.1%} of these rows can be coded as they are"
    )
    for conflict in found.conflicts[:shown]:
        codes = ", ".join(f"{code} ({n})" for code, n in conflict.codes.items())
        beside = "".join(f", {name}={value}" for name, value in conflict.features.items() if value)
        click.echo(f"  {conflict.text!r}{beside}: {codes}; same down to level {conflict.agree}")
    how = "words and characters" if found.compared_characters else "words only"
    click.echo(
        f"{found.groups:,} groups of near-duplicates (by {how}), {found.mixed_groups:,} of them "
        "with several codes"
    )
    for group in found.largest[:5]:
        click.echo(f"  {group['texts']:,} texts: {' | '.join(group['examples'])}")


@click.command()
@_DATA
@click.option("--output", required=True, metavar="F", help="CSV, or Parquet by its ending.")
@data_columns
@_TREE
@_LANGUAGE
@click.option("--folds", type=click.IntRange(min=2), help="Number of folds, in a column 'fold'.")
@click.option(
    "--test-share",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share held out, in a column 'part': train or test.",
)
@click.option("--seed", default=0, show_default=True, help="Another seed, another split.")
@_JSON
def split(
    data: str,
    output: str,
    columns: Columns,
    nomenclature: str,
    language: str,
    folds: int | None,
    test_share: float | None,
    seed: int,
    as_json: bool,
) -> None:
    """Split labelled texts so that near-duplicates stay together."""
    from autonoe_nace.data.split_file import split as make_split
    from autonoe_nace.data.split_file import write_split
    from autonoe_nace.nomenclature import load_nomenclature
    from autonoe_nace.splitting import compared_by, near_duplicate_groups
    from autonoe_nace.text import Preparation, rules_for

    tree = load_nomenclature(nomenclature)
    labelled = read_labelled("data", data, tree, columns, language=language)
    prepare = Preparation(rules_for(language or tree.language))
    prepared = prepare.all(labelled.texts)
    groups = near_duplicate_groups(prepared)
    found = make_split(groups, k=folds, share=test_share, seed=seed)
    rows = write_split(data, labelled, found, output)
    if as_json:
        print_json(
            {
                "path": output,
                "rows": rows,
                "groups": len(set(groups)),
                "compared": compared_by(prepared),
                "column": found.column,
                "sizes": found.sizes,
            }
        )
        return
    sizes = ", ".join(f"{name}: {n:,}" for name, n in found.sizes.items())
    click.echo(f"{rows:,} rows in {len(set(groups)):,} groups written to {output}; {sizes}")


@click.command(name="class-texts")
@click.argument("source", metavar="ateco2025|F")
@click.option("--output", metavar="F", help="Write them: CSV, or Parquet by its ending.")
@_TREE
@_LANGUAGE
@click.option(
    "--kind", "kinds", multiple=True, help="title, include, include_also, exclude_ref; all."
)
@_JSON
def class_texts(
    source: str,
    output: str | None,
    nomenclature: str,
    language: str,
    kinds: tuple[str, ...],
    as_json: bool,
) -> None:
    """Take titles and notes apart into texts for --extra of train.

    SOURCE is ateco2025, or a file of texts with columns text, code and kind, or a file of notes
    with columns code, title, includes, includes_also, excludes.
    """
    from autonoe_nace.data.class_texts import KINDS, read_class_texts
    from autonoe_nace.nomenclature import load_nomenclature
    from autonoe_nace.tables import write_columns

    tree = load_nomenclature(nomenclature)
    found = read_class_texts(source, nomenclature=tree, kinds=kinds or KINDS, language=language)
    report("class texts", found)
    if output:
        write_columns(output, {"text": found.texts, "code": found.codes})
    if as_json:
        print_json(
            {
                "path": output,
                "texts": len(found),
                "codes": len(set(found.codes)),
                "report": found.report.to_dict(),
            }
        )
        return
    where = f" written to {output}" if output else ""
    click.echo(f"{len(found):,} texts of {len(set(found.codes)):,} codes{where}")
