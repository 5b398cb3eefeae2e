"""What a search shows of its progress: a bar on a terminal, lines and nothing else elsewhere."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from pathlib import Path

from nace.search_material import OPTIONS, write_table

_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_BAR = re.compile(r"searching +[━╸╺ ]+ +(\d+) %")


def command(folder: Path) -> list[str]:
    """Return the search of two candidates in three folds, one fold after the other."""
    table = write_table(folder)
    return [
        *(sys.executable, "-m", "autonoe", "nace", "search", "grid", "--data", str(table)),
        *("--nomenclature", "nace-rev2", "--fold-column", "fold", "--vary", "lr=0.3,0.6"),
        *("--workers", "1", *OPTIONS, "--output", str(folder / "search")),
    ]


def on_a_terminal(arguments: list[str]) -> tuple[int, str]:
    """Run a command whose stderr is a terminal of 100 columns; return its code and what it drew."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 100, 0, 0))
    forced = {"NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES"}
    inherited = {name: value for name, value in os.environ.items() if name not in forced}
    process = subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=slave,
        env={**inherited, "TERM": "xterm-256color"},
    )
    os.close(slave)
    drawn = b""
    with os.fdopen(master, "rb", buffering=0) as terminal:
        try:
            while part := terminal.read(65_536):
                drawn += part
        except OSError:
            pass  # Linux says so when the last process has closed the other end
    return process.wait(60), drawn.decode()


def test_on_a_terminal_a_bar_grows_to_its_end(tmp_path: Path) -> None:
    code, drawn = on_a_terminal(command(tmp_path))
    assert code == 0
    shares = [int(share) for share in _BAR.findall(_ESCAPES.sub("", drawn))]
    assert shares == sorted(shares), "a bar never goes back"
    assert (shares[0], shares[-1]) == (0, 100)
    assert set(shares) <= {0, 17, 33, 50, 67, 83, 100}, "a sixth for each of six folds"
    assert len(set(shares)) > 2, "it moves before the end"
    assert "searching ..." not in drawn


def test_elsewhere_each_stage_is_a_line(tmp_path: Path) -> None:
    done = subprocess.run(command(tmp_path), capture_output=True, timeout=300, check=True)
    said = done.stderr.decode()
    assert not set("\x1b\r\b━%") & set(said), "no drawing in a log"
    lines = said.splitlines()
    assert [line for line in lines if line.endswith("...")] == ["reading ...", "searching ..."]
