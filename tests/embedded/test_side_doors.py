"""SeaweedFS keeps data behind S3; each of its other doors is knocked at, and stays shut."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
import urllib3
from botocore.config import Config

from autonoe.embedded.components.seaweedfs import door_keys
from autonoe.embedded.generated import S3_ADMIN, S3_MLFLOW, read_document

from .conftest import OwnPlatform

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("own platform")]

WEED = str(Path(sys.executable).with_name("weed"))
SECRET = b"seen-through-a-side-door"


def _client(own: OwnPlatform, keys: dict[str, str]):
    return boto3.client(
        "s3",
        endpoint_url=own.file.s3_url,
        aws_access_key_id=keys["access_key"],
        aws_secret_access_key=keys["secret_key"],
        region_name="us-east-1",
        config=Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 1}),
    )


@pytest.fixture(scope="module")
def stored(own: OwnPlatform) -> OwnPlatform:
    """Return the platform with one object in a bucket of nobody's."""
    client = _client(own, read_document(own.layout, S3_ADMIN))
    client.create_bucket(Bucket="side-door")
    client.put_object(Bucket="side-door", Key="object", Body=SECRET)
    return own


def _knock(port: int, method: str, path: str) -> tuple[int, bytes]:
    http = urllib3.PoolManager(retries=False, timeout=5)
    try:
        answer = http.request(method, f"http://127.0.0.1:{port}{path}", body=b"x")
    except urllib3.exceptions.HTTPError:
        return 0, b""
    return answer.status, answer.data


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("door", ["weed_filer", "weed_volume", "weed_master", "weed_admin"])
def test_http_of_the_other_servers_gives_and_takes_nothing(
    stored: OwnPlatform, door: str, method: str
) -> None:
    port = getattr(stored.file, door)
    for path in (
        "/buckets/side-door/object",
        "/buckets/side-door/",
        "/buckets/?recursive=true",
        "/1,01",
        "/admin/assign_volume?volume=99",
        "/vol/vacuum",
        "/dir/assign",
    ):
        status, body = _knock(port, method, path)
        assert not 200 <= status < 300, (door, method, path, status)
        assert SECRET not in body
    client = _client(stored, read_document(stored.layout, S3_ADMIN))
    assert client.get_object(Bucket="side-door", Key="object")["Body"].read() == SECRET


@pytest.mark.parametrize(
    "door", ["s3_grpc", "weed_filer_grpc", "weed_master_grpc", "weed_volume_grpc"]
)
def test_grpc_wants_a_certificate_of_the_platforms_own(stored: OwnPlatform, door: str) -> None:
    port = getattr(stored.file, door)
    with socket.create_connection(("127.0.0.1", port), timeout=5) as plain:
        plain.settimeout(5)
        plain.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00")
        try:
            answer = plain.recv(64)
        except OSError:
            answer = b""
    # 0x15 begins a TLS alert; a server that speaks plain gRPC would answer with its settings.
    assert answer[:1] in {b"", b"\x15"}
    anyone = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    with pytest.raises(OSError, match=r"(?i)certificate|closed|reset"):
        _greet(port, anyone)


def _greet(port: int, context: ssl.SSLContext) -> None:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=5) as raw,
        context.wrap_socket(raw) as tls,
    ):
        tls.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        if not tls.recv(1):  # with TLS 1.3 the refusal arrives with the first answer
            raise ConnectionError("closed")


def _shell(own: OwnPlatform, environment: dict[str, str], command: str, folder: Path) -> str:
    file = own.file
    try:
        done = subprocess.run(
            [
                WEED,
                "shell",
                f"-master=127.0.0.1:{file.weed_master}.{file.weed_master_grpc}",
                f"-filer=127.0.0.1:{file.weed_filer}.{file.weed_filer_grpc}",
            ],
            input=f"{command}\nexit\n".encode(),
            env={"PATH": os.environ["PATH"], "HOME": str(folder), **environment},
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=60 if environment else 8,
            check=False,
        )
    except subprocess.TimeoutExpired as late:  # without a certificate it tries for ever
        return (late.stdout or b"").decode()
    return done.stdout.decode()


def test_the_shell_works_for_the_platform_and_nobody_else(
    stored: OwnPlatform, tmp_path: Path
) -> None:
    listing = "fs.ls /buckets"
    assert "side-door" in _shell(stored, door_keys(stored.layout), listing, tmp_path)
    assert "side-door" not in _shell(stored, {}, listing, tmp_path)


def test_the_services_keys_open_their_own_bucket_only(stored: OwnPlatform) -> None:
    mlflow = _client(stored, read_document(stored.layout, S3_MLFLOW))
    mlflow.put_object(Bucket="mlflow", Key="test/own", Body=b"x")
    mlflow.delete_object(Bucket="mlflow", Key="test/own")
    for call, arguments in (
        (mlflow.get_object, {"Key": "object"}),
        (mlflow.put_object, {"Key": "object", "Body": b"x"}),
        (mlflow.delete_object, {"Key": "object"}),
        (mlflow.list_objects_v2, {}),
    ):
        with pytest.raises(mlflow.exceptions.ClientError, match="AccessDenied"):
            call(Bucket="side-door", **arguments)


def test_no_anonymous_request_is_answered(stored: OwnPlatform) -> None:
    for method, path in (("GET", "/"), ("GET", "/side-door/object"), ("PUT", "/side-door/new")):
        status, body = _knock(stored.file.s3, method, path)
        assert status == 403, (method, path, status)
        assert SECRET not in body


def test_the_keys_that_close_the_doors_are_in_one_process_only(stored: OwnPlatform) -> None:
    from autonoe.embedded import process_table

    keys = [v.encode() for k, v in door_keys(stored.layout).items() if k.startswith("WEED_JWT")]
    holders = set()
    for pid in process_table.of_platform(stored.layout):
        environment = Path(f"/proc/{pid}/environ").read_bytes()
        if any(key in environment for key in keys):
            holders.add(pid)
    assert holders == set(stored.row("seaweedfs")["pids"])
