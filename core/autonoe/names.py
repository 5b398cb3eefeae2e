"""Names of people and projects as names that buckets, paths, entities and namespaces accept.

A name that is already safe stays as it is, so that people recognise their bucket. Any other name
gets a suffix with 80 bits of SHA-256 behind a double hyphen. A safe name never holds a double
hyphen, so the two kinds cannot meet; 32 bits (KubeSpawner's choice) would not do: two colliding
names were found in under 70,000 tries.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from typing import Literal

from autonoe.errors import InvalidInputError

MAX_SLUG = 40
"""Characters; leaves room for prefixes within the 63 of a DNS label and of an S3 bucket."""

_SAFE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_MAX_NAME = 255


def normalise_name(name: str) -> str:
    """Return ``name`` in the one form that is compared: NFKC, case-folded, trimmed.

    Raises
    ------
    InvalidInputError
        If it is empty, longer than 255 characters, or holds control, surrogate or unassigned
        characters.
    """
    form = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold()).strip()
    if not form or len(form) > _MAX_NAME:
        raise InvalidInputError(
            f"A name has 1 to {_MAX_NAME} characters; this one has {len(form)}.",
            hint="Choose a shorter or non-empty name.",
        )
    if any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"} for c in form):
        raise InvalidInputError(
            "The name holds control or invisible characters.", hint="Use letters, digits, - . @ _"
        )
    return form


def slug(name: str) -> str:
    """Return the stable, collision-resistant slug of ``name``: at most 40 of ``[a-z0-9-]``.

    Two names that differ only by case or Unicode form give the same slug; any other two differ
    (80 bits). Whoever reuses a resource still checks its recorded owner.

    Examples
    --------
    >>> slug("alice")
    'alice'
    >>> slug("Ana María").startswith("ana-mar-a--")
    True
    """
    form = normalise_name(name)
    if len(form) <= MAX_SLUG and _SAFE.fullmatch(form):
        return form
    digest = base64.b32encode(hashlib.sha256(form.encode()).digest()[:10]).decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", form).strip("-")[: MAX_SLUG - 18].strip("-") or "x"
    return f"{stem}--{digest}"


def user_bucket(name: str) -> str:
    """Return the bucket of the account ``name``."""
    return f"user-{slug(name)}"


def project_bucket(group: str) -> str:
    """Return the bucket that the members of ``group`` share."""
    return f"project-{slug(group)}"


AccountKind = Literal["user", "project"]
"""What an account is: a person, or a project whose pods act in its own name."""


def account_entity(name: str, kind: AccountKind) -> str:
    """Return the name of the account in OpenBao and MLflow.

    A project's holds a dot, which no slug does: a person who takes a project's name, or makes one
    up that looks like it, is still somebody else.
    """
    return slug(name) if kind == "user" else f"project.{slug(name)}"


def account_bucket(name: str, kind: AccountKind) -> str:
    """Return the account's own bucket."""
    return user_bucket(name) if kind == "user" else project_bucket(name)


def account_secrets(name: str, kind: AccountKind) -> str:
    """Return the account's own path below the secrets engine ``kv``."""
    return f"{'users' if kind == 'user' else 'projects'}/{slug(name)}"


PUBLIC_BUCKET = "public"
"""Readable by every account, written by the administrator only."""
