"""The agent's HTTP face on loopback: keys for AWS clients, and the ways to OpenBao and MLflow."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import urllib3

from autonoe.credentials import forward, guard
from autonoe.credentials.chain import IdentityChain
from autonoe.credentials.keeper import SessionKeeper
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import AutonoeError, ForbiddenError, UnavailableError

log = logging.getLogger(__name__)

MAX_SECRET_BODY = 1024 * 1024
"""Bytes; OpenBao's own limit of a KV value is of that order."""
_REPLAYABLE_BODY = 256 * 1024
_FIRST_SESSION_WAIT_S = 3.0
_IDLE_S = 75
_STATUS = {
    "s3_off": HTTPStatus.FORBIDDEN,
    "invalid_input": HTTPStatus.BAD_REQUEST,
    "forbidden": HTTPStatus.FORBIDDEN,
    "not_found": HTTPStatus.NOT_FOUND,
    "too_large": HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "method_not_allowed": HTTPStatus.METHOD_NOT_ALLOWED,
    "unavailable": HTTPStatus.SERVICE_UNAVAILABLE,
}


@dataclass(frozen=True)
class Backend:
    """What the routes need; one per agent."""

    settings: AgentSettings
    chain: IdentityChain
    keeper: SessionKeeper
    token: str
    status: Callable[[], dict[str, Any]]
    secrets_pool: urllib3.PoolManager
    mlflow_pool: urllib3.PoolManager


class AgentServer(ThreadingHTTPServer):
    """Listens on loopback, on the port that the settings say or on a free one."""

    daemon_threads = True
    # Ten kernels that start together open some connections each.
    request_queue_size = 128

    def __init__(self, backend: Backend) -> None:
        self.backend = backend
        super().__init__(("127.0.0.1", backend.settings.agent_port), AgentHandler)
        self.host = f"127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Log a connection's failure in one line, without what was sent."""
        log.info("a connection to the credential agent was cut", exc_info=log.isEnabledFor(10))


class AgentHandler(BaseHTTPRequestHandler):
    """One connection. Requests are never logged: their headers hold the pass."""

    server: AgentServer
    protocol_version = "HTTP/1.1"
    server_version = "autonoe-agent"
    sys_version = ""
    timeout = _IDLE_S
    # Headers and body in two small packets would wait 40 ms for the other side's acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = 64 * 1024

    def log_message(self, format: str, *args: Any) -> None:
        """Log nothing: http.server would write to stderr."""

    def finish(self) -> None:
        """Let a caller that is still sending read its answer."""
        super().finish()
        forward.linger(self.connection)

    def handle_expect_100(self) -> bool:
        """Tell the caller to go on at once, and not when the buffer is full."""
        go_on = super().handle_expect_100()
        self.wfile.flush()
        return go_on

    def _serve(self) -> None:
        self._body_left = True
        try:
            guard.check_caller(self.headers, host=self.server.host, token=self.server.backend.token)
            self._length = guard.body_length(self.headers)
            self._route()
        except AutonoeError as error:
            self._answer_error(error)
        except (ConnectionError, TimeoutError):
            self.close_connection = True
        except Exception:  # the edge: whatever it is, the caller gets an answer
            log.exception("the credential agent failed")
            self._answer_error(AutonoeError("The credential agent failed: see the server's log."))

    # http.server's names; LIST is a method of OpenBao.
    do_GET = do_HEAD = do_LIST = do_OPTIONS = _serve  # noqa: N815
    do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815

    def _route(self) -> None:
        path = self.path.partition("?")[0]
        if path in ("/credentials", "/status"):
            if self.command != "GET":
                raise AutonoeError(f"{path} can only be read.", code="method_not_allowed")
            self._answer(200, self._credentials() if path == "/credentials" else self._status())
        elif path.startswith("/v1/"):
            self._secrets()
        elif path == "/mlflow" or path.startswith("/mlflow/"):
            self._mlflow()
        else:
            raise AutonoeError("There is nothing at this path.", code="not_found")

    # -- routes -----------------------------------------------------------------------------

    def _status(self) -> dict[str, Any]:
        return self.server.backend.status()

    def _credentials(self) -> dict[str, Any]:
        if not self.server.backend.settings.s3_keys:
            raise ForbiddenError(
                "Keys for the object store are off in this server.",
                hint="Start the server with them: they are an option of its profile.",
                code="s3_off",
            )
        session = self.server.backend.keeper.session(wait_s=_FIRST_SESSION_WAIT_S)
        return {
            "AccessKeyId": session.access_key,
            "SecretAccessKey": session.secret_key,
            "Token": session.token,
            # The one form that every SDK parses: whole seconds, Z.
            "Expiration": session.expires.strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    def _secrets(self) -> None:
        """Send the request to OpenBao with the account's token in place of the agent's pass."""
        backend = self.server.backend
        target = guard.safe_path(self.path, "")
        body = self._small_body(MAX_SECRET_BODY)
        for attempt in (1, 2):
            token = backend.chain.token()
            answer = forward.send(
                backend.secrets_pool,
                self.command,
                f"{backend.settings.openbao_url}{target}",
                headers={**forward.vault_headers(self), "X-Vault-Token": token},
                body=body or None,
                who="OpenBao",
            )
            content = answer.read()
            if answer.status != 403 or attempt == 2 or backend.chain.is_alive(token):
                break
            backend.chain.forget_token(token)
        # A token that is asked about itself answers with itself: no kernel needs to see it.
        content = content.replace(token.encode(), backend.token.encode())
        self._answer_bytes(
            answer.status, content, answer.headers.get("Content-Type", "application/json")
        )

    def _mlflow(self) -> None:
        """Send the request to MLflow in the account's name; bodies of any size stream through."""
        backend = self.server.backend
        if not backend.settings.mlflow_url:
            raise AutonoeError("This platform has no MLflow.", code="not_found")
        target = guard.safe_path(self.path, "/mlflow") or "/"
        small = self._length is not None and self._length <= _REPLAYABLE_BODY
        body = self._small_body(_REPLAYABLE_BODY) if small else self._stream()
        for attempt in (1, 2):
            headers = forward.onward_headers(self.headers.items())
            if self._length is not None and (self._length or self.command in ("POST", "PUT")):
                headers["Content-Length"] = str(self._length)
            login = ":".join(backend.chain.mlflow_login(refresh=attempt == 2))
            answer = forward.send(
                backend.mlflow_pool,
                self.command,
                f"{backend.settings.mlflow_url}{target}",
                headers={**headers, **urllib3.make_headers(basic_auth=login)},
                body=body or None,
                who="MLflow",
            )
            if answer.status != 401 or attempt == 2 or not small:
                break
            answer.drain_conn()
            answer.release_conn()
        if answer.status == 401:
            answer.release_conn()
            backend.chain.mlflow_login(refresh=True)
            raise UnavailableError(
                "MLflow did not accept the account's password.", hint="Try again once."
            )
        forward.relay(self, answer)

    # -- bodies and answers -----------------------------------------------------------------

    def _stream(self) -> Any:
        yield from forward.read_body(self, self._length)
        self._body_left = False

    def _small_body(self, limit: int) -> bytes:
        pieces, size = [], 0
        if self._length is not None and self._length > limit:
            raise AutonoeError(f"The body is over {limit} bytes.", code="too_large")
        for piece in forward.read_body(self, self._length):
            size += len(piece)
            if size > limit:
                raise AutonoeError(f"The body is over {limit} bytes.", code="too_large")
            pieces.append(piece)
        self._body_left = False
        return b"".join(pieces)

    def _answer_error(self, error: AutonoeError) -> None:
        document = error.as_dict()
        # The forms that the clients of each route show to people.
        if self.path.startswith("/v1/"):
            document["errors"] = [error.message]
        elif self.path.startswith("/mlflow"):
            document |= {"error_code": error.code.upper(), "message": error.message}
        else:
            document |= {"code": error.code, "message": error.message}
        # A body that nobody read would be taken for the next request.
        self.close_connection = True
        status = _STATUS.get(error.code, HTTPStatus.BAD_GATEWAY)
        self._answer(int(status), document)

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        self._answer_bytes(status, json.dumps(document).encode(), "application/json")

    def _answer_bytes(self, status: int, content: bytes, content_type: str) -> None:
        if self._body_left and self.headers.get("Content-Length", "0") != "0":
            self.close_connection = True
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)
