"""What an organisation sets without touching code: catalogues, language, name, colours, message."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import StringConstraints, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from autonoe.profiles import reading
from autonoe.profiles.catalogue import Catalogue, picture_address
from autonoe.profiles.model import Line, Part, Words
from autonoe.profiles.problems import CatalogueError, Problem
from autonoe.profiles.sources import Source, load

FILE = "site.yaml"
"""Name of the site's settings in the data folder of an embedded platform."""

Colour = Annotated[str, StringConstraints(pattern=r"^#[0-9a-fA-F]{6}$")]
Address = Annotated[
    str, StringConstraints(pattern=r"^(https?://|mailto:|/)[!-;=?-~]*$", max_length=500)
]


class Link(Part):
    """A link in the foot of each page of the hub."""

    title: Words
    """What it says."""
    url: Address
    """``https://``, ``mailto:`` or a path of this host."""


class Brand(Part):
    """How the hub's pages look."""

    name: Line = "Autonoe"
    """Name of the platform."""
    logo: Line = ""
    """SVG file beside the settings file."""
    colour: Colour = "#1f5fa8"
    """Buttons, links and the chosen card; text on it is white or black, whatever reads better."""
    links: tuple[Link, ...] = ()
    """Shown at the foot of each page."""
    message: Words | None = None
    """Message of the day; plain text, shown as text."""


class Images(Part):
    """Where the images of Autonoe are: for profiles that say ``localhost/autonoe/NAME``."""

    prefix: Annotated[
        str, StringConstraints(pattern=r"^([a-z0-9]+([._:/-]+[a-z0-9]+)*)?$", max_length=200)
    ] = ""
    """Registry and path, such as ``registry.example/autonoe``; empty leaves them."""
    tag: Annotated[str, StringConstraints(pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$")] = ""
    """Their tag; empty leaves it."""


class Site(Part):
    """The site's settings, from one YAML file."""

    language: Literal["auto", "en", "fr"] = "auto"
    """Language of the hub's pages; ``auto`` follows each person's browser."""
    catalogues: tuple[Source, ...] = (Source(builtin=True),)
    """Where profiles come from, in order: a later one adds to the earlier or replaces by name."""
    images: Images = Images()
    """Where the images of Autonoe are."""
    brand: Brand = Brand()
    """Name, logo, colour, links, message."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.catalogues:
            raise ValueError("catalogues is empty: then nobody could start anything")
        return self


class SiteSettings(BaseSettings):
    """Where the site's settings are."""

    model_config = SettingsConfigDict(env_prefix="AUTONOE_SITE_", frozen=True)

    file: Path | None = None
    """YAML file of the site; default ``site.yaml`` in the data folder, if it is there."""
    cache: Path | None = None
    """Folder for what was fetched; default one below the data folder, or a temporary one."""


def read(file: Path | None) -> Site:
    """Return the settings in ``file``, or the defaults when it is None.

    Raises
    ------
    CatalogueError
        With the line of each value that does not fit.
    """
    if file is None:
        return Site()
    document = reading.parse(reading.read_text(file), str(file))
    site = reading.validate(Site, document)
    if site.brand.logo:
        try:
            logo(file, site)
        except ValueError as error:
            line = document.line(("brand", "logo"))
            raise CatalogueError([Problem(str(file), line, "brand.logo", str(error))]) from error
    # Paths in the file are meant from where the file lies.
    sources = tuple(source.below(file.parent) for source in site.catalogues)
    return site.model_copy(update={"catalogues": sources})


def catalogue(site: Site, *, cache: Path | None = None) -> Catalogue:
    """Return the site's catalogue, with images from where it keeps them.

    Raises
    ------
    AutonoeError
        As :func:`autonoe.profiles.sources.load`.
    """
    found = load(site.catalogues, cache=cache)
    return found.with_images(site.images.prefix, site.images.tag)


def logo(file: Path | None, site: Site) -> str:
    """Return the brand's logo as a ``data:`` address; "" when there is none.

    Raises
    ------
    ValueError
        If it is no plain SVG.
    """
    if file is None or not site.brand.logo:
        return ""
    path = (file.parent / site.brand.logo).resolve()
    if path.suffix != ".svg":
        raise ValueError("must be an .svg file")
    try:
        return picture_address(path.read_bytes())
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
