"""The platform's own OpenBao, SeaweedFS and MLflow, without supervisor: tests stop them at will."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import boto3
import urllib3
from botocore.config import Config

from autonoe.accounts import Account, Accounts, AdminSettings
from autonoe.credentials.settings import AgentSettings
from autonoe.embedded import generated, nursery, secret_makers
from autonoe.embedded.components import mlflow, openbao, seaweedfs
from autonoe.embedded.components.base import Component, Context
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.identity.buckets import Storage
from autonoe.identity.sts import S3Session
from autonoe.waiting import wait_until

HTTP = urllib3.PoolManager(retries=False, timeout=5)


class Part:
    """One component of the platform, which a test may kill and start again."""

    def __init__(self, component: Component) -> None:
        self.component = component
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it as the supervisor would, and wait until it is ready."""
        spec = self.component.spec
        self.component.prepare()
        with spec.log.open("ab") as log:
            self._process = subprocess.Popen(
                spec.argv, env=dict(spec.env), cwd=spec.cwd, stdout=log, stderr=log
            )
        self.wait()

    def wait(self) -> None:
        """Wait until it is ready."""
        spec = self.component.spec

        def ready() -> bool:
            dead = self._process is not None and self._process.poll() is not None
            assert not dead, spec.log.read_text(errors="replace")[-2000:]
            return asyncio.run(spec.probe())

        wait_until(ready, timeout_s=60, what=spec.name, ignoring=(OSError,))

    def kill(self) -> None:
        """Kill it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None

    def mend(self) -> None:
        """Start it unless it runs, and let it go on."""
        if self._process is None:
            self.start()
        self.resume()

    def pause(self) -> None:
        """Stop it so that it accepts connections and never answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)
        # A signal returns before the process has stopped: on a busy machine it would still answer.
        os.waitpid(self._process.pid, os.WUNTRACED)

    def resume(self) -> None:
        """Let it go on."""
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)


class Tracking(Part):
    """MLflow: a process that imports it, and the server that this process forks."""

    def __init__(self, context: Context) -> None:
        self._helper, server = (Part(each) for each in mlflow.components(context))
        super().__init__(server.component)
        self._socket = context.layout.run / f"{mlflow.NURSERY}.sock"
        self._pid = 0

    def start(self) -> None:
        """Start both, and wait until the server is ready."""
        self._helper.start()
        self._pid = nursery.request_child(self._socket)
        self.wait()

    def kill(self) -> None:
        """Kill both."""
        if self._pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._pid = 0
        self._helper.kill()


class Stack:
    """One data folder with its servers."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root)
        self.layout.create()
        self.platform = PlatformFile.create(host="127.0.0.1", port=1, owner="tester")
        self.platform.save(self.layout)
        secret_makers.ensure(self.layout)
        self.context = Context(layout=self.layout, platform=self.platform)
        self.bao = Part(openbao.component(self.context))
        self.weed = Part(seaweedfs.component(self.context))

    @property
    def openbao_url(self) -> str:
        """Address of OpenBao."""
        return self.platform.openbao_url

    @property
    def s3_url(self) -> str:
        """Address of SeaweedFS."""
        return self.platform.s3_url

    def start(self) -> None:
        """Start OpenBao and SeaweedFS."""
        self.bao.start()
        self.weed.start()
        self.storage().ensure_bucket(seaweedfs.MLFLOW_BUCKET, "mlflow")

    def stop(self) -> None:
        """Kill both."""
        self.weed.kill()
        self.bao.kill()

    def storage(self) -> Storage:
        """Return the object store as its administrator sees it."""
        return Storage(self.s3_url, generated.read_document(self.layout, generated.S3_ADMIN))

    def accounts(self, *, with_mlflow: bool = False, **changes: Any) -> Accounts:
        """Return the accounts of this platform."""
        full = AdminSettings.from_layout(self.layout)
        url = full.mlflow_url if with_mlflow else ""
        return Accounts(
            AdminSettings(
                **{
                    "layout": self.layout,
                    "openbao_url": full.openbao_url,
                    "s3_url": full.s3_url,
                    "mlflow_url": url,
                    "shell": full.shell,
                    **changes,
                }
            )
        )

    def settings(self, account: Account, **changes: Any) -> AgentSettings:
        """Return what an agent of ``account`` is told."""
        values: dict[str, Any] = {
            "account": account.name,
            "account_mail": account.mail,
            "groups": account.groups,
            "proof_file": self.layout.proof(account.name),
            "openbao_url": self.openbao_url,
            "s3_url": self.s3_url,
        }
        return AgentSettings(**{**values, **changes})


def client(url: str, session: S3Session, service: str = "s3", **options: Any) -> Any:
    """Return a boto3 client of a session, without the retries that would hide a refusal."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=session.access_key,
        aws_secret_access_key=session.secret_key,
        aws_session_token=session.token or None,
        config=Config(
            signature_version="s3v4" if service == "s3" else None,
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=20,
            **options,
        ),
    )
