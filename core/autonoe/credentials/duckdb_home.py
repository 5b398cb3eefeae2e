"""DuckDB in a person's home: the extensions it needs for S3, and a secret that renews itself.

DuckDB fetches extensions from its own site, which a laptop may not reach; the same files come as
Python packages. Its secrets are its own too: ``credential_chain`` with ``REFRESH auto`` asks the
agent again whenever the S3 server refuses.
"""

from __future__ import annotations

import importlib.util
import json
import logging
import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

from autonoe.credentials.settings import AgentSettings

log = logging.getLogger(__name__)

SECRET = "autonoe_s3"  # noqa: S105  a name
_PACKAGES = ("duckdb_extension_httpfs", "duckdb_extension_aws")
_TIMEOUT_S = 30

# Runs in a process of its own: core does not load DuckDB, and the home is that of the account.
_SCRIPT = """
import json, os, pathlib, sys
import duckdb
task = json.load(sys.stdin)
connection = duckdb.connect()
version = "v" + duckdb.__version__
platform = connection.sql("PRAGMA platform").fetchone()[0]
target = pathlib.Path.home() / ".duckdb" / "extensions" / version / platform
target.mkdir(parents=True, exist_ok=True)
for package in task["packages"]:
    for source in pathlib.Path(package).rglob("*.duckdb_extension"):
        link = target / source.name
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(source)
connection.sql("LOAD httpfs")
connection.sql("LOAD aws")
connection.sql(task["sql"])
"""


class DuckdbHome:
    """Prepares one home, once per S3 address.

    Parameters
    ----------
    home : Path
        The account's home folder.
    settings : AgentSettings
        Where the S3 server is.
    """

    def __init__(self, home: Path, settings: AgentSettings) -> None:
        self._home = home
        self._settings = settings
        self.state = "waiting for the first S3 session"
        """For people: ready, waiting, or why not."""

    def prepare(self, agent_url: str, token_file: Path) -> None:
        """Link the extensions and write the secret, unless that was done; never raises."""
        if self.state == "ready":
            return
        folders = [_folder(name) for name in _PACKAGES]
        if importlib.util.find_spec("duckdb") is None or None in folders:
            self.state = "not installed"
            return
        try:
            self._run([str(folder) for folder in folders], agent_url, token_file)
            self.state = "ready"
        except (OSError, subprocess.SubprocessError) as error:
            self.state = "failed: see the server's log"
            detail = getattr(error, "stderr", None) or error
            log.warning("DuckDB was not prepared for S3: %s", str(detail)[-500:])

    def sql(self) -> str:
        """Return the statement that makes the secret."""
        address = urlsplit(self._settings.s3_url)
        style = "path" if self._settings.s3_addressing == "path" else "vhost"
        return (
            f"CREATE OR REPLACE PERSISTENT SECRET {SECRET} (TYPE s3, PROVIDER credential_chain, "
            f"REFRESH auto, ENDPOINT '{address.netloc}', URL_STYLE '{style}', "
            f"USE_SSL {'true' if address.scheme == 'https' else 'false'}, "
            f"REGION '{self._settings.s3_region}')"
        )

    def _run(self, packages: list[str], agent_url: str, token_file: Path) -> None:
        subprocess.run(
            [sys.executable, "-I", "-c", _SCRIPT],
            input=json.dumps({"packages": packages, "sql": self.sql()}),
            env={
                "HOME": str(self._home),
                "PATH": os.defpath,
                "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent_url}/credentials",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token_file),
                "AWS_EC2_METADATA_DISABLED": "true",
                "AWS_REGION": self._settings.s3_region,
            },
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        )


def _folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])
