"""The credential agent: one per Jupyter server or deployment, on loopback, for one account.

Kernels get its address and a pass that opens nothing else. What expires lives here and is made
anew here, so nothing in a kernel ever does.
"""

from __future__ import annotations

import logging
import os
import secrets
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autonoe.credentials import environment, forward
from autonoe.credentials.chain import IdentityChain
from autonoe.credentials.duckdb_home import DuckdbHome
from autonoe.credentials.keeper import SessionKeeper
from autonoe.credentials.server import AgentServer, Backend
from autonoe.credentials.settings import AgentSettings
from autonoe.credentials.variables import Variables, read_variables
from autonoe.embedded.files import write_atomic
from autonoe.errors import AutonoeError
from autonoe.names import PUBLIC_BUCKET, project_bucket

log = logging.getLogger(__name__)

_VARIABLES_TIMEOUT_S = 2.0


class CredentialAgent:
    """Serves the credentials of one account to the processes of its server.

    Parameters
    ----------
    settings : AgentSettings
        The account, its proof and the addresses.
    state_dir : Path
        Folder for the pass and the configuration files; made with mode 0700, unless shared.
    home : Path, optional
        The account's home, in which DuckDB is prepared (extensions and a secret); None leaves
        every home alone.
    shared : bool, optional
        Have the folder's group read the files: in a pod, the other containers belong to it.

    Notes
    -----
    A page of the server that forwards a browser's request to the agent must drop ``Origin`` and
    ``Sec-Fetch-*`` and add the pass: the agent refuses browsers.
    """

    def __init__(
        self,
        settings: AgentSettings,
        state_dir: Path,
        *,
        home: Path | None = None,
        shared: bool = False,
    ) -> None:
        self.settings = settings
        self._dir = state_dir
        self._modes = (0o750, 0o640) if shared else (0o700, 0o600)
        self._token = secrets.token_urlsafe(32)
        self._chain = IdentityChain(settings)
        self._duckdb = DuckdbHome(home, settings) if home else None
        self._keeper = SessionKeeper(
            self._chain.s3_session, margin_s=settings.renew_margin_s, on_change=self._renewed
        )
        self._server: AgentServer | None = None
        self._started: datetime | None = None
        self._variables = Variables()
        self._variables_error: AutonoeError | None = None

    # -- life -------------------------------------------------------------------------------

    def start(self) -> None:
        """Listen, and begin to make credentials in the background. Returns at once."""
        folder_mode, file_mode = self._modes
        self._dir.mkdir(parents=True, exist_ok=True, mode=folder_mode)
        # The bit that makes files take the folder's group is the volume's own.
        self._dir.chmod(folder_mode | (self._dir.stat().st_mode & stat.S_ISGID))
        for name, text in (
            (self.token_file.name, self._token),
            ("aws-config", environment.aws_config(self.settings)),
            ("gitconfig", environment.git_config(self.settings)),
        ):
            write_atomic(self._dir / name, text, mode=file_mode)
        self._server = AgentServer(
            Backend(
                settings=self.settings,
                chain=self._chain,
                keeper=self._keeper,
                token=self._token,
                status=self.status,
                secrets_pool=forward.new_pool(read_s=30),
                # A model of gigabytes may take its time between two pieces.
                mlflow_pool=forward.new_pool(read_s=600),
            )
        )
        self._started = datetime.now(UTC)
        threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.2},
            name="autonoe-agent",
            daemon=True,
        ).start()
        self._keeper.start()

    def stop(self) -> None:
        """Stop answering, and remove the pass."""
        self._keeper.stop()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
        self.token_file.unlink(missing_ok=True)

    def __enter__(self) -> CredentialAgent:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    # -- what others need -------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Address of the agent, without a trailing slash; only while it runs."""
        if self._server is None:
            raise AutonoeError("The credential agent does not run.", code="not_running")
        return f"http://{self._server.host}"

    @property
    def token_file(self) -> Path:
        """File with the pass, 0600 unless it is shared."""
        return self._dir / "agent-token"

    def environment(self) -> dict[str, str]:
        """Return all variables of a new kernel or terminal, the person's own ones included.

        With OpenBao down the person's own variables are those of the last time; the rest is
        complete. Takes 2 s at most.
        """
        files = {"token": self.token_file, "git": self._dir / "gitconfig"}
        if not _has_own_aws_config():
            files["aws"] = self._dir / "aws-config"
        ours = {
            **environment.kernel_environment(
                self.settings, agent_url=self.url, token=self._token, files=files
            ),
            **environment.without_proxy(os.environ),
        }
        self._read_variables(set(ours))
        return {**self._variables.values, **ours}

    def status(self) -> dict[str, Any]:
        """Return the state for the status page and the panel; it holds no secret."""
        settings = self.settings
        return {
            "account": settings.account,
            "slug": settings.slug,
            "mail": settings.account_mail,
            "groups": list(settings.groups),
            "started": self._started.isoformat() if self._started else None,
            "buckets": {
                "own": settings.bucket,
                "projects": [project_bucket(group) for group in settings.groups],
                "public": PUBLIC_BUCKET,
            },
            "secrets_path": f"kv/{settings.secrets_path}",
            "s3": {"url": settings.s3_url, **self._keeper.status()},
            "openbao": {"url": settings.openbao_url, **self._chain.status()},
            "mlflow": {"url": settings.mlflow_url or None},
            "variables": {
                "set": sorted(self._variables.values),
                "refused": dict(self._variables.refused),
                "error": self._variables_error.as_dict()["error"]
                if self._variables_error
                else None,
            },
            "duckdb": self._duckdb.state if self._duckdb else "not prepared",
        }

    # -- steps ------------------------------------------------------------------------------

    def _renewed(self) -> None:
        if self._duckdb is not None and self._server is not None:
            self._duckdb.prepare(self.url, self.token_file)

    def _read_variables(self, taken: set[str]) -> None:
        try:
            client = self._chain.client(timeout_s=_VARIABLES_TIMEOUT_S)
            self._variables = read_variables(client, self.settings.secrets_path, taken=taken)
            self._variables_error = None
        except AutonoeError as error:
            log.warning("the account's own variables were not read: %s", error.message)
            self._variables_error = error
        for name, reason in self._variables.refused.items():
            log.warning("the variable %r of the account is not set: %s", name, reason)


def _has_own_aws_config() -> bool:
    return (Path.home() / ".aws" / "config").exists()
