"""Running the start wrapper as a process, for the tests of this folder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.https import Https

SHOW = "import json, os; print(json.dumps(dict(os.environ)))"


@dataclass
class Started:
    """How one start ended."""

    env: dict[str, str]
    """Variables that the command saw."""
    steps: list[dict[str, Any]]
    """The report."""
    took_s: float

    def step(self, name: str) -> dict[str, Any]:
        (found,) = [step for step in self.steps if step["step"] == name]
        return found


Start = Callable[..., Started]


def starter(home: Path, https: Https) -> Start:
    """Return a function that runs the wrapper with AUTONOE_PROFILE_* variables."""

    def run(variables: dict[str, str] | None = None, **profile: str) -> Started:
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "NO_PROXY": "localhost",
            "JUPYTERHUB_API_TOKEN": "the-servers-own",
            **https.trust,
            **(variables or {}),
            **{f"AUTONOE_PROFILE_{name.upper()}": value for name, value in profile.items()},
        }
        command = [sys.executable, "-P", "-m", "autonoe.profiles.start", "--"]
        began = time.monotonic()
        done = subprocess.run(
            [*command, sys.executable, "-c", SHOW],
            env=env,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout)
        report = seen.get("AUTONOE_START_REPORT")
        steps = json.loads(Path(report).read_text())["steps"] if report else []
        return Started(seen, steps, time.monotonic() - began)

    return run


def script(https: Https, text: str) -> dict[str, str]:
    """Publish an init script and return the variables that ask for it."""
    (https.folder / "init.sh").write_text(text)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return {"init_script": f"{https.url}/init.sh", "init_script_sha256": digest}
