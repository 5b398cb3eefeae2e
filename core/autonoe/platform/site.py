"""What only the site knows: its name, which parts it wants, its own values and chart copies."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autonoe.errors import InvalidInputError
from autonoe.platform.catalogue import Catalogue, Part, in_order, read_yaml
from autonoe.validation import mistakes


class PartChoice(BaseModel):
    """What the site says about one part."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enabled: bool | None = None
    """None: as the list says."""
    chart: str = ""
    """Copy of the chart to use instead: a folder or a ``.tgz``, relative to the site's file."""
    values: tuple[str, ...] = ()
    """More layers of values, relative to the site's file; the last one wins."""
    namespace: str = ""


class Site(BaseModel):
    """The site's file, ``platform.yaml``; every entry can be left out."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    instance: str = Field("autonoe", pattern=r"^[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?$")
    """Prefix of releases and namespaces, so that two instances can share a cluster."""
    storage_class: str = ""
    """Empty: the cluster's default."""
    parts: dict[str, PartChoice] = {}
    folder: Path = Path()
    """Where relative paths start."""

    def choice(self, name: str) -> PartChoice:
        """Return what the site says about the part ``name``."""
        return self.parts.get(name, PartChoice())

    def with_part(self, name: str, **changes: Any) -> Site:
        """Return the site with other wishes for one part."""
        choice = self.choice(name).model_copy(update=changes)
        return self.model_copy(update={"parts": {**self.parts, name: choice}})

    def chart(self, part: Part) -> Path | None:
        """Return the local copy of the part's chart that the site gave, or None.

        Raises
        ------
        InvalidInputError
            If it is not there.
        """
        given = self.choice(part.name).chart
        if not given:
            return None
        path = (self.folder / given).resolve()
        if not path.exists():
            raise InvalidInputError(
                f"The copy of the chart of {part.name} is not there: {path}.",
                hint=f"Correct --chart {part.name}=PATH or the site's file.",
            )
        return path

    def namespace(self, part: Part) -> str:
        """Return the namespace of ``part``."""
        return self.choice(part.name).namespace or part.namespace.replace(
            "{instance}", self.instance
        )

    def fill(self, text: str, part: Part) -> str:
        """Return ``text`` with this site's names for ``{instance}`` and ``{namespace}``."""
        filled = text.replace("{instance}", self.instance)
        return filled.replace("{namespace}", self.namespace(part))

    def release(self, part: Part) -> str:
        """Return the name of the part's Helm release."""
        return part.name if part.shared else f"{self.instance}-{part.name}"


def load_site(path: Path) -> Site:
    """Return the site's file.

    Raises
    ------
    InvalidInputError
        If it cannot be read or holds an unknown entry.
    """
    document = read_yaml(path)
    if not isinstance(document, Mapping):
        raise InvalidInputError(f"{path} holds no entries.", hint="See docs/install.")
    if "folder" in document:
        raise InvalidInputError(f"{path}: folder: it is where the file lies.")
    try:
        return Site.model_validate({**document, "folder": path.resolve().parent})
    except ValidationError as error:
        raise InvalidInputError(f"{path}: {mistakes(error, most=1)}.") from error


def chosen(catalogue: Catalogue, site: Site, only: tuple[str, ...] = ()) -> tuple[Part, ...]:
    """Return the parts to look after, in order.

    Parameters
    ----------
    catalogue : Catalogue
        The list.
    site : Site
        Its wishes.
    only : tuple of str
        These parts and no other; empty: all that the site wants.

    Raises
    ------
    InvalidInputError
        If a name is unknown, or a part needs another that the site has turned off.
    """
    for name in (*site.parts, *only):
        catalogue.part(name)
    wanted = {
        part.name
        for part in catalogue.parts
        if (part.default if (on := site.choice(part.name).enabled) is None else on)
    }
    for part in catalogue.parts:
        off = [n for n in part.needs if part.name in wanted and n not in wanted]
        if off:
            raise InvalidInputError(
                f"{part.name} needs {', '.join(off)}, which the site turned off.",
                hint="Turn it on, or turn both off and bring your own.",
            )
    if only:
        wanted = set(only)
    return in_order(tuple(part for part in catalogue.parts if part.name in wanted))
