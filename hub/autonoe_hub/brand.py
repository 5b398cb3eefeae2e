"""Name, logo, colour, links and message of an organisation on the hub's pages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from autonoe.profiles.site import Brand
from autonoe_hub.page_words import Speaker
from autonoe_hub.profile_list import ProfileList

TEMPLATES = Path(__file__).parent / "templates"


def configure(c: Any, profiles: ProfileList) -> None:
    """Give every page of the hub the brand; what is configured already stays behind it.

    Parameters
    ----------
    c : traitlets.config.Config
        The hub's configuration.
    profiles : ProfileList
        Knows the site's settings, also when they change later.
    """
    given = c.JupyterHub.get("template_paths", [])
    paths = list(given) if isinstance(given, list) else []
    ours = str(TEMPLATES)
    c.JupyterHub.template_paths = [ours, *(path for path in paths if path != ours)]
    variables = c.JupyterHub.get("template_vars", {})
    named = dict(variables) if isinstance(variables, dict) else {}

    # JupyterHub calls it for each page. Pages of ours say it again in the reader's language.
    def brand(_user: Any) -> dict[str, Any]:
        return view(profiles, Speaker("en" if profiles.site.language == "auto" else _set(profiles)))

    c.JupyterHub.template_vars = {**named, "brand": brand}


def view(profiles: ProfileList, t: Speaker) -> dict[str, Any]:
    """Return what the templates show; they escape every text."""
    brand = profiles.site.brand
    return {
        "name": brand.name,
        "logo": profiles.logo,
        "colour": brand.colour,
        "on_colour": on_colour(brand),
        "links": [{"title": link.title.to(t.language), "url": link.url} for link in brand.links],
        "message": brand.message.to(t.language) if brand.message else "",
        "language": t.language,
        "t": t,
    }


def on_colour(brand: Brand) -> str:
    """Return black or white: whichever is read better on the brand's colour (WCAG 2.1)."""
    red, green, blue = (int(brand.colour[n : n + 2], 16) / 255 for n in (1, 3, 5))

    def linear(value: float) -> float:
        return value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4

    light = 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
    return "#ffffff" if 1.05 / (light + 0.05) >= (light + 0.05) / 0.05 else "#000000"


def _set(profiles: ProfileList) -> str:
    return profiles.site.language
