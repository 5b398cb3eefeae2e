"""A catalogue: the profiles and headings of one or several files, in order."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from autonoe.errors import ForbiddenError, NotFoundError
from autonoe.profiles import reading
from autonoe.profiles.model import CatalogueFile, Category, Profile, Words
from autonoe.profiles.problems import CatalogueError, Problem

Mode = Literal["embedded", "kubernetes"]

OTHER = Category(title=Words(en="Other", fr="Autres"), order=1000)
"""Heading of profiles whose category no file describes."""

OURS = "localhost/autonoe/"
"""Where images of ours are called to be until an organisation says where its copies are."""

_MAX_PICTURE = 48 * 1024
# A picture is shown as an image, where scripts do not run; these are refused all the same, since
# somebody will open the file itself one day.
_ACTIVE_SVG = re.compile(
    rb"(?i)<script|<!DOCTYPE|<!ENTITY|<foreignObject|\son[a-z]+\s*=|javascript:"
)


@dataclass(frozen=True)
class Entry:
    """A profile with what its file does not hold itself."""

    name: str
    """Name in the catalogue."""
    profile: Profile
    """What is written there."""
    source: str
    """File it comes from."""
    line: int = 0
    """Line of its name in that file."""
    picture: str = ""
    """``data:`` address of the picture; empty when there is none."""


@dataclass(frozen=True)
class Catalogue:
    """Profiles by name, in the order in which people see them.

    Attributes
    ----------
    entries : dict of str to Entry
        Profiles by name.
    categories : dict of str to Category
        Headings by name.
    sources : tuple of str
        Where they come from, a Git source with its commit.
    """

    entries: dict[str, Entry] = field(default_factory=dict)
    categories: dict[str, Category] = field(default_factory=dict)
    sources: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries.values())

    def __len__(self) -> int:
        return len(self.entries)

    def get(self, name: str) -> Entry:
        """Return the profile ``name``.

        Raises
        ------
        NotFoundError
            If there is none of that name.
        """
        if name not in self.entries:
            known = ", ".join(self.entries) or "none"
            raise NotFoundError(
                f"There is no profile {name[:60]!r}; there are: {known}.",
                hint="Choose one of them.",
            )
        return self.entries[name]

    def category(self, name: str) -> Category:
        """Return the heading ``name``, or the one for all others."""
        return self.categories.get(name, OTHER)

    def for_groups(
        self, groups: Iterable[str], *, is_admin: bool = False, mode: Mode | None = None
    ) -> Catalogue:
        """Return the part that a member of ``groups`` may start, on one kind of platform."""
        members = frozenset(groups)
        kept = {
            entry.name: entry
            for entry in self
            if entry.profile.allowed(members, is_admin=is_admin)
            and (mode is None or mode in entry.profile.runs_on)
        }
        return replace(self, entries=kept)

    def default(self) -> Entry:
        """Return the profile of those who choose none.

        Raises
        ------
        ForbiddenError
            If nothing is left to choose from.
        """
        if not self.entries:
            raise ForbiddenError(
                "No profile is open to you.",
                hint="Ask your administrator to add you to a group that may start one.",
                code="no_profile",
            )
        chosen = [entry for entry in self if entry.profile.default]
        return (chosen or list(self))[0]

    def images(self) -> tuple[str, ...]:
        """Return every image that a server can start from, each once."""
        found = {
            image: None
            for entry in self
            for image in (
                entry.profile.image,
                *(o.image for o in entry.profile.other_images.values()),
            )
            if image
        }
        return tuple(found)

    def with_images(self, prefix: str = "", tag: str = "") -> Catalogue:
        """Return this catalogue with images of ours taken from ``prefix`` and with ``tag``.

        Images whose name begins otherwise than with ``localhost/autonoe/`` stay as they are.
        """

        def moved(image: str) -> str:
            if not image.startswith(OURS):
                return image
            name, _, own_tag = image.removeprefix(OURS).partition(":")
            return f"{prefix.rstrip('/') or OURS.rstrip('/')}/{name}:{tag or own_tag}"

        entries = {}
        for entry in self:
            others = {
                name: other.model_copy(update={"image": moved(other.image)})
                for name, other in entry.profile.other_images.items()
            }
            changed = {"image": moved(entry.profile.image), "other_images": others}
            entries[entry.name] = replace(entry, profile=entry.profile.model_copy(update=changed))
        return replace(self, entries=entries)

    def followed_by(self, later: Catalogue, removed: Iterable[str] = ()) -> Catalogue:
        """Return this catalogue with ``later`` added to it or in place of the same names."""
        gone = set(removed)
        entries = {n: e for n, e in self.entries.items() if n not in gone} | later.entries
        categories = {**self.categories, **later.categories}
        return _sorted(Catalogue(entries, categories, (*self.sources, *later.sources)))


def read_folder(folder: Path, *, source: str = "", before: Catalogue | None = None) -> Catalogue:
    """Return ``before`` followed by the ``*.yaml`` files of ``folder``, in name order.

    Parameters
    ----------
    folder : Path
        Holds catalogue files and, below it, their pictures.
    source : str
        What to call the folder in messages; default its path.
    before : Catalogue, optional
        Earlier catalogues.

    Raises
    ------
    CatalogueError
        With file and line of all that is wrong in any of the files.
    """
    shown = source or str(folder)
    files = sorted((*folder.glob("*.yaml"), *folder.glob("*.yml")))
    if not files:
        raise CatalogueError([Problem(shown, 0, "", "is no folder with catalogue files (*.yaml)")])
    catalogue = replace(before or Catalogue())
    catalogue = replace(catalogue, sources=(*catalogue.sources, shown))
    problems: list[Problem] = []
    seen: dict[str, Entry] = {}
    for file in files:
        name = f"{shown.rstrip('/')}/{file.name}"
        try:
            text = reading.read_text(file, name=name)
            found, removed = read_document(text, name, folder=folder)
        except CatalogueError as error:
            problems += error.problems
            continue
        for entry in found:
            if entry.name in seen:
                first = seen[entry.name]
                where = f"profiles.{entry.name}"
                message = f"is also in {first.source}:{first.line}"
                problems.append(Problem(entry.source, entry.line, where, message))
            seen[entry.name] = entry
        catalogue = catalogue.followed_by(found, removed)
    if problems:
        raise CatalogueError(problems)
    return catalogue


def read_document(
    text: str, name: str, *, folder: Path | None = None
) -> tuple[Catalogue, tuple[str, ...]]:
    """Return the profiles and headings of one file's text, and the names that it removes.

    Parameters
    ----------
    text : str
        YAML.
    name : str
        What to call the file in messages.
    folder : Path, optional
        Where its pictures lie; None for a file that came alone.

    Raises
    ------
    CatalogueError
        With the lines of all that is wrong.
    """
    document = reading.parse(text, name)
    file = reading.validate(CatalogueFile, document)
    entries, problems = {}, []
    for key, profile in file.profiles.items():
        line = document.line(("profiles", key))
        picture = ""
        if profile.picture:
            try:
                picture = _picture(profile.picture, folder)
            except ValueError as error:
                where = ("profiles", key, "picture")
                problems.append(Problem(name, document.line(where), ".".join(where), str(error)))
        entries[key] = Entry(key, profile, name, line, picture)
    if problems:
        raise CatalogueError(problems)
    return Catalogue(entries, dict(file.categories)), file.remove


def picture_address(data: bytes) -> str:
    """Return an SVG as a ``data:`` address.

    Raises
    ------
    ValueError
        If it is too large, no SVG, or holds something active.
    """
    if len(data) > _MAX_PICTURE:
        raise ValueError(f"the picture is larger than {_MAX_PICTURE >> 10} KiB")
    if b"<svg" not in data[:2000] or _ACTIVE_SVG.search(data):
        raise ValueError("the picture must be a plain SVG without scripts or entities")
    return "data:image/svg+xml;base64," + base64.b64encode(data).decode("ascii")


def _picture(path: str, folder: Path | None) -> str:
    if folder is None:
        raise ValueError("a catalogue that is one file alone has no pictures beside it")
    file = (folder / path).resolve()
    if not file.is_relative_to(folder.resolve()) or file.suffix != ".svg":
        raise ValueError("must be an .svg file below the catalogue's folder")
    try:
        with file.open("rb") as stream:
            return picture_address(stream.read(_MAX_PICTURE + 1))
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error


def _sorted(catalogue: Catalogue) -> Catalogue:
    def place(entry: Entry) -> tuple[int, str, int, str]:
        category = entry.profile.category
        return (catalogue.category(category).order, category, entry.profile.order, entry.name)

    ordered = sorted(catalogue.entries.values(), key=place)
    return replace(catalogue, entries={entry.name: entry for entry in ordered})
