"""What a person asks for at a start, checked against the catalogue: where spawns are decided.

A form, a link and the REST API all end here, in the hub, at each start. The form's own limits
are for convenience only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from autonoe.errors import InvalidInputError
from autonoe.profiles import rules
from autonoe.profiles.catalogue import Catalogue, Entry, Mode
from autonoe.profiles.choice import RESOURCES, Choice
from autonoe.profiles.model import Amount, Profile

_SMALLEST = {"cpu": 0.1, "memory_gib": 0.25, "gpu": 0.0, "disk_gib": 1.0, "shared_memory_gib": 0.0}
"""Below these a server would not start, or hold nothing."""

Number = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Text = Annotated[str, Field(max_length=500)]


class OptionError(InvalidInputError):
    """What was asked for at a start is not open to the person.

    Parameters
    ----------
    message, hint : str
        For people, in English.
    code : str
        One of those in the reference.
    values : str
        What a translation of the message names.
    """

    code = "invalid_option"

    def __init__(self, message: str, *, code: str, hint: str = "", **values: str) -> None:
        super().__init__(message, hint=hint, code=code)
        self.values = values


class Wanted(BaseModel):
    """The ``user_options`` of a spawn: every key that there is, all of them optional."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    profile: Text | None = None
    """Name of the profile; default the catalogue's."""
    image: Text | None = None
    """Name of one of the profile's other images, or an image that the profile lists."""
    kernel: Text | None = None
    """Kernel that new notebooks get; one of the profile's."""
    cpu: Number | None = None
    """CPU cores."""
    memory_gib: Number | None = None
    """Memory in GiB."""
    gpu: Number | None = None
    """GPUs."""
    disk_gib: Number | None = None
    """Size of a home folder that is made now, in GiB."""
    shared_memory_gib: Number | None = None
    """Shared memory in GiB."""
    repository: Text | None = None
    """Git repository to clone; ``""`` for none."""
    branch: Text | None = None
    """Branch or tag of the repository."""
    init_script: Text | None = None
    """Address of a script; ``""`` for none."""
    init_script_sha256: Text | None = None
    """Checksum of the script."""
    s3: bool | None = None
    """Keys for the object store."""
    persistent_home: bool | None = None
    """Keep the home folder."""
    environment: dict[str, str] | None = None
    """Variables to add to the profile's."""
    packages: list[str] | None = None
    """Python packages to add to the profile's."""


def parse(
    user_options: Mapping[str, Any] | None,
    catalogue: Catalogue,
    groups: Iterable[str],
    is_admin: bool = False,
    *,
    mode: Mode = "kubernetes",
) -> Choice:
    """Return what a server is to be started with.

    Parameters
    ----------
    user_options : mapping or None
        As it came, from the form or the API; see :class:`Wanted`. Nothing means the defaults.
    catalogue : Catalogue
        All profiles; those that ``groups`` may not start are treated as if they did not exist.
    groups : iterable of str
        The person's groups, from the login.
    is_admin : bool
        Whether the person may start every profile.
    mode : {"kubernetes", "embedded"}
        Where it is to run. On the embedded platform there are no images and no limits.

    Raises
    ------
    OptionError
        If something is unknown, not offered, above its ceiling, or hostile.
    ForbiddenError
        If no profile at all is open to the person.
    """
    wanted = _wanted(user_options)
    entry = _entry(wanted, catalogue.for_groups(groups, is_admin=is_admin, mode=mode))
    profile = entry.profile
    if mode == "embedded":
        _refuse_limits(wanted)
    amounts = {name: _amount(wanted, profile, name) for name in RESOURCES}
    if amounts["shared_memory_gib"] > amounts["memory_gib"]:
        raise _above("shared_memory_gib", amounts["shared_memory_gib"], amounts["memory_gib"])
    url, branch = _repository(wanted, profile)
    script, checksum = _script(wanted, profile)
    options = profile.options
    return Choice(
        entry=entry,
        image=_image(wanted, profile),
        kernel=_kernel(wanted, profile),
        amounts=amounts,
        repository=url,
        branch=branch,
        init_script=script,
        init_script_sha256=checksum,
        s3=_switch("s3", wanted.s3, options.s3.default, options.s3.offered),
        persistent_home=_switch(
            "persistent_home",
            wanted.persistent_home,
            options.persistent_home.default,
            options.persistent_home.offered,
        ),
        environment=_environment(wanted, profile),
        packages=_packages(wanted, profile),
        asked=wanted.model_dump(exclude_none=True),
    )


def _wanted(user_options: Mapping[str, Any] | None) -> Wanted:
    given = dict(user_options or {})
    if not all(isinstance(key, str) for key in given):
        raise _unknown(["?"])
    unknown = sorted(set(given) - set(Wanted.model_fields))
    if unknown:
        raise _unknown(unknown)
    try:
        return Wanted.model_validate(given)
    except ValidationError as error:
        names = ", ".join(sorted({str(entry["loc"][0]) for entry in error.errors()}))
        raise OptionError(
            f"The value of {names} has the wrong type or size.",
            code="option_type",
            hint="Numbers are JSON numbers, switches true or false, texts at most 500 characters.",
            name=names,
        ) from None


def _unknown(names: list[str]) -> OptionError:
    shown = ", ".join(repr(name[:40]) for name in names[:5])
    return OptionError(
        f"There is no option {shown}.",
        code="option_unknown",
        hint=f"There are: {', '.join(Wanted.model_fields)}.",
        name=shown,
    )


def _entry(wanted: Wanted, open_to: Catalogue) -> Entry:
    if not wanted.profile:
        return open_to.default()
    if wanted.profile not in open_to.entries:
        open_to.default()  # says so when there is none at all
        raise OptionError(
            f"The profile {wanted.profile[:60]!r} does not exist or is not open to you.",
            code="profile_forbidden",
            hint=f"Open to you: {', '.join(open_to.entries)}.",
            name=wanted.profile[:60],
        )
    return open_to.entries[wanted.profile]


def _refuse_limits(wanted: Wanted) -> None:
    for name in ("image", *RESOURCES):
        if getattr(wanted, name) is not None:
            raise OptionError(
                f"{name} cannot be chosen on this platform: all servers share one machine.",
                code="option_not_here",
                hint="Leave it out.",
                name=name,
            )


def _image(wanted: Wanted, profile: Profile) -> str:
    if not wanted.image:
        return profile.image
    if wanted.image in profile.other_images:
        return profile.other_images[wanted.image].image
    listed = {profile.image, *(other.image for other in profile.other_images.values())}
    if wanted.image in listed:  # equality: a pattern or a prefix would let another image in
        return wanted.image
    raise OptionError(
        f"The image {wanted.image[:80]!r} is not one of this profile's.",
        code="image_forbidden",
        hint=f"There are: {', '.join(sorted(profile.other_images)) or 'only its own'}.",
        name=wanted.image[:80],
    )


def _kernel(wanted: Wanted, profile: Profile) -> str:
    if wanted.kernel and wanted.kernel not in profile.kernels:
        raise OptionError(
            f"The kernel {wanted.kernel[:60]!r} is not one of this profile's.",
            code="kernel_unknown",
            hint=f"There are: {', '.join(profile.kernels) or 'none to choose from'}.",
            name=wanted.kernel[:60],
        )
    return wanted.kernel or (profile.kernels[0] if profile.kernels else "")


def _amount(wanted: Wanted, profile: Profile, name: str) -> float:
    limits: Amount = getattr(profile.resources, name)
    asked: float | None = getattr(wanted, name)
    if asked is None:
        return limits.default
    if asked > limits.ceiling:
        raise _above(name, asked, limits.ceiling)
    if asked < min(_SMALLEST[name], limits.default) or (name == "gpu" and asked % 1):
        raise OptionError(
            f"{name} {asked:g} is too little to start a server, or no whole number.",
            code="resource_too_small",
            hint=f"Ask for {limits.default:g} to {limits.ceiling:g}.",
            name=name,
        )
    return asked


def _above(name: str, asked: float, ceiling: float) -> OptionError:
    return OptionError(
        f"{name} {asked:g} is above what this profile allows: {ceiling:g}.",
        code="resource_above_ceiling",
        hint=f"Ask for {ceiling:g} or less, or choose a larger profile.",
        name=name,
        ceiling=f"{ceiling:g}",
    )


def _not_offered(name: str) -> OptionError:
    return OptionError(
        f"This profile does not let you choose {name}.",
        code="option_not_offered",
        hint="Leave it out, or choose another profile.",
        name=name,
    )


def _refused(name: str, error: ValueError) -> OptionError:
    return OptionError(
        str(error), code="option_refused", hint="Correct it, or leave the field empty.", name=name
    )


def _repository(wanted: Wanted, profile: Profile) -> tuple[str, str]:
    rule = profile.options.repository
    url = rule.url if wanted.repository is None else wanted.repository
    own_branch = rule.branch if url == rule.url else ""
    branch = wanted.branch or own_branch
    if (url, branch) != (rule.url, rule.branch) and not rule.offered:
        raise _not_offered("repository")
    try:
        if url:
            rules.repository_url(url, rule.hosts)
        if branch:
            rules.branch(branch)
    except ValueError as error:
        raise _refused("repository", error) from None
    return url, branch if url else ""


def _script(wanted: Wanted, profile: Profile) -> tuple[str, str]:
    rule = profile.options.init_script
    if wanted.init_script is None and wanted.init_script_sha256 is None:
        return rule.url, rule.sha256
    url = (rule.url if wanted.init_script is None else wanted.init_script).strip()
    checksum = (wanted.init_script_sha256 or "").strip().lower()
    if url == rule.url and checksum in {"", rule.sha256}:
        return rule.url, rule.sha256
    if not rule.offered:
        raise _not_offered("init_script")
    if not url and not checksum:
        return "", ""
    try:
        rules.script_url(url)
        rules.checksum(checksum)
    except ValueError as error:
        raise _refused("init_script", error) from None
    return url, checksum


def _switch(name: str, asked: bool | None, default: bool, offered: bool) -> bool:
    if asked is None or asked == default:
        return default
    if not offered:
        raise _not_offered(name)
    return asked


def _environment(wanted: Wanted, profile: Profile) -> dict[str, str]:
    rule = profile.options.environment
    if not wanted.environment:
        return dict(rule.values)
    if not rule.offered:
        raise _not_offered("environment")
    try:
        return rules.environment({**rule.values, **wanted.environment})
    except ValueError as error:
        raise _refused("environment", error) from None


def _packages(wanted: Wanted, profile: Profile) -> tuple[str, ...]:
    rule = profile.options.packages
    if not wanted.packages:
        return rule.names
    if not rule.offered:
        raise _not_offered("packages")
    try:
        return rules.packages(tuple(dict.fromkeys((*rule.names, *wanted.packages))))
    except ValueError as error:
        raise _refused("packages", error) from None
