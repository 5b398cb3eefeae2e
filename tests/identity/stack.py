"""OpenBao and SeaweedFS as the platform runs them, started for the tests of this folder."""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import urllib3
from botocore.config import Config
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from autonoe.identity import openbao, seaweedfs
from autonoe.identity.weed_shell import WeedShell

BIN = Path(sys.executable).parent
HTTP = urllib3.PoolManager(retries=False, timeout=5)


def wait_for(condition: Callable[[], Any], what: str, timeout_s: float = 60) -> Any:
    """Return the first truthy answer of ``condition``, or fail after ``timeout_s`` seconds."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {timeout_s} s")


def free_ports(count: int) -> list[int]:
    """Return ``count`` different ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    path.chmod(0o600)
    return path


def _tls(folder: Path) -> None:
    """Write ca.crt, n.crt and n.key: SeaweedFS's components talk to each other over mTLS."""
    folder.mkdir()
    now = datetime.now(UTC)

    def certificate(cn: str, key: Any, issuer: str, issuer_key: Any, ca: bool) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, cn)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName("node")]), critical=False)
        )
        return builder.sign(issuer_key, hashes.SHA256())

    ca_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    pem = serialization.Encoding.PEM
    _write(folder / "ca.crt", certificate("ca", ca_key, "ca", ca_key, True).public_bytes(pem))
    _write(folder / "n.crt", certificate("node", key, "ca", ca_key, False).public_bytes(pem))
    _write(
        folder / "n.key",
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
    )


@dataclass
class Process:
    """One server that can be killed and started again on the same data and ports."""

    argv: list[str]
    env: dict[str, str]
    log: Path
    ready: Callable[[], bool]
    before: Callable[[], None] = lambda: None
    running: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def start(self) -> None:
        """Start it and wait until it answers."""
        self.before()
        with self.log.open("ab") as log:
            self.running = subprocess.Popen(self.argv, env=self.env, stdout=log, stderr=log)
        wait_for(self._up, self.argv[0])

    def _up(self) -> bool:
        assert self.running is not None
        assert self.running.poll() is None, self.log.read_text(errors="replace")[-3000:]
        try:
            return self.ready()
        except (urllib3.exceptions.HTTPError, OSError):
            return False

    def kill(self) -> None:
        """Kill it as the machine's power would."""
        if self.running is not None:
            self.running.kill()
            self.running.wait(10)
            self.running = None


class Stack:
    """An OpenBao and a SeaweedFS with the product's own configuration."""

    def __init__(self, root: Path) -> None:
        self.root = root
        ports = free_ports(12)
        self.platform_secret_id = secrets.token_urlsafe(32)
        self.admin_keys = {"access_key": secrets.token_hex(8), "secret_key": secrets.token_hex(20)}
        self.mlflow_keys = {"access_key": secrets.token_hex(8), "secret_key": secrets.token_hex(20)}
        self.sts_key = base64.b64encode(secrets.token_bytes(32)).decode()
        (root / "bao").mkdir(mode=0o700)
        (root / "weed").mkdir(mode=0o700)
        self.server = openbao.OpenBaoServer(
            data_dir=root / "bao",
            seal_key_file=_write(root / "seal.key", secrets.token_bytes(32)),
            port=ports[0],
            cluster_port=ports[1],
        )
        self.s3_url = f"http://127.0.0.1:{ports[2]}"
        self.bao = self._bao()
        self.weed = self._weed(ports[2:])

    @property
    def openbao_url(self) -> str:
        return self.server.url

    def _bao(self) -> Process:
        config = _write(self.root / "bao.hcl", openbao.server_config(self.server))
        return Process(
            [str(BIN / "bao"), "server", f"-config={config}"],
            {
                "PATH": os.environ["PATH"],
                "HOME": str(self.root),
                openbao.PLATFORM_SECRET_ENV: self.platform_secret_id,
            },
            self.root / "bao.log",
            lambda: HTTP.request("GET", f"{self.server.url}/v1/sys/health").status == 200,
        )

    def _weed(self, ports: list[int]) -> Process:
        root, data = self.root, self.root / "weed"
        tls = root / "tls"
        _tls(tls)
        iam = seaweedfs.iam_config(issuer=self.server.issuer, sts_signing_key=self.sts_key)
        s3 = seaweedfs.s3_config(admin=self.admin_keys, services={"mlflow": self.mlflow_keys})
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(root),
            "GOMEMLIMIT": "160MiB",
            "GOGC": "50",
            "WEED_GRPC_CA": str(tls / "ca.crt"),
        }
        for name in ("", "READ_", "FILER_", "FILER_READ_"):
            filer, read = "FILER_" if "FILER" in name else "", "READ_" if "READ" in name else ""
            env[f"WEED_JWT_{filer}SIGNING_{read}KEY"] = secrets.token_hex(32)
        for part in [
            "VOLUME",
            "MASTER",
            "FILER",
            "S3",
            "CLIENT",
            "ADMIN",
            "WORKER",
            "MQ",
            "MSG_BROKER",
        ]:
            env[f"WEED_GRPC_{part}_CERT"] = str(tls / "n.crt")
            env[f"WEED_GRPC_{part}_KEY"] = str(tls / "n.key")
        names = ["s3.port", "s3.port.grpc", "master.port", "master.port.grpc", "volume.port",
                 "volume.port.grpc", "filer.port", "filer.port.grpc", "admin.port",
                 "admin.port.grpc"]  # fmt: skip
        named = dict(zip(names, ports, strict=True))
        self.shell = WeedShell(
            master=f"127.0.0.1:{named['master.port']}.{named['master.port.grpc']}",
            filer=f"127.0.0.1:{named['filer.port']}.{named['filer.port.grpc']}",
            environment={k: v for k, v in env.items() if k.startswith("WEED_")},
        )
        argv = [
            str(BIN / "weed"), "mini", f"-dir={data}", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
            "-disableHttp", "-master.telemetry=false", "-webdav=false", "-admin.ui=false",
            "-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64",
            "-volume.max=400", "-s3.iam=false",
            f"-s3.config={_write(root / 's3.json', json.dumps(s3))}",
            f"-s3.iam.config={_write(root / 'iam.json', json.dumps(iam))}",
            *(f"-{name}={port}" for name, port in named.items()),
        ]  # fmt: skip
        return Process(
            argv,
            env,
            root / "weed.log",
            self._s3_ready,
            before=lambda: (data / "mini.options").unlink(missing_ok=True),
        )

    def _s3_ready(self) -> bool:
        try:
            self.admin().list_buckets()
        except Exception:  # any failure: not ready yet
            return False
        return True

    def admin(self, service: str = "s3") -> Any:
        """Return a boto3 client of the administrator."""
        return s3_client(
            self.s3_url,
            {
                "AccessKeyId": self.admin_keys["access_key"],
                "SecretAccessKey": self.admin_keys["secret_key"],
                "Token": None,
            },
            service,
        )

    def start(self) -> None:
        """Start both, OpenBao first: SeaweedFS reads its keys."""
        self.bao.start()
        self.weed.start()

    def stop(self) -> None:
        """End both."""
        self.weed.kill()
        self.bao.kill()


def s3_client(url: str, keys: dict[str, Any], service: str = "s3") -> Any:
    """Return a boto3 client with these keys, and no retries that would hide a refusal."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id=keys["AccessKeyId"],
        aws_secret_access_key=keys["SecretAccessKey"],
        aws_session_token=keys["Token"],
        config=Config(
            signature_version="s3v4" if service == "s3" else None,
            s3={"addressing_style": "path"},
            retries={"total_max_attempts": 1},
            connect_timeout=5,
            read_timeout=20,
        ),
    )
