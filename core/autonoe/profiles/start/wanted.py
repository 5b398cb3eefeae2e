"""The wrapper's side of the variables that a spawner sets, read once and checked again."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from autonoe.profiles import rules

PREFIX = "AUTONOE_PROFILE_"

_DEFAULT_S = {"REPOSITORY": 60, "INIT_SCRIPT": 120, "PACKAGES": 120}
_LONGEST_S = 1800


@dataclass(frozen=True)
class Preparation:
    """What is to be prepared; times in seconds."""

    title: str = ""
    repository: str = ""
    branch: str = ""
    repository_timeout_s: int = 60
    init_script: str = ""
    init_script_sha256: str = ""
    init_script_timeout_s: int = 120
    packages: tuple[str, ...] = ()
    packages_timeout_s: int = 120
    refused: tuple[tuple[str, str], ...] = ()
    """Step and reason of what the variables asked for and the rules forbid."""

    @property
    def something(self) -> bool:
        """Whether there is anything to do."""
        return bool(self.repository or self.init_script or self.packages or self.refused)

    @classmethod
    def read(cls, env: Mapping[str, str]) -> Self:
        """Return what ``env`` asks for; what breaks a rule is left out and noted.

        The hub checked all of it. A person can set variables in their own server, which harms
        nobody else; still, a mistake there should be told and not run.
        """

        def get(name: str) -> str:
            return env.get(PREFIX + name, "").strip()

        refused: list[tuple[str, str]] = []
        url, branch = get("REPOSITORY"), get("BRANCH")
        script, checksum = get("INIT_SCRIPT"), get("INIT_SCRIPT_SHA256")
        packages: tuple[str, ...] = ()
        try:
            if url:
                rules.repository_url(url)
                if branch:
                    rules.branch(branch)
        except ValueError as error:
            refused.append(("repository", str(error)))
            url = ""
        try:
            if script:
                rules.script_url(script)
                rules.checksum(checksum)
        except ValueError as error:
            refused.append(("script", str(error)))
            script = ""
        try:
            packages = rules.packages(_names(get("PACKAGES")))
        except ValueError as error:
            refused.append(("packages", str(error)))
        return cls(
            title=get("TITLE"),
            repository=url,
            branch=branch,
            repository_timeout_s=_seconds(env, "REPOSITORY"),
            init_script=script,
            init_script_sha256=checksum,
            init_script_timeout_s=_seconds(env, "INIT_SCRIPT"),
            packages=packages,
            packages_timeout_s=_seconds(env, "PACKAGES"),
            refused=tuple(refused),
        )


def _names(text: str) -> list[str]:
    if not text:
        return []
    found = json.loads(text)
    if not isinstance(found, list):
        raise ValueError("The packages must be a JSON list.")
    return [str(name) for name in found]


def _seconds(env: Mapping[str, str], step: str) -> int:
    text = env.get(f"{PREFIX}{step}_TIMEOUT_S", "")
    return min(int(text), _LONGEST_S) if text.isdecimal() and int(text) else _DEFAULT_S[step]
