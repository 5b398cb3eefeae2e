"""Running a line of Python in a kernel of somebody's server, as a browser does."""

from __future__ import annotations

import asyncio
import json
import uuid
from typing import Any

import requests
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect


def start_kernel(session: requests.Session, server: str, token: str) -> str:
    """Start a kernel and return its identifier."""
    answer = session.post(
        f"{server}api/kernels", json={}, headers={"X-XSRFToken": token}, timeout=60
    )
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def evaluate(session: requests.Session, server: str, kernel: str, code: str) -> str:
    """Run ``code`` and return what it prints; fail after a minute."""
    return asyncio.run(asyncio.wait_for(_evaluate(session, server, kernel, code), 60))


async def _evaluate(session: requests.Session, server: str, kernel: str, code: str) -> str:
    address = f"{server}api/kernels/{kernel}/channels".replace("http://", "ws://")
    prepared = session.prepare_request(requests.Request("GET", f"{server}api/kernels"))
    origin = server.split("/user/")[0]
    headers = {"Cookie": prepared.headers["Cookie"], "Origin": origin}
    socket = await websocket_connect(HTTPRequest(address, headers=headers))
    message = _execute_request(code)
    await socket.write_message(json.dumps(message))
    printed = ""
    while True:
        reply = json.loads(await socket.read_message() or "{}")
        if reply.get("parent_header", {}).get("msg_id") != message["header"]["msg_id"]:
            continue
        if reply["msg_type"] == "stream":
            printed += reply["content"]["text"]
        elif reply["msg_type"] == "error":
            printed += reply["content"]["evalue"]
        elif reply["msg_type"] == "status" and reply["content"]["execution_state"] == "idle":
            socket.close()
            return printed


def _execute_request(code: str) -> dict[str, Any]:
    header = {
        "msg_id": uuid.uuid4().hex,
        "msg_type": "execute_request",
        "username": "",
        "session": uuid.uuid4().hex,
        "version": "5.3",
    }
    content = {
        "code": code,
        "silent": False,
        "store_history": False,
        "user_expressions": {},
        "allow_stdin": False,
    }
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
        "buffers": [],
    }
