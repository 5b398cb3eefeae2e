"""The command ``autonoe profiles``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from autonoe.cli import print_json
from autonoe.errors import InvalidInputError
from autonoe.profiles import site as sites
from autonoe.profiles.catalogue import Catalogue
from autonoe.profiles.compile import kubespawner, profile_list_yaml
from autonoe.profiles.compile.views import amounts, profile_view
from autonoe.profiles.schema import SCHEMAS
from autonoe.profiles.sources import Source, load

_json = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
_site = click.option(
    "--site",
    "site_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The site's settings file. Default: AUTONOE_SITE_FILE, or the built-in catalogue.",
)


@click.group()
def profiles() -> None:
    """Check and show the catalogue of profiles."""


@profiles.command()
@click.argument("folders", nargs=-1, type=click.Path(path_type=Path))
@_site
@_json
def check(folders: tuple[Path, ...], site_file: Path | None, as_json: bool) -> None:
    """Check catalogues and say file and line of all that is wrong.

    FOLDERS are catalogue folders, read in order, alone; without any, those of the site's settings.
    """
    catalogue = _catalogue(site_file, folders)
    found = {
        "profiles": list(catalogue.entries),
        "images": list(catalogue.images()),
        "sources": list(catalogue.sources),
    }
    if as_json:
        print_json({"ok": True, **found})
        return
    click.echo(f"{len(catalogue)} profiles are right: {', '.join(catalogue.entries)}")


@profiles.command("list")
@click.option("--group", "groups", multiple=True, help="Only what members of this may start.")
@_site
@_json
def list_command(groups: tuple[str, ...], site_file: Path | None, as_json: bool) -> None:
    """List the profiles, in the order in which people see them."""
    catalogue = _catalogue(site_file)
    if groups:
        catalogue = catalogue.for_groups(groups)
    if as_json:
        print_json([profile_view(entry, catalogue) | {"picture": ""} for entry in catalogue])
        return
    for entry in catalogue:
        profile = entry.profile
        click.echo(f"{entry.name}  {profile.title.en}  ({', '.join(sorted(profile.runs_on))})")
        click.echo(f"  {'; '.join(amounts(entry))}")


@profiles.command()
@click.argument("name")
@_site
@_json
def show(name: str, site_file: Path | None, as_json: bool) -> None:
    """Show the profile NAME with everything that holds for it, defaults included."""
    catalogue = _catalogue(site_file)
    entry = catalogue.get(name)
    view = profile_view(entry, catalogue)
    if as_json:
        print_json(view)
        return
    click.echo(f"{entry.name}, from {entry.source}:{entry.line}")
    view.pop("picture")
    _tell({k: v for k, v in view.items() if k not in {"name", "source"}}, "  ")


@profiles.command()
@click.argument("what", type=click.Choice(sorted(SCHEMAS)), default="catalogue")
@_json
def schema(what: str, as_json: bool) -> None:
    """Print the JSON Schema of a catalogue file, the site's settings, or a spawn's options."""
    document = SCHEMAS[what]()
    if as_json:
        print_json(document)
    else:
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))


@profiles.command()
@_site
@_json
def values(site_file: Path | None, as_json: bool) -> None:
    """Print the profiles as values of the JupyterHub chart, for its pre-puller."""
    catalogue = _catalogue(site_file)
    if as_json:
        print_json({"singleuser": {"profileList": kubespawner(catalogue)}})
    else:
        click.echo(profile_list_yaml(catalogue), nl=False)


def _catalogue(site_file: Path | None, folders: tuple[Path, ...] = ()) -> Catalogue:
    if folders and site_file:
        raise InvalidInputError("Give folders or --site, not both.", hint="Leave one out.")
    if folders:
        return load([Source(directory=str(folder.absolute())) for folder in folders])
    settings = sites.SiteSettings()
    site = sites.read(site_file or settings.file)
    return sites.catalogue(site, cache=settings.cache)


def _tell(value: Any, indent: str) -> None:
    for key, part in value.items():
        if isinstance(part, dict) and part:
            click.echo(f"{indent}{key}:")
            _tell(part, indent + "  ")
        elif part not in ("", None, [], {}):
            shown = ", ".join(map(str, part)) if isinstance(part, list) else part
            click.echo(f"{indent}{key}: {shown}")
