"""Profiles for people: as the panel and the command line show them, and as a page of the docs."""

from __future__ import annotations

from typing import Any

from autonoe.profiles.catalogue import Catalogue, Entry
from autonoe.profiles.choice import RESOURCES

LANGUAGES = ("en", "fr")

_UNITS = {
    "cpu": "CPU cores",
    "memory_gib": "GiB memory",
    "gpu": "GPU",
    "disk_gib": "GiB disk",
    "shared_memory_gib": "GiB shared memory",
}


def profile_view(entry: Entry, catalogue: Catalogue) -> dict[str, Any]:
    """Return one profile as JSON for those who show it; texts in every language."""
    profile = entry.profile
    document = profile.model_dump(mode="json")
    document["groups"] = sorted(profile.groups)
    document["runs_on"] = sorted(profile.runs_on)
    return {
        "name": entry.name,
        "source": entry.source,
        "category_title": catalogue.category(profile.category).title.model_dump(),
        **document,
        "picture": entry.picture,
    }


def panel_view(catalogue: Catalogue) -> list[dict[str, Any]]:
    """Return what the Lab panel shows of each profile: no groups, nodes or sources."""
    kept = ("name", "title", "description", "picture", "category", "category_title", "image")
    found = []
    for entry in catalogue:
        view = profile_view(entry, catalogue)
        found.append(
            {key: view[key] for key in kept}
            | {"resources": {name: view["resources"][name] for name in RESOURCES}}
        )
    return found


def amounts(entry: Entry) -> list[str]:
    """Return the resources of a profile in words, such as ``2 to 8 CPU cores``."""
    found = []
    for name, unit in _UNITS.items():
        limits = getattr(entry.profile.resources, name)
        if limits.ceiling:
            span = f"{limits.default:g}"
            if limits.ceiling > limits.default:
                span += f" to {limits.ceiling:g}"
            found.append(f"{span} {unit}")
    return found


def docs_page(catalogue: Catalogue) -> str:
    """Return the reference page of the catalogue: a table per category."""
    lines = [
        "# Profiles",
        "",
        "The catalogue that ships with Autonoe. Amounts are what a server gets, to the most that",
        "a person may ask for. The guide on profiles says how to add to it or replace it.",
        "",
    ]
    category = None
    for entry in catalogue:
        profile = entry.profile
        if profile.category != category:
            category = profile.category
            title = catalogue.category(category).title
            lines += ["", f"## {title.en}", ""]
            lines += [
                "| Profile | What it is for | Resources | Image | Kernels | Runs on | Groups |"
            ]
            lines += ["| --- | --- | --- | --- | --- | --- | --- |"]
        cells = [
            f"`{entry.name}`<br>{profile.title.en}<br>*{profile.title.fr or profile.title.en}*",
            profile.description.en,
            "<br>".join(amounts(entry)),
            f"`{profile.image}`" if profile.image else "none",
            ", ".join(f"`{kernel}`" for kernel in profile.kernels) or "the image's own",
            ", ".join(sorted(profile.runs_on)),
            ", ".join(sorted(profile.groups)) or "everyone",
        ]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
