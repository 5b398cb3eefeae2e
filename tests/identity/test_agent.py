"""The agent: who may ask it, what it gives, and what it keeps to itself."""

from __future__ import annotations

import http.client
import json
import logging
import socket
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from autonoe.credentials.agent import CredentialAgent
from autonoe.embedded import generated
from autonoe.embedded.layout import Layout
from autonoe.errors import ForbiddenError
from autonoe.identity.client import OpenBaoClient
from identity.caller import Caller
from identity.people import Person


@pytest.fixture
def call(person: Callable[..., Person], agent_of: Callable[..., CredentialAgent]) -> Caller:
    return Caller(agent_of(person()))


ROUTES = ["/credentials", "/status", "/v1/auth/token/lookup-self", "/mlflow/health"]


@pytest.mark.parametrize("path", ROUTES)
def test_without_the_pass_every_route_is_closed(call: Caller, path: str) -> None:
    right = call.token
    wrong = ["", "x", right[:-1], right + "x", f"Basic {right}", f"bearer{right}", right.lower()]
    for value in wrong:
        status, document = call("GET", path, {"Authorization": value})
        assert status == 403, value
        assert document["error"]["code"] == "forbidden"
        assert right not in json.dumps(document)
    assert call("GET", path, {"Authorization": "", "X-Vault-Token": "x"})[0] == 403


@pytest.mark.parametrize("path", ROUTES)
def test_only_its_own_name_is_answered(call: Caller, path: str) -> None:
    port = call.host.partition(":")[2]
    for host in (
        "evil.example",
        f"evil.example:{port}",
        f"localhost:{port}",
        "127.0.0.1",
        f"127.0.0.1:{port}.evil.example",
        f"127.0.0.1:{int(port) - 1}",
        f"[::1]:{port}",
        f"127.1:{port}",
    ):
        assert call("GET", path, {"Host": host})[0] == 403, host
    missing = call.raw(
        f"GET {path} HTTP/1.1\r\nAuthorization: {call.token}\r\nConnection: close\r\n\r\n".encode()
    )
    twice = call.raw(
        f"GET {path} HTTP/1.1\r\nHost: {call.host}\r\nHost: evil\r\n"
        f"Authorization: {call.token}\r\nConnection: close\r\n\r\n".encode()
    )
    assert missing.split(b" ")[1] == twice.split(b" ")[1] == b"403"


@pytest.mark.parametrize("path", ROUTES)
def test_browsers_are_refused(call: Caller, path: str) -> None:
    for headers in (
        {"Origin": "https://evil.example"},
        {"Origin": call.agent.url},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ):
        assert call("GET", path, headers)[0] == 403, headers
    # Before a request that needs permission, a browser asks without the pass.
    preflight = {"Authorization": "", "Origin": "https://evil.example"}
    assert call("OPTIONS", path, preflight)[0] == 403


def test_it_listens_on_loopback_only(call: Caller) -> None:
    port = int(call.host.partition(":")[2])
    listening = [c for c in psutil.Process().net_connections("tcp") if c.status == "LISTEN"]
    assert {c.laddr.ip for c in listening if c.laddr.port == port} == {"127.0.0.1"}


def test_the_credentials_are_what_aws_clients_parse(call: Caller) -> None:
    for form in (call.token, f"Bearer {call.token}", f"bearer {call.token}"):
        status, document = call("GET", "/credentials", {"Authorization": form})
        assert status == 200
        assert set(document) == {"AccessKeyId", "SecretAccessKey", "Token", "Expiration"}
        assert document["Expiration"].endswith("Z")
        assert len(document["Expiration"]) == len("2026-01-01T00:00:00Z")


def test_an_answer_does_not_wait_for_an_acknowledgement(call: Caller) -> None:
    """On a kept connection, headers and body in two packets took 44 ms each time."""
    connection = http.client.HTTPConnection(call.host, timeout=20)
    times = []
    for _ in range(25):
        began = time.perf_counter()
        connection.request("GET", "/credentials", headers={"Authorization": call.token})
        connection.getresponse().read()
        times.append(time.perf_counter() - began)
    connection.close()
    assert statistics.median(times) < 0.03


def test_the_status_holds_no_secret(call: Caller) -> None:
    _, keys = call("GET", "/credentials")
    status, document = call("GET", "/status")
    text = json.dumps(document)
    assert status == 200
    assert document["s3"]["ready"] is True
    for secret in (keys["AccessKeyId"], keys["SecretAccessKey"], keys["Token"], call.token):
        assert secret not in text
    assert call.agent._chain.token() not in text


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "LIST"])
@pytest.mark.parametrize("path", ["/credentials", "/status"])
def test_what_can_only_be_read_refuses_the_rest(call: Caller, method: str, path: str) -> None:
    assert call(method, path)[0] == 405


@pytest.mark.parametrize(
    "path",
    ["/", "/credentials/", "/credentials/../status", "/v2/x", "/v1", "/mlflowx"],
)
def test_other_paths_do_not_exist(call: Caller, path: str) -> None:
    status, document = call("GET", path)
    assert status == 404
    assert document["error"]["code"] == "not_found"


@pytest.mark.parametrize("prefix", ["/v1", "/mlflow"])
@pytest.mark.parametrize(
    "path",
    ["/../status", "/a/../../x", "/%2e%2e/x", "/a/%2E%2e%2Fx", "/a/..%2fx", "/%252e%252e/x",
     "/a\\..\\x", "/a%5c..%5cx", "/a/./x", "/a%00b", "/a%0d%0aX:y"],
)  # fmt: skip
def test_paths_that_climb_are_refused(
    person: Callable[..., Person], agent_of: Callable[..., CredentialAgent], prefix: str, path: str
) -> None:
    call = Caller(agent_of(person(), ready=False, mlflow_url="http://127.0.0.1:9"))
    assert call("GET", prefix + path)[0] == 400


def test_contradictory_lengths_are_refused(call: Caller) -> None:
    head = f"POST /v1/sys/capabilities-self HTTP/1.1\r\nHost: {call.host}\r\n"
    head += f"Authorization: {call.token}\r\n"
    for lengths in (
        "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 2\r\nContent-Length: 3\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: +2\r\n",
        "Content-Length: 0x2\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: identity\r\n",
    ):
        answer = call.raw(f"{head}{lengths}\r\n{{}}".encode())
        assert answer.split(b" ")[1] == b"400", lengths
        assert answer.count(b"HTTP/1.1 ") == 1, lengths


def test_bad_chunks_are_refused(call: Caller) -> None:
    head = f"POST /v1/sys/capabilities-self HTTP/1.1\r\nHost: {call.host}\r\n"
    head += f"Authorization: {call.token}\r\nTransfer-Encoding: chunked\r\n\r\n"
    for body in ("zz\r\n{}\r\n", "-1\r\n", "5\r\n{}", "\r\n", "ffffffffffffffffff\r\n{}"):
        assert call.raw((head + body).encode()).split(b" ")[1] in (b"400", b"413"), body


def test_oversized_requests_are_refused_early(call: Caller) -> None:
    # More than the sockets' buffers hold: the caller is still sending when the answer comes.
    assert call("POST", "/v1/kv/data/users/x/y", body=b"x" * (6 * 1024 * 1024))[0] == 413
    head = f"GET /status HTTP/1.1\r\nHost: {call.host}\r\n"
    long_header = f"{head}X-Long: {'x' * 100_000}\r\n\r\n"
    many_headers = head + "".join(f"X-{n}: x\r\n" for n in range(500)) + "\r\n"
    assert call.raw(long_header.encode()).split(b" ")[1] == b"431"
    assert call.raw(many_headers.encode()).split(b" ")[1] == b"431"
    long_path = f"GET /{'x' * 100_000} HTTP/1.1\r\n\r\n"
    assert call.raw(long_path.encode()).split(b" ")[1] == b"414"
    assert call("GET", "/status")[0] == 200


def test_a_refused_body_is_not_taken_for_a_request(call: Caller) -> None:
    hidden = (
        f"GET /credentials HTTP/1.1\r\nHost: {call.host}\r\nAuthorization: {call.token}\r\n\r\n"
    )
    answer = call.raw(
        f"POST /status HTTP/1.1\r\nHost: {call.host}\r\nAuthorization: {call.token}\r\n"
        f"Content-Length: {len(hidden)}\r\n\r\n{hidden}".encode()
    )
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"SecretAccessKey" not in answer


def test_a_caller_that_asks_before_sending_is_told_to_go_on(call: Caller) -> None:
    host, port = call.host.split(":")
    head = f"POST /v1/sys/capabilities-self HTTP/1.1\r\nHost: {call.host}\r\n"
    head += f"Authorization: {call.token}\r\nContent-Length: 15\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(head.encode())
        assert b"100 Continue" in connection.recv(1024)
        connection.sendall(b'{"paths":["x"]}')
        assert b"HTTP/1.1 200" in connection.recv(65536)


def test_nothing_secret_is_logged(call: Caller, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    _, keys = call("GET", "/credentials")
    call("GET", "/credentials", {"Authorization": "wrong-canary"})
    call("GET", "/v1/kv/data/users/other/x?canary-query")
    for secret in (
        keys["SecretAccessKey"],
        keys["Token"],
        call.token,
        call.agent._chain.token(),
        "wrong-canary",
    ):
        assert secret not in caplog.text


def test_the_files_are_the_owners_alone(call: Caller) -> None:
    folder = call.agent.token_file.parent
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    call.agent.stop()
    assert not call.agent.token_file.exists()


def test_openbao_works_through_it_and_its_token_stays(call: Caller) -> None:
    slug = call.agent.settings.slug
    path = f"/v1/kv/data/users/{slug}/db"
    body = json.dumps({"data": {"p": "é"}}).encode()
    vault = {"Authorization": "", "X-Vault-Token": call.token}
    assert call("POST", path, vault, body)[0] == 200
    status, document = call("GET", path, vault)
    assert (status, document["data"]["data"]) == (200, {"p": "é"})
    assert call("LIST", f"/v1/kv/metadata/users/{slug}", vault)[1]["data"]["keys"] == ["db"]
    _, token = call("GET", "/v1/auth/token/lookup-self", vault)
    assert token["data"]["id"] == call.token
    status, document = call("GET", "/v1/kv/data/users/another/db", vault)
    assert status == 403
    assert document["errors"]


def test_the_pass_is_worthless_at_openbao(call: Caller) -> None:
    bao = OpenBaoClient(call.agent.settings.openbao_url, token=call.token)
    with pytest.raises(ForbiddenError):
        bao.call("GET", "auth/token/lookup-self")


def test_wrapping_and_namespaces_are_not_passed_on(call: Caller) -> None:
    headers = {"X-Vault-Wrap-TTL": "60", "X-Vault-Namespace": "other/"}
    status, document = call("GET", "/v1/auth/token/lookup-self", headers)
    assert status == 200
    assert document["wrap_info"] is None


def test_a_revoked_token_is_replaced_unseen(call: Caller) -> None:
    chain = call.agent._chain
    old = chain.token()
    _, token = call("GET", "/v1/auth/token/lookup-self")
    layout_root = Path(call.agent.settings.proof_file).parents[2]
    bao = OpenBaoClient(call.agent.settings.openbao_url)
    secret = generated.read(Layout(layout_root), generated.PLATFORM_SECRET_ID)
    bao.login_approle("platform", secret)
    bao.write("auth/token/revoke-accessor", {"accessor": token["data"]["accessor"]})
    assert call("GET", "/v1/auth/token/lookup-self")[0] == 200
    assert chain.token() != old


def test_mlflow_down_is_said_so(
    person: Callable[..., Person], agent_of: Callable[..., CredentialAgent]
) -> None:
    call = Caller(agent_of(person(), mlflow_url="http://127.0.0.1:9"))
    status, document = call("GET", "/mlflow/api/2.0/mlflow/experiments/search")
    assert status == 503
    assert document["error"]["code"] == "unavailable"
    without = Caller(agent_of(person()))
    assert without("GET", "/mlflow/")[0] == 404


def test_two_agents_know_nothing_of_each_other(
    person: Callable[..., Person], agent_of: Callable[..., CredentialAgent]
) -> None:
    one, two = Caller(agent_of(person("ana"))), Caller(agent_of(person("bob")))
    assert one("GET", "/credentials", {"Authorization": two.token})[0] == 403
    assert two("GET", "/credentials", {"Authorization": one.token})[0] == 403
    assert one("GET", "/credentials")[0] == two("GET", "/credentials")[0] == 200
