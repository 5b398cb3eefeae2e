"""Requests to the secrets engine: hvac, ``bao`` and ``vault``.

The two command lines take the same words. Values go through standard input: a command's
arguments can be seen by every process of the machine.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import hvac

from autonoe.equivalents.base import Form, Request

MOUNT = "kv"
_PROGRAMS = ("bao", "vault")
_TIMEOUT_S = 30


@dataclass(frozen=True)
class SecretsRequest(Request):
    """One call of hvac's client.

    Parameters
    ----------
    what : str
        The title.
    method : str
        Dotted path of the method, from the client on.
    arguments : tuple of (str, object)
        Its keyword arguments.
    words : tuple of str
        The same as words of the command line, without the program.
    values : str, optional
        JSON for the command's standard input.
    """

    what: str
    method: str
    arguments: tuple[tuple[str, Any], ...]
    words: tuple[str, ...]
    values: str = ""

    @property
    def title(self) -> str:
        """What it does, as a short sentence."""
        return self.what

    def call(self) -> Any:
        """Do it, and return hvac's answer."""
        function: Any = hvac.Client(timeout=_TIMEOUT_S)
        for name in self.method.split("."):
            function = getattr(function, name)
        return function(**dict(self.arguments))

    def forms(self) -> list[Form]:
        """Return the Python form and those of ``bao`` and ``vault``."""
        arguments = ", ".join(f"{name}={value!r}" for name, value in self.arguments)
        python = (
            f"import hvac\n\nvault = hvac.Client()\nanswer = vault.{self.method}({arguments})\n"
        )
        return [Form("Python", "python", python), *(self._line(name) for name in _PROGRAMS)]

    def _line(self, program: str) -> Form:
        line = shlex.join([program, *self.words])
        if self.values:
            line += f" - <<'END'\n{self.values}\nEND"
        return Form(program, "bash", line)


def read_secret(path: str) -> SecretsRequest:
    """Return the request for the values of the secret at ``path``, below the engine ``kv``."""
    return SecretsRequest(
        f"Read the secret {path}",
        "secrets.kv.v2.read_secret_version",
        (("path", path), ("mount_point", MOUNT), ("raise_on_deleted_version", True)),
        ("kv", "get", f"-mount={MOUNT}", "-format=json", path),
    )


def write_secret(path: str, values: Mapping[str, str]) -> SecretsRequest:
    """Return the request that writes ``values`` to the secret at ``path`` as a new version."""
    return SecretsRequest(
        f"Write the secret {path}",
        "secrets.kv.v2.create_or_update_secret",
        (("path", path), ("secret", dict(values)), ("mount_point", MOUNT)),
        ("kv", "put", f"-mount={MOUNT}", "-format=json", path),
        # "END" alone on a line would close the text early; JSON has no line of its own to be one.
        values=json.dumps(dict(values)),
    )


def list_secrets(path: str) -> SecretsRequest:
    """Return the request for the names of the secrets below ``path``."""
    return SecretsRequest(
        f"List the secrets of {path}",
        "secrets.kv.v2.list_secrets",
        (("path", path), ("mount_point", MOUNT)),
        ("kv", "list", f"-mount={MOUNT}", "-format=json", path),
    )


def who_am_i() -> SecretsRequest:
    """Return the request for the identity behind this process's token."""
    return SecretsRequest(
        "Who am I", "auth.token.lookup_self", (), ("token", "lookup", "-format=json")
    )
