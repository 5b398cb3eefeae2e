"""The start form: from the catalogue to what the template shows, and from its fields back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from autonoe.errors import AutonoeError
from autonoe.profiles.catalogue import Catalogue, Entry, Mode
from autonoe.profiles.choice import RESOURCES
from autonoe.profiles.model import Amount, Lifetime
from autonoe.profiles.options import OptionError
from autonoe_hub.free import Node, free_for, free_view
from autonoe_hub.page_words import Speaker

SEPARATOR = "--"
"""Between a profile's name and a field's; neither holds it."""

_STEPS = {"cpu": 0.5, "memory_gib": 0.5, "gpu": 1, "disk_gib": 1, "shared_memory_gib": 0.5}
_TEXTS = ("image", "kernel", "repository", "branch", "init_script", "init_script_sha256")
_SWITCHES = ("s3", "persistent_home")
_FIELDS = (*RESOURCES, *_TEXTS, *_SWITCHES, "environment", "packages")
_SHOWN = "-shown"
"""Sent along with a checkbox, which itself says nothing when it is off."""

_FROM_LINK = {
    "profile": "profile",
    "repo": "repository",
    "repository": "repository",
    "branch": "branch",
    "image": "image",
    "kernel": "kernel",
    "cpu": "cpu",
    "memory": "memory_gib",
    "gpu": "gpu",
    "disk": "disk_gib",
}
"""What a link may preselect. Scripts, packages and variables must be typed by the person: what
they run with their rights is not for whoever made the link to choose."""

Form = dict[str, list[str]]


@dataclass
class Preselected:
    """What the form shows as chosen, and what it says about that."""

    options: dict[str, Any] = field(default_factory=dict)
    """As ``user_options``; values of a refused form are texts as they were typed."""
    from_link: bool = False
    """Whether the repository comes from a link."""
    notices: list[str] = field(default_factory=list)
    """Sentences above the form."""


def from_query(arguments: Mapping[str, list[bytes]]) -> dict[str, Any]:
    """Return what the address of the page asks for, as ``user_options``."""
    found: dict[str, Any] = {}
    for key, values in arguments.items():
        name = _FROM_LINK.get(key.removeprefix("opt-"))
        text = values[-1].decode("utf-8", "replace").strip()[:500] if values else ""
        if name and text:
            found[name] = text
    return found


def asks_for_form(arguments: Mapping[str, list[bytes]]) -> bool:
    """Return whether the address of the page asks for the form: by any option, or ``form=1``."""
    return bool(from_query(arguments)) or "form" in arguments


def read_form(data: Form, catalogue: Catalogue) -> dict[str, Any]:
    """Return the fields of a submitted form as ``user_options``.

    Parameters
    ----------
    data : dict of str to list of str
        As JupyterHub hands it over. Fields of profiles that were not chosen are left out.
    catalogue : Catalogue
        What the person may start.

    Raises
    ------
    OptionError
        If a field is none of the form's, or a number is none. All else is for
        :func:`autonoe.profiles.options.parse` to judge.
    """
    name = _last(data.get("profile"))
    entry = catalogue.entries.get(name)
    options: dict[str, Any] = {"profile": name} if name else {}
    for key, values in data.items():
        if key in {"profile", "_xsrf", "language"}:
            continue
        profile, separator, what = key.partition(SEPARATOR)
        if not separator or what.removesuffix(_SHOWN) not in _FIELDS:
            raise OptionError(
                f"There is no option {key[:40]!r}.", code="option_unknown", name=repr(key[:40])
            )
        if profile == name:
            text = _last(values)
            if what in RESOURCES:
                _put(options, what, _number(what, text) if text else None)
            elif what in _TEXTS:
                options[what] = text
            elif what.endswith(_SHOWN):
                switch = what.removesuffix(_SHOWN)
                options[switch] = f"{name}{SEPARATOR}{switch}" in data
            elif what == "environment":
                options[what] = _lines(text)
            elif what == "packages":
                options[what] = text.replace(",", " ").split() if "[" not in text else text.split()
    return _without_defaults(options, entry) if entry else options


def form_view(
    catalogue: Catalogue,
    chosen: Preselected,
    t: Speaker,
    *,
    mode: Mode,
    nodes: Iterable[Node] = (),
) -> dict[str, Any]:
    """Return what the template shows.

    Parameters
    ----------
    catalogue : Catalogue
        What the person may start.
    chosen : Preselected
        What is filled in.
    t : Speaker
        The page's language.
    mode : {"kubernetes", "embedded"}
        Without images and amounts on the embedded platform.
    nodes : iterable of mapping
        Counts of the machines; none if they are not known.
    """
    nodes = list(nodes)
    name = chosen.options.get("profile")
    if name not in catalogue.entries:
        if name:
            chosen.notices.append(t("form.not_open", name=str(name)[:60]))
            chosen.options = {}
        name = catalogue.default().name
    sections: list[dict[str, Any]] = []
    for entry in catalogue:
        title = catalogue.category(entry.profile.category).title.to(t.language)
        if not sections or sections[-1]["title"] != title:
            sections.append({"title": title, "profiles": []})
        values = chosen.options if entry.name == name else {}
        card = _card(entry, values, t, mode)
        card["selected"] = entry.name == name
        card["from_link"] = card["selected"] and chosen.from_link
        free = free_for(entry.profile, nodes)
        card["free"] = free_view(entry.profile, free, t, waits=mode == "kubernetes")
        sections[-1]["profiles"].append(card)
    return {
        "sections": sections,
        "notices": chosen.notices,
        "language": t.language,
        "one_machine": mode == "embedded",
    }


def explain(error: AutonoeError, t: Speaker) -> str:
    """Return an error in the page's language, or in English where there is no text for it."""
    key = f"error.{error.code}"
    if t.language == "en" or not t.has(key):
        return " ".join(filter(None, (error.message, error.hint)))
    values = dict(getattr(error, "values", {}))
    named = f"name.{values.get('name', '')}"
    if t.has(named):
        values["name"] = t(named)
    return t(key, **values)


def duration(hours: float, t: Speaker) -> str:
    """Return a number of hours in words."""
    if hours >= 48 and hours % 24 == 0:
        return t("time.days", n=t.number(hours / 24, 0))
    if hours < 1:
        return t("time.minutes", n=t.number(hours * 60, 0))
    return t("time.hours", n=t.number(hours))


def _card(entry: Entry, values: Mapping[str, Any], t: Speaker, mode: Mode) -> dict[str, Any]:
    profile, options = entry.profile, entry.profile.options
    title = profile.title.to(t.language)
    limited = mode == "kubernetes"
    return {
        "name": entry.name,
        "title": title,
        "description": profile.description.to(t.language).strip(),
        "picture": entry.picture,
        "amounts": _amounts(entry, values, t) if limited else [],
        "summary": _summary(entry, t) if limited else "",
        "images": _images(entry, values, t, title) if limited else [],
        "kernels": list(profile.kernels) if len(profile.kernels) > 1 else [],
        "kernel": values.get("kernel", ""),
        "life": _life(profile.lifetime, t),
        "repository": {
            "offered": options.repository.offered,
            "value": values.get("repository", options.repository.url),
            "branch": values.get("branch", options.repository.branch),
        },
        "script": {
            "offered": options.init_script.offered,
            "value": values.get("init_script", options.init_script.url),
            "sha256": values.get("init_script_sha256", options.init_script.sha256),
            "time": _seconds(options.init_script.timeout_s, t),
        },
        "packages": {
            "offered": options.packages.offered,
            "value": " ".join(_listed(values.get("packages", []))),
        },
        "environment": {
            "offered": options.environment.offered,
            "value": _as_lines(values.get("environment", {})),
        },
        "s3": _switch(values.get("s3"), options.s3.default, options.s3.offered),
        "home": _switch(
            values.get("persistent_home"),
            options.persistent_home.default,
            options.persistent_home.offered,
        ),
    }


def _amounts(entry: Entry, values: Mapping[str, Any], t: Speaker) -> list[dict[str, Any]]:
    found = []
    for name in RESOURCES:
        limits: Amount = getattr(entry.profile.resources, name)
        if not limits.ceiling or limits.ceiling == limits.default:
            continue
        step = _STEPS[name]
        low = min(limits.default, step if name not in {"gpu", "shared_memory_gib"} else 0)
        found.append(
            {
                "name": name,
                "label": t(f"name.{name}"),
                "value": _shown(values.get(name, limits.default)),
                "min": f"{low:g}",
                "max": f"{limits.ceiling:g}",
                # From the minimum in these steps both the default and the ceiling are reached.
                "step": f"{_step(low, limits, step):g}",
                "hint": t("form.at_most", ceiling=t.number(limits.ceiling)),
            }
        )
    return found


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _step(low: float, limits: Amount, step: float) -> float:
    fits = all(((value - low) / step) % 1 == 0 for value in (limits.default, limits.ceiling))
    return step if fits else 0.1


def _summary(entry: Entry, t: Speaker) -> str:
    parts = []
    for name in ("cpu", "memory_gib", "gpu"):
        limits: Amount = getattr(entry.profile.resources, name)
        if limits.ceiling:
            amount = t.number(limits.default)
            if limits.ceiling > limits.default:
                amount += f"\u2013{t.number(limits.ceiling)}"
            parts.append(f"{amount} {t(f'unit.{name}')}")
    return " · ".join(parts)


def _images(
    entry: Entry, values: Mapping[str, Any], t: Speaker, title: str
) -> list[dict[str, Any]]:
    if not entry.profile.other_images:
        return []
    chosen = values.get("image", "")
    own = {"value": "", "title": t("form.image_own", title=title), "selected": not chosen}
    others = [
        {"value": name, "title": other.title.to(t.language), "selected": name == chosen}
        for name, other in entry.profile.other_images.items()
    ]
    return [own, *others]


def _life(lifetime: Lifetime, t: Speaker) -> str:
    parts = []
    if lifetime.idle_hours:
        parts.append(t("life.idle", time=duration(lifetime.idle_hours, t)))
    if lifetime.total_hours:
        parts.append(t("life.total", time=duration(lifetime.total_hours, t)))
    return " ".join(parts)


def _seconds(seconds: int, t: Speaker) -> str:
    if seconds % 60:
        return t("time.seconds", n=seconds)
    return t("time.minutes", n=seconds // 60)


def _switch(chosen: Any, default: bool, offered: bool) -> dict[str, bool]:
    on = chosen if isinstance(chosen, bool) and offered else default
    return {"offered": offered, "on": on}


def _without_defaults(options: dict[str, Any], entry: Entry) -> dict[str, Any]:
    """Leave out what the profile says itself, so that a later change of it is followed."""
    profile = entry.profile
    rules = profile.options
    defaults: dict[str, Any] = {
        **{name: getattr(profile.resources, name).default for name in RESOURCES},
        "image": "",
        "kernel": profile.kernels[0] if profile.kernels else "",
        "repository": rules.repository.url,
        "branch": rules.repository.branch,
        "init_script": rules.init_script.url,
        "init_script_sha256": rules.init_script.sha256,
        "s3": rules.s3.default,
        "persistent_home": rules.persistent_home.default,
        "environment": {},
        "packages": [],
    }
    return {
        name: value
        for name, value in options.items()
        if name not in defaults or value != defaults[name]
    }


def _last(values: list[str] | None) -> str:
    return values[-1].strip() if values else ""


def _put(options: dict[str, Any], name: str, value: Any) -> None:
    if value is not None:
        options[name] = value


def _number(name: str, text: str) -> float:
    try:
        return float(text.replace(",", "."))
    except ValueError:
        raise OptionError(
            f"The value of {name} is no number.", code="option_type", name=name
        ) from None


def _lines(text: str) -> dict[str, str]:
    found = {}
    for line in text.splitlines():
        if line.strip():
            name, separator, value = line.strip().partition("=")
            if not separator:
                raise OptionError(
                    f"{name[:40]!r} is no NAME=value.",
                    code="option_type",
                    hint="Write one NAME=value per line.",
                    name="environment",
                )
            found[name.strip()] = value.strip()
    return found


def _as_lines(values: Any) -> str:
    if not isinstance(values, Mapping):
        return str(values)
    return "\n".join(f"{name}={value}" for name, value in values.items())


def _listed(values: Any) -> list[str]:
    return [str(value) for value in values] if isinstance(values, list) else [str(values)]
