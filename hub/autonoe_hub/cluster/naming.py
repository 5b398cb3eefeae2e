"""Names of pods and namespaces of one account."""

from __future__ import annotations

import base64
import hashlib
import re

from autonoe.names import MAX_SLUG, slug

_SAFE = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")


def namespace(prefix: str, owner: str) -> str:
    """Return the namespace of ``owner``: the prefix, then the 80-bit slug.

    Examples
    --------
    >>> namespace("u-", "alice")
    'u-alice'
    """
    return f"{prefix}{slug(owner)}"


def server_slug(server: str) -> str:
    """Return the part of a pod's name that stands for a named server; "" for the default one.

    Unlike names of people, names of servers differ by case ("Test" beside "test"), so the digest
    is of the name as it was typed.

    Examples
    --------
    >>> server_slug("gpu-2")
    'gpu-2'
    >>> server_slug("Test") != server_slug("test")
    True
    """
    if not server or (len(server) <= MAX_SLUG and _SAFE.fullmatch(server)):
        return server
    digest = hashlib.sha256(server.encode("utf-8", "surrogatepass")).digest()[:10]
    suffix = base64.b32encode(digest).decode().lower()
    stem = re.sub(r"[^a-z0-9]+", "-", server.lower()).strip("-")[: MAX_SLUG - 18].strip("-")
    return f"{stem or 'x'}--{suffix}"


def pod_name(server: str) -> str:
    """Return the name of the pod of ``server``; it is unique in its owner's namespace.

    Examples
    --------
    >>> pod_name(""), pod_name("gpu")
    ('jupyter', 'jupyter-gpu')
    """
    part = server_slug(server)
    return f"jupyter-{part}" if part else "jupyter"
