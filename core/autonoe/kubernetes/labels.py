"""Labels and the owner annotation: how every object of ours says what it is and whose it is.

A label can hold 63 ASCII characters, so it carries the slug; the annotation carries the name. The
annotation is what decides before anything is reused: two names may look alike, and a namespace may
have been made by somebody else before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from autonoe import __version__
from autonoe.errors import ConflictError
from autonoe.names import normalise_name, slug

GROUP = "autonoe.dev"
"""API group of our resources, and the prefix of our labels and annotations."""

NAME = "app.kubernetes.io/name"
INSTANCE = "app.kubernetes.io/instance"
COMPONENT = "app.kubernetes.io/component"
PART_OF = "app.kubernetes.io/part-of"
MANAGED_BY = "app.kubernetes.io/managed-by"
VERSION = "app.kubernetes.io/version"
RECOMMENDED = (NAME, INSTANCE, COMPONENT, PART_OF, MANAGED_BY, VERSION)

TENANT = f"{GROUP}/tenant"
"""``user`` or ``project``: what kind of namespace an object is in."""
OWNER_SLUG = f"{GROUP}/owner-slug"
OWNER = f"{GROUP}/owner"
"""Annotation: the normalised name of the person or project that an object belongs to."""
EXPOSED = f"{GROUP}/exposed"
"""A pod of a tenant with ``"true"`` here can be reached by the hub's proxy on its serving port."""

MANAGER = "autonoe"
"""Field manager of server-side apply, and the value of the label ``managed-by``."""


def labels(
    name: str,
    *,
    instance: str,
    component: str,
    tenant: str = "",
    owner: str = "",
    version: str = __version__,
) -> dict[str, str]:
    """Return the labels of one object.

    Parameters
    ----------
    name : str
        What it is: ``notebook``, ``serving``, ``tenants`` ...
    instance : str
        Which installation of Autonoe it belongs to; two on one cluster never touch each other's.
    component : str
        The role that it plays there.
    tenant : {"", "user", "project"}
        Kind of the namespace's owner; empty for parts of the platform itself.
    owner : str
        Name of the person or project; becomes its slug.
    version : str
        Version of the software.
    """
    found = {
        NAME: name,
        INSTANCE: instance,
        COMPONENT: component,
        PART_OF: "autonoe",
        MANAGED_BY: MANAGER,
        # A local version holds "+", which a label must not.
        VERSION: re.sub(r"[^A-Za-z0-9._-]", "-", version)[:63],
    }
    if tenant:
        found[TENANT] = tenant
    if owner:
        found[OWNER_SLUG] = slug(owner)
    return found


def selector(wanted: Mapping[str, str]) -> str:
    """Return ``wanted`` as a label selector, for the query of a list or a watch."""
    return ",".join(f"{key}={value}" for key, value in wanted.items())


def owned_by(owner: str) -> dict[str, str]:
    """Return the annotations that record ``owner``, normalised."""
    return {OWNER: normalise_name(owner)}


def verify_owner(found: Mapping[str, Any], owner: str, *, instance: str) -> None:
    """Check that an object that exists is ``owner``'s, before it is reused.

    Parameters
    ----------
    found : mapping
        The object as the API server returned it.
    owner : str
        Who is about to use it.
    instance : str
        Which installation is about to use it.

    Raises
    ------
    ConflictError
        If it was made by something else, by another installation, or for somebody else. The
        message does not say for whom.
    """
    metadata = found.get("metadata", {})
    own = metadata.get("labels") or {}
    what = f"{found.get('kind', 'The object')} {metadata.get('name', '')!r}"
    if own.get(MANAGED_BY) != MANAGER or own.get(INSTANCE) != instance:
        raise ConflictError(
            f"{what} exists already and was not made by this platform.",
            hint="An administrator can rename or remove it, or choose another prefix.",
            code="foreign_object",
        )
    if (metadata.get("annotations") or {}).get(OWNER) != normalise_name(owner):
        raise ConflictError(
            f"{what} belongs to somebody else.",
            hint="Two names led to the same place. Ask an administrator to choose another name.",
            code="owner_mismatch",
        )
