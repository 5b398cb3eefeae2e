"""Runs a file in a kernel of this pod's Jupyter server: ``python in_notebook.py FILE ARGUMENT``.

Prints what the kernel prints.
"""

import asyncio
import json
import sys
import urllib.request
import uuid
from pathlib import Path

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

SERVER = "http://127.0.0.1:8888"


def start_kernel() -> str:
    """Start a kernel as Lab does, and return its identifier."""
    request = urllib.request.Request(f"{SERVER}/api/kernels", data=b"{}", method="POST")
    with urllib.request.urlopen(request, timeout=200) as answer:
        return str(json.load(answer)["id"])


async def run(kernel: str, code: str) -> str:
    """Run ``code`` to its end and return what it printed."""
    url = f"{SERVER}/api/kernels/{kernel}/channels".replace("http", "ws")
    # The server answers when the kernel does, which takes its time on a busy machine.
    patient = HTTPRequest(url, connect_timeout=200, request_timeout=200)
    socket = await websocket_connect(patient)
    identifier = uuid.uuid4().hex
    header = {
        "msg_id": identifier, "msg_type": "execute_request", "username": "",
        "session": uuid.uuid4().hex, "version": "5.3",
    }  # fmt: skip
    content = {
        "code": code, "silent": False, "store_history": False, "user_expressions": {},
        "allow_stdin": False,
    }  # fmt: skip
    message = {
        "header": header, "parent_header": {}, "metadata": {}, "content": content,
        "channel": "shell", "buffers": [],
    }  # fmt: skip
    await socket.write_message(json.dumps(message))
    printed = ""
    while True:
        received = await socket.read_message()
        if received is None:
            raise SystemExit("The server closed the connection to the kernel.")
        reply = json.loads(received)
        if reply.get("parent_header", {}).get("msg_id") != identifier:
            continue
        if reply["msg_type"] == "stream":
            printed += reply["content"]["text"]
        elif reply["msg_type"] == "error":
            raise SystemExit("\n".join(reply["content"]["traceback"]))
        elif reply["msg_type"] == "status" and reply["content"]["execution_state"] == "idle":
            return printed


if __name__ == "__main__":
    file, argument = sys.argv[1:]
    source = f"import sys; sys.argv = ['x', {argument!r}]\n{Path(file).read_text()}"
    sys.stdout.write(asyncio.run(run(start_kernel(), source)))
