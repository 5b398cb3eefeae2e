"""A profile: what a person can start, as an administrator writes it down."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from autonoe.profiles import rules

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=40)]
Line = Annotated[str, StringConstraints(max_length=400, pattern=r"^[^\x00-\x1f\x7f]*$")]
ImageReference = Annotated[
    str,
    StringConstraints(
        max_length=255,
        # Lower-case path, then a tag or a digest: "latest by omission" is no reproducible choice.
        pattern=r"^[a-z0-9]+([._:/-]+[a-z0-9]+)*"
        r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}|@sha256:[0-9a-f]{64})$",
    ),
]
Kernel = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._-]+$", max_length=64)]
LabelKey = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._/-]*[A-Za-z0-9])?$")]
LabelValue = Annotated[
    str, StringConstraints(pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$")
]
Group = Annotated[str, StringConstraints(min_length=1, max_length=255)]


class Part(BaseModel):
    """Base of all parts: unknown keys are refused, since each is a typing error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Words(Part):
    """A text in each language."""

    en: Line = Field(min_length=1)
    """English; shown where another language has no text."""
    fr: Line = ""
    """French."""

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, given: Any) -> Any:
        # A catalogue in one language need not say which.
        return {"en": given} if isinstance(given, str) else given

    def to(self, language: str) -> str:
        """Return the text in ``language``, or in English."""
        return str(getattr(self, language, "") or self.en)


class Category(Part):
    """A heading under which profiles are shown."""

    title: Words
    """The heading."""
    order: int = 100
    """Categories are shown from the lowest to the highest; the same order goes by name."""


class Amount(Part):
    """How much of one resource a server gets, and how much a person may ask for."""

    default: float = Field(ge=0, le=1_000_000)
    """What a server gets when the person asks for nothing else."""
    ceiling: float = Field(ge=0, le=1_000_000)
    """The most that a person may ask for."""

    @model_validator(mode="before")
    @classmethod
    def _fixed(cls, given: Any) -> Any:
        # A plain number is an amount that cannot be changed.
        if isinstance(given, int | float) and not isinstance(given, bool):
            return {"default": given, "ceiling": given}
        return given

    @model_validator(mode="after")
    def _within(self) -> Self:
        if self.default > self.ceiling:
            raise ValueError(f"default {self.default:g} is above the ceiling {self.ceiling:g}")
        return self


NONE = Amount(default=0, ceiling=0)


class Resources(Part):
    """What a server may use; beyond memory it is ended, beyond CPU it is slowed down."""

    cpu: Amount = Amount(default=1, ceiling=2)
    """CPU cores."""
    memory_gib: Amount = Amount(default=2, ceiling=4)
    """Memory in GiB."""
    gpu: Amount = NONE
    """GPUs; whole ones."""
    disk_gib: Amount = Amount(default=10, ceiling=10)
    """Home folder in GiB, for the volume that is made at the first start."""
    shared_memory_gib: Amount = NONE
    """Part of the memory that processes share (``/dev/shm``) in GiB; 0 is the runtime's 64 MiB."""
    cpu_reserved: float = Field(default=1.0, gt=0, le=1)
    """Share of the CPU that is reserved; below 1 more servers fit, and each may have to wait.
    Memory is always reserved as a whole, since a server that finds none is ended."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        for name in ("cpu", "memory_gib"):
            if getattr(self, name).default <= 0:
                raise ValueError(f"{name} must be above 0")
        if self.gpu.default % 1 or self.gpu.ceiling % 1:
            raise ValueError("gpu counts whole GPUs")
        if self.shared_memory_gib.default > self.memory_gib.default:
            raise ValueError("shared_memory_gib is part of the memory and cannot exceed memory_gib")
        return self


class Repository(Part):
    """A Git repository that is cloned into ``~/work`` at the start."""

    offered: bool = True
    """Whether a person may name one."""
    url: Line = ""
    """Cloned when the person names none; ``https://`` or ``ssh://``, without a password."""
    branch: Line = ""
    """Branch or tag; empty is the repository's own default."""
    hosts: tuple[Line, ...] = ()
    """Host names that are allowed; empty allows every host."""
    timeout_s: int = Field(default=60, ge=5, le=600)
    """Seconds after which the server starts without it."""

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if self.url:
            rules.repository_url(self.url, self.hosts)
        if self.branch:
            rules.branch(self.branch)
        return self


class InitScript(Part):
    """A script that runs in the home folder before the server."""

    offered: bool = False
    """Whether a person may name one; the checksum is asked for then."""
    url: Line = ""
    """Fetched at each start, ``https://`` only."""
    sha256: Line = ""
    """Checksum of the script: another content is not run."""
    timeout_s: int = Field(default=120, ge=5, le=1800)
    """Seconds after which it is ended."""

    @model_validator(mode="after")
    def _checked(self) -> Self:
        if bool(self.url) != bool(self.sha256):
            raise ValueError("url and sha256 go together: without a checksum nothing is run")
        if self.url:
            rules.script_url(self.url)
            rules.checksum(self.sha256)
        return self


class Switch(Part):
    """Something that is on or off."""

    default: bool = True
    """What a server gets when the person says nothing."""
    offered: bool = False
    """Whether a person may change it."""


class Environment(Part):
    """Environment variables of the server; no secrets, anyone who may list profiles reads them."""

    offered: bool = False
    """Whether a person may add some."""
    values: dict[str, str] = {}
    """Name to value."""

    @field_validator("values")
    @classmethod
    def _checked(cls, values: dict[str, str]) -> dict[str, str]:
        return rules.environment(values)


class Packages(Part):
    """Python packages installed into the home folder at the start."""

    offered: bool = False
    """Whether a person may add some."""
    names: tuple[Line, ...] = ()
    """Requirements such as ``seaborn`` or ``seaborn>=0.13``."""
    timeout_s: int = Field(default=120, ge=5, le=1800)
    """Seconds after which the server starts without them."""

    @field_validator("names")
    @classmethod
    def _checked(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return rules.packages(names)


class Options(Part):
    """What is prepared in the server, and what of it a person may change."""

    repository: Repository = Repository()
    """Git repository."""
    init_script: InitScript = InitScript()
    """Script before the start."""
    s3: Switch = Switch()
    """Keys for the object store in kernels."""
    persistent_home: Switch = Switch()
    """Keep the home folder; off gives an empty one that is gone with the server."""
    environment: Environment = Environment()
    """Environment variables."""
    packages: Packages = Packages()
    """Extra Python packages."""


class Toleration(Part):
    """A Kubernetes toleration: lets a pod onto nodes that are kept for some."""

    key: LabelKey
    """Key of the taint."""
    operator: Literal["Exists", "Equal"] = "Equal"
    """``Exists`` ignores the value."""
    value: LabelValue = ""
    """Value of the taint."""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] = "NoSchedule"
    """Effect of the taint."""


class Lifetime(Part):
    """When a server is stopped by itself."""

    idle_hours: float = Field(default=0, ge=0, le=8760)
    """Hours without activity; 0 is the hub's own rule."""
    total_hours: float = Field(default=0, ge=0, le=8760)
    """Hours since the start, busy or not; 0 is no limit."""


class OtherImage(Part):
    """Another image that a person may take instead of the profile's own."""

    title: Words
    """What it is called in the form."""
    image: ImageReference
    """The image."""


class Profile(Part):
    """What a person can start: one entry of a catalogue."""

    title: Words
    """Name for people."""
    description: Words = Words(en=" ")
    """What it is for, in one or two sentences."""
    picture: Line = ""
    """SVG file beside the catalogue's file."""
    category: Name = "other"
    """Name of the category."""
    order: int = 100
    """Place within the category, from the lowest; the same order goes by name."""
    default: bool = False
    """Whether it is the one for those who choose none."""
    runs_on: frozenset[Literal["embedded", "kubernetes"]] = frozenset({"kubernetes"})
    """``kubernetes``, ``embedded`` (one machine without images) or both."""
    image: ImageReference = ""
    """Container image with its tag or digest; unused on the embedded platform."""
    other_images: dict[Name, OtherImage] = {}
    """Images to choose from besides."""
    kernels: tuple[Kernel, ...] = ()
    """Kernels of the image; the first one is preselected."""
    resources: Resources = Resources()
    """CPU, memory, GPU, disk and shared memory."""
    options: Options = Options()
    """Repository, script, storage, home, environment, packages."""
    node_selector: dict[LabelKey, LabelValue] = {}
    """Labels that a node must carry."""
    tolerations: tuple[Toleration, ...] = ()
    """Taints that the pod tolerates."""
    groups: frozenset[Group] = frozenset()
    """Members of one of these may start it; empty is everyone."""
    lifetime: Lifetime = Lifetime()
    """When it is stopped by itself."""

    @model_validator(mode="after")
    def _runnable(self) -> Self:
        if not self.runs_on:
            raise ValueError("runs_on names no platform")
        if "kubernetes" in self.runs_on and not self.image:
            raise ValueError("image is missing; only an embedded profile does without one")
        return self

    def allowed(self, groups: frozenset[str], *, is_admin: bool = False) -> bool:
        """Return whether a member of ``groups`` may start it."""
        return is_admin or not self.groups or bool(self.groups & groups)


class CatalogueFile(Part):
    """One file of a catalogue."""

    categories: dict[Name, Category] = {}
    """Headings by name."""
    profiles: dict[Name, Profile] = {}
    """Profiles by name; one that an earlier catalogue has is replaced as a whole."""
    remove: tuple[Name, ...] = ()
    """Profiles of earlier catalogues to leave out."""
