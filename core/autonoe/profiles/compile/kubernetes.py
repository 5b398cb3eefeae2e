"""Profiles as KubeSpawner's settings: plain dicts, no I/O."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import yaml

from autonoe.profiles.catalogue import Catalogue, Entry
from autonoe.profiles.choice import Choice
from autonoe.profiles.compile.environment import start_environment
from autonoe.profiles.options import parse

GPU_RESOURCE = "nvidia.com/gpu"
"""Name under which the device plugin offers GPUs."""

SHARED_MEMORY = "autonoe-shared-memory"
"""Name of the volume that is mounted at ``/dev/shm``."""


def kubespawner(
    catalogue: Catalogue, groups: Iterable[str] | None = None, *, language: str = "en"
) -> list[dict[str, Any]]:
    """Return ``catalogue`` as KubeSpawner's ``profile_list``.

    Parameters
    ----------
    catalogue : Catalogue
        All profiles.
    groups : iterable of str, optional
        Only what a member of these may start; None gives everything, which is what the values of
        the chart need: its pre-puller reads every image there and cannot call a function.
    language : str
        Language of names and descriptions.
    """
    chosen = catalogue.for_groups((), is_admin=True, mode="kubernetes")
    if groups is not None:
        chosen = catalogue.for_groups(groups, mode="kubernetes")
    first = chosen.default().name if len(chosen) else ""
    return [_profile(entry, chosen, language, default=entry.name == first) for entry in chosen]


def profile_list_yaml(catalogue: Catalogue) -> str:
    """Return the ``singleuser.profileList`` layer for the chart's values."""
    values = {"singleuser": {"profileList": kubespawner(catalogue)}}
    return yaml.safe_dump(values, sort_keys=False, allow_unicode=True, width=100)


def overrides(choice: Choice) -> dict[str, Any]:
    """Return the settings of KubeSpawner for one server, by trait name."""
    found: dict[str, Any] = {
        "image": choice.image,
        "cpu_limit": choice.cpu,
        "cpu_guarantee": round(choice.cpu * choice.profile.resources.cpu_reserved, 3),
        "mem_limit": choice.memory_bytes,
        "mem_guarantee": choice.memory_bytes,
        "storage_capacity": f"{choice.amounts['disk_gib']:g}Gi",
        "environment": start_environment(choice),
    }
    if choice.gpu:
        found["extra_resource_limits"] = {GPU_RESOURCE: str(choice.gpu)}
        found["extra_resource_guarantees"] = {GPU_RESOURCE: str(choice.gpu)}
    if choice.profile.node_selector:
        found["node_selector"] = dict(choice.profile.node_selector)
    if choice.profile.tolerations:
        found["tolerations"] = [
            {key: value for key, value in one.model_dump().items() if value}
            for one in choice.profile.tolerations
        ]
    return found


def shared_memory(choice: Choice) -> tuple[dict[str, Any], dict[str, Any]] | None:
    """Return the volume and its mount for ``/dev/shm``; None when the runtime's own will do.

    It counts as memory of the pod, so that it needs no limit of its own beyond its size.
    """
    if not choice.shared_memory_bytes:
        return None
    size = f"{choice.shared_memory_bytes >> 20}Mi"
    volume = {"name": SHARED_MEMORY, "emptyDir": {"medium": "Memory", "sizeLimit": size}}
    return volume, {"name": SHARED_MEMORY, "mountPath": "/dev/shm"}  # noqa: S108  the kernel's own place


def _profile(entry: Entry, chosen: Catalogue, language: str, *, default: bool) -> dict[str, Any]:
    profile = entry.profile
    choice = parse({"profile": entry.name}, chosen, (), is_admin=True)
    settings = overrides(choice)
    # What a person's start needs comes with their own choice; the static list is about the pod.
    settings.pop("environment")
    found: dict[str, Any] = {
        "slug": entry.name,
        "display_name": profile.title.to(language),
        "description": profile.description.to(language).strip(),
        "default": default,
        "kubespawner_override": settings,
    }
    if profile.other_images:
        own = {
            "display_name": profile.title.to(language),
            "default": True,
            "kubespawner_override": {"image": profile.image},
        }
        others = {
            name: {
                "display_name": other.title.to(language),
                "kubespawner_override": {"image": other.image},
            }
            for name, other in profile.other_images.items()
        }
        found["profile_options"] = {
            "image": {"display_name": "Image", "choices": {"default": own, **others}}
        }
    return found
