"""``autonoe nace rules``: the rules of preparation, and what each does to given texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from autonoe.cli import print_json
from autonoe.errors import InvalidInputError
from autonoe_nace.cli_data import text_column as text_column_option

if TYPE_CHECKING:
    from autonoe_nace.text import Preparation


@click.group()
def rules() -> None:
    """Show how texts are prepared, and what each rule does."""


_language = click.option(
    "--language", default="", metavar="TAG|FILE", help="Language, or a YAML file of rules."
)
_model = click.option("--model", default="", metavar="DIR", help="The rules inside this model.")
_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@rules.command()
@_language
@_model
@_json
def show(language: str, model: str, as_json: bool) -> None:
    """Show the rules of a language, of a file or of a model; all languages when none is named."""
    from autonoe_nace.text import available_languages, load_rules

    if not language and not model:
        sets = [load_rules(tag) for tag in available_languages()]
        found = [
            {
                "language": s.language,
                "version": s.version,
                "rules": len(s.rules),
                "sha256": s.sha256,
            }
            for s in sets
        ]
        if as_json:
            print_json(found)
            return
        for entry in found:
            click.echo(
                f"{entry['language']:<4} version {entry['version']}, {entry['rules']} rules, "
                f"{str(entry['sha256'])[:12]}"
            )
        return
    prepare = _preparation(language, model)
    chosen = prepare.rules
    if as_json:
        print_json({**prepare.to_dict(), "sha256": chosen.sha256})
        return
    click.echo(f"{chosen.language}, version {chosen.version}, {chosen.sha256[:12]}")
    for number, rule in enumerate(chosen.rules, start=1):
        click.echo(f"{number:>2}. {rule.name} ({rule.kind}): {rule.why}")
    for column, values in prepare.features.values.items():
        click.echo(f"    side variable {column}: {', '.join(values)}")


@rules.command()
@click.argument("texts", nargs=-1, metavar="[TEXT]...")
@click.option("--data", metavar="F", help="CSV or Parquet with a column of texts.")
@text_column_option
@_language
@_model
@_json
def effects(
    texts: tuple[str, ...],
    data: str | None,
    text_column: str,
    language: str,
    model: str,
    as_json: bool,
) -> None:
    """Count what each rule changes in the TEXTs, or in a column of --data."""
    from autonoe_nace.data import read_texts
    from autonoe_nace.text import rule_effects

    if bool(texts) == bool(data):
        raise InvalidInputError("Nothing to prepare, or two things.", hint="Give texts or --data.")
    if not language and not model:
        raise InvalidInputError(
            "Whose rules?", hint="Give --language or --model; `autonoe nace rules show` lists them."
        )
    prepare = _preparation(language, model)
    given = read_texts(data, text_column=text_column) if data else list(texts)
    found = rule_effects(prepare, given)
    if as_json:
        print_json(
            {
                "language": prepare.rules.language,
                "version": prepare.rules.version,
                "sha256": prepare.rules.sha256,
                "texts": len(given),
                "rules": [effect.to_dict() for effect in found],
                "prepared": prepare.all(texts),
            }
        )
        return
    click.echo(f"{len(given):,} texts, {prepare.rules.language} version {prepare.rules.version}")
    click.echo(f"{'rule':<24} {'texts':>9} {'share':>7} {'words out':>10} {'emptied':>8}  example")
    for e in found:
        example = f"{e.example[0]!r} -> {e.example[1]!r}" if e.example else ""
        click.echo(
            f"{e.rule.name:<24} {e.texts:>9,} {e.share:>7.1%} {e.words_removed:>10,} "
            f"{e.emptied:>8,}  {example}"
        )
    for text in texts:
        click.echo(f"{text!r} -> {prepare(text)!r}")


def _preparation(language: str, model: str) -> Preparation:
    from autonoe_nace.model.manifest import RULES_FILE, Manifest, damaged
    from autonoe_nace.text import Preparation, load_rules

    if language and model:
        raise InvalidInputError("A language and a model: two sets of rules.", hint="Give one.")
    if language:
        return Preparation(load_rules(language))
    folder = Path(model)
    Manifest.read(folder).check_files(folder)
    try:
        document = json.loads((folder / RULES_FILE).read_text(encoding="utf-8"))
    except ValueError as error:
        raise damaged(f"{RULES_FILE} cannot be read") from error
    return Preparation.from_dict(document)
