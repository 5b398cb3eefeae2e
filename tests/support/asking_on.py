"""A client in a process of its own: it sends one body over and over, and says what came back.

``python asking_on.py PORT FILE`` posts FILE to ``/v1/predict`` until it is terminated; each answer
is a line with its status. A thread of the tests would take the interpreter from whoever measures.
"""

from __future__ import annotations

import http.client
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def asking_on(port: int, body: Path) -> Iterator[list[int]]:
    """Ask on while the block runs; yield the statuses so far, which go on growing."""
    process = subprocess.Popen(
        [sys.executable, __file__, str(port), str(body)], stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    lines = process.stdout
    statuses: list[int] = []
    reader = threading.Thread(target=lambda: statuses.extend(map(int, lines)))
    reader.start()
    try:
        yield statuses
        assert process.poll() is None, "the client ended early"
    finally:
        process.kill()
        process.wait(timeout=10)
        reader.join(10)
        lines.close()


def _main(port: int, body: bytes) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    while True:
        connection.request("POST", "/v1/predict", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        sys.stdout.write(f"{answer.status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    _main(int(sys.argv[1]), Path(sys.argv[2]).read_bytes())
