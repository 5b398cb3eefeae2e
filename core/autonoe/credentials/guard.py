"""Who may talk to the agent, and with which paths: everything that is checked before any work."""

from __future__ import annotations

import hmac
from email.message import Message
from urllib.parse import unquote

from autonoe.errors import ForbiddenError, InvalidInputError


def check_caller(headers: Message, *, host: str, token: str) -> None:
    """Check that a request comes from a client of this machine that holds the agent's pass.

    Parameters
    ----------
    headers : Message
        Headers of the request.
    host : str
        The only ``Host`` that is right, ``127.0.0.1:PORT``. Any other is a name that somebody
        pointed at loopback (DNS rebinding).
    token : str
        The agent's pass.

    Raises
    ------
    ForbiddenError
        Says nothing about which secret would have been right.
    """
    if headers.get_all("Host") != [host]:
        raise ForbiddenError(
            "This address answers under its own name only.", hint=f"Use http://{host}/."
        )
    if "Origin" in headers or "Sec-Fetch-Site" in headers:
        raise ForbiddenError(
            "Browsers have no access here.", hint="Use the panel or the pages of your server."
        )
    offered = headers.get("X-Vault-Token") or _bearer(headers.get("Authorization") or "")
    if not hmac.compare_digest(offered.encode("utf-8", "replace"), token.encode()):
        raise ForbiddenError(
            "The pass is missing or wrong.",
            hint="Use a kernel or a terminal of the running server: they have it set.",
        )


def _bearer(value: str) -> str:
    """Return the pass in ``Authorization``: AWS clients send it bare, MLflow behind ``Bearer``."""
    scheme, _, rest = value.partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else value


def body_length(headers: Message) -> int | None:
    """Return the length of the body in bytes; None when it is sent in chunks.

    Raises
    ------
    InvalidInputError
        If the headers contradict each other: two servers could then see two different requests.
    """
    lengths, coding = headers.get_all("Content-Length", []), headers.get("Transfer-Encoding")
    if coding is not None:
        if lengths or coding.strip().lower() != "chunked":
            raise InvalidInputError("The length of the body is given twice or in no known way.")
        return None
    if not lengths:
        return 0
    if len(lengths) > 1 or not lengths[0].isascii() or not lengths[0].isdigit():
        raise InvalidInputError("Content-Length must be one number.")
    return int(lengths[0])


def safe_path(target: str, prefix: str) -> str:
    """Return ``target`` without ``prefix``, as it is to be sent on: still quoted, with its query.

    Raises
    ------
    InvalidInputError
        If it could mean something else to the next server: ``..``, empty segments in front,
        backslashes or control characters, however they are quoted.
    """
    rest = target.removeprefix(prefix)
    path = rest.partition("?")[0]
    for _ in range(3):
        segments = path.replace("\\", "/").split("/")
        if ".." in segments or "." in segments or path.startswith("//") or "\\" in path:
            raise InvalidInputError("The path is not plain.", hint="Write it without dots.")
        if any(ord(character) < 0x20 or ord(character) == 0x7F for character in path):
            raise InvalidInputError("The path holds control characters.")
        path = unquote(path)
    return rest
