"""Raw requests to an agent."""

from __future__ import annotations

import http.client
import json
import socket
from typing import Any

from autonoe.credentials.agent import CredentialAgent


class Caller:
    """Sends raw requests to an agent."""

    def __init__(self, agent: CredentialAgent) -> None:
        self.agent = agent
        self.host = agent.url.removeprefix("http://")
        self.token = agent.token_file.read_text()

    def __call__(
        self,
        method: str,
        path: str,
        headers: dict[str, str] | None = None,
        body: bytes | None = None,
    ) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPConnection(self.host, timeout=20)
        sent = {"Authorization": self.token, **(headers or {})}
        sent = {name: value for name, value in sent.items() if value}
        try:
            connection.request(method, path, body=body, headers=sent)
            answer = connection.getresponse()
            content = answer.read()
            is_json = "json" in (answer.getheader("Content-Type") or "")
            return answer.status, json.loads(content) if content and is_json else {}
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """Send ``data`` as it is, and return all that comes back until the agent closes."""
        host, port = self.host.split(":")
        with socket.create_connection((host, int(port)), timeout=20) as connection:
            connection.sendall(data)
            connection.shutdown(socket.SHUT_WR)
            pieces = iter(lambda: connection.recv(65536), b"")
            return b"".join(pieces)
