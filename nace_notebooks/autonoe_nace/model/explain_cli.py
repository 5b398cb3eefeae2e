"""``autonoe nace explain``: why a text has this code and not the other."""

from __future__ import annotations

from pathlib import Path

import click

from autonoe.cli import print_json
from autonoe.errors import InvalidInputError


@click.command()
@click.argument("texts", nargs=-1, required=True, metavar="TEXT...")
@click.option("--model", required=True, metavar="DIR", help="Folder of the model.")
@click.option("--code", help="The code to explain; the most probable one by default.")
@click.option("--against", help="The code to compare with; the next one by default.")
@click.option(
    "--feature",
    "features",
    multiple=True,
    metavar="NAME=VALUE",
    help="A side variable of the texts. May be repeated.",
)
@click.option(
    "--top",
    default=10,
    show_default=True,
    type=click.IntRange(min=0),
    help="Contributions to list.",
)
@click.option(
    "--nearest",
    default=3,
    show_default=True,
    type=click.IntRange(min=0),
    help="Training texts to show, when the model keeps them.",
)
@click.option("--html", "page", type=click.Path(path_type=Path), help="Also write a page of HTML.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
def explain(
    texts: tuple[str, ...],
    model: str,
    code: str | None,
    against: str | None,
    features: tuple[str, ...],
    top: int,
    nearest: int,
    page: Path | None,
    as_json: bool,
) -> None:
    """Say what speaks for the code of each TEXT: words, letters, like texts, the note."""
    from autonoe_nace.model import NaceModel
    from autonoe_nace.model.explain_html import document

    loaded = NaceModel.load(model)
    given = dict(map(_pair, features)) or None
    found = [loaded.explain(text, given, code, against, top, nearest=nearest) for text in texts]
    if page is not None:
        page.write_text(document(found), encoding="utf-8")
    if as_json:
        print_json({"model": loaded.id, "explanations": [e.to_dict() for e in found]})
    else:
        click.echo("\n\n".join(map(str, found)))


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise InvalidInputError(
            "A side variable is given as NAME=VALUE.", hint="For example --feature nature=03"
        )
    return name, value
