"""Options of ``autonoe nace`` that name the rows and columns of a file, and its reading."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from autonoe_nace.data import Dataset
    from autonoe_nace.nomenclature import Nomenclature


@dataclass(frozen=True)
class Columns:
    """Which columns and rows of a file hold labelled texts."""

    text: str = "text"
    code: str = "code"
    conditions: Sequence[str] = ()
    features: Sequence[str] = ()


def text_column(command: Any) -> Any:
    """Add the option for the column of texts."""
    return click.option(
        "--text-column", default="text", show_default=True, help="Column of the texts."
    )(command)


def feature_columns(command: Any) -> Any:
    """Add the option for columns of side variables."""
    return click.option(
        "--feature-column",
        "features",
        multiple=True,
        metavar="NAME",
        help="Column of a side variable, such as nature or surface. May be repeated.",
    )(command)


def data_columns(command: Any) -> Any:
    """Add the options that name columns and rows; the command gets one ``columns``.

    Examples
    --------
    >>> @click.command()
    ... @data_columns
    ... def show(columns: Columns) -> None:
    ...     click.echo(columns.text)
    """

    @functools.wraps(command)
    def gathered(
        *arguments: Any,
        text_column: str,
        code_column: str,
        conditions: tuple[str, ...],
        features: tuple[str, ...],
        **rest: Any,
    ) -> Any:
        columns = Columns(text_column, code_column, conditions, features)
        return command(*arguments, columns=columns, **rest)

    where = click.option(
        "--where",
        "conditions",
        multiple=True,
        metavar="COLUMN=VALUE",
        help="Take only these rows; != for the others. May be repeated.",
    )
    code = click.option(
        "--code-column", default="code", show_default=True, help="Column of the codes."
    )
    return text_column(code(feature_columns(where(gathered))))


def read_labelled(
    name: str, uri: str, tree: Nomenclature, columns: Columns, *, language: str = ""
) -> Dataset:
    """Read labelled texts and say on stderr, after ``name``, what was odd about them."""
    from autonoe_nace.data import read_table
    from autonoe_nace.data.conditions import Condition

    data = read_table(
        uri,
        nomenclature=tree,
        text_column=columns.text,
        code_column=columns.code,
        where=[Condition.parse(text) for text in columns.conditions],
        language=language,
        feature_columns=columns.features,
    )
    report(name, data)
    return data


def read_class_text_files(
    sources: Sequence[str], tree: Nomenclature, kinds: Sequence[str], *, language: str = ""
) -> list[Dataset]:
    """Read class texts (all kinds when none is named) and say on stderr what was odd about them."""
    from autonoe_nace.data.class_texts import KINDS, read_class_texts

    found = []
    for source in sources:
        data = read_class_texts(source, nomenclature=tree, kinds=kinds or KINDS, language=language)
        report(f"class texts {source}", data)
        found.append(data)
    return found


def report(name: str, data: Dataset) -> None:
    """Say on stderr what was odd about ``data``."""
    for line in data.report.lines():
        click.echo(f"{name}: {line}", err=True)
