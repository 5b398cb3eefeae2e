"""Reading YAML so that each error names its line.

Anchors, aliases, merges, tags and duplicate keys are refused: nothing in a catalogue needs them,
and an alias can grow a kilobyte into a gigabyte.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from autonoe.profiles.problems import CatalogueError, Problem

MAX_BYTES = 1 << 20
"""Of one catalogue file."""
_MAX_DEPTH = 20

Key = str | int
Model = TypeVar("Model", bound=BaseModel)


@dataclass(frozen=True)
class Document:
    """What a file holds, and on which line each value stands."""

    file: str
    value: Any
    lines: dict[tuple[Key, ...], int]

    def line(self, path: tuple[Key, ...]) -> int:
        """Return the line of ``path``, or of the nearest value around it."""
        for length in range(len(path), -1, -1):
            if path[:length] in self.lines:
                return self.lines[path[:length]]
        return 0


def read_text(file: Path, *, name: str = "") -> str:
    """Return the text of ``file``.

    Raises
    ------
    CatalogueError
        If it cannot be read, is larger than 1 MiB, or is not UTF-8.
    """
    shown = name or str(file)
    try:
        with file.open("rb") as stream:
            data = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _whole(shown, f"cannot be read: {error.strerror or error}") from error
    return decode(data, shown)


def decode(data: bytes, name: str) -> str:
    """Return ``data`` as text, within the limits of a catalogue file."""
    if len(data) > MAX_BYTES:
        raise _whole(name, f"is larger than {MAX_BYTES >> 20} MiB")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _whole(name, f"is not UTF-8 (byte {error.start})") from error


def parse(text: str, name: str) -> Document:
    """Return the one YAML document of ``text``.

    Raises
    ------
    CatalogueError
        With the line, if it is no YAML or uses what is refused here.
    """
    try:
        _refuse_aliases(text, name)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error)
        line = mark.line + 1 if mark else 0
        raise CatalogueError([Problem(name, line, "", f"is not YAML: {problem}")]) from error
    except RecursionError as error:
        raise _whole(name, "is nested too deeply") from error
    walk = _Walk(name)
    value = walk.value(root, ()) if root is not None else None
    if walk.problems:
        raise CatalogueError(walk.problems)
    return Document(name, value, walk.lines)


def validate(model: type[Model], document: Document) -> Model:
    """Return ``document`` as ``model``.

    Raises
    ------
    CatalogueError
        With a line for each value that does not fit.
    """
    value = {} if document.value is None else document.value
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise CatalogueError(_problems(error, document)) from None


def _problems(error: ValidationError, document: Document) -> list[Problem]:
    found = []
    for entry in error.errors(include_url=False):
        path: tuple[Key, ...] = entry["loc"]
        if path and path[-1] == "[key]":
            path = path[:-1]
        where = ".".join(str(part) for part in path)
        found.append(Problem(document.file, document.line(path), where, _message(entry)))
    return sorted(found, key=lambda problem: (problem.line, problem.where))


def _message(entry: Any) -> str:
    kind = entry["type"]
    if kind == "extra_forbidden":
        return "is no key that is known here"
    if kind == "missing":
        return "is missing"
    text = str(entry["msg"]).removeprefix("Value error, ")
    given = entry.get("input")
    if isinstance(given, str | int | float | bool) and kind != "value_error":
        return f"{text}; found {str(given)[:80]!r}"
    return text


def _refuse_aliases(text: str, name: str) -> None:
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        anchor = getattr(event, "anchor", None)
        if anchor is not None:
            line = event.start_mark.line + 1 if event.start_mark else 0
            raise CatalogueError(
                [Problem(name, line, "", "anchors and aliases (& and *) are not used here")]
            )


class _Walk:
    """Turns nodes into values and notes where each of them stands."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.lines: dict[tuple[Key, ...], int] = {}
        self.problems: list[Problem] = []
        self._plain = yaml.SafeLoader("")

    def value(self, node: yaml.Node, path: tuple[Key, ...]) -> Any:
        self.lines.setdefault(path, node.start_mark.line + 1)
        if len(path) > _MAX_DEPTH:
            self._problem(node, path, "is nested too deeply")
            return None
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, n)) for n, item in enumerate(node.value)]
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: tuple[Key, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag.endswith(":merge"):
                self._problem(key_node, path, "a key must be a plain word")
                continue
            key = key_node.value
            if key in found:
                self._problem(key_node, (*path, key), "is there twice")
                continue
            self.lines[(*path, key)] = key_node.start_mark.line + 1
            found[key] = self.value(value_node, (*path, key))
        return found

    def _scalar(self, node: yaml.Node, path: tuple[Key, ...]) -> Any:
        kind = node.tag.rpartition(":")[2]
        if not re.fullmatch(r"tag:yaml\.org,2002:(str|int|float|bool|null)", node.tag):
            # A date such as 2026-01-01 is a text to us; anything else asks for Python objects.
            if node.tag == "tag:yaml.org,2002:timestamp":
                return node.value
            self._problem(node, path, f"the tag {kind!r} is not used here")
            return None
        try:
            return self._plain.construct_object(node)
        except (ValueError, yaml.YAMLError):
            self._problem(node, path, "cannot be read")
            return None

    def _problem(self, node: yaml.Node, path: tuple[Key, ...], message: str) -> None:
        where = ".".join(str(part) for part in path)
        self.problems.append(Problem(self.name, node.start_mark.line + 1, where, message))


def _whole(name: str, message: str) -> CatalogueError:
    return CatalogueError([Problem(name, 0, "", message)])
