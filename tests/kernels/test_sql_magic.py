"""``%%sql`` in a real kernel: lazy, and on the kernel's own DuckDB."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from jupyter_client.blocking.client import BlockingKernelClient
from jupyter_client.manager import start_new_kernel

from autonoe.embedded.jupyter_paths import jupyter_paths

TIMEOUT_S = 120


class Kernel:
    """Runs cells and returns what they print, or raises with their error."""

    def __init__(self, client: BlockingKernelClient) -> None:
        self.client = client

    def run(self, code: str) -> str:
        said: list[str] = []

        def hear(message: dict) -> None:
            content = message["content"]
            if message["msg_type"] == "stream":
                said.append(content["text"])
            elif message["msg_type"] in {"execute_result", "display_data"}:
                said.append(content["data"].get("text/plain", ""))

        reply = self.client.execute_interactive(
            code, timeout=TIMEOUT_S, output_hook=hear, allow_stdin=False
        )["content"]
        if reply["status"] != "ok":
            raise RuntimeError(f"{reply.get('ename')}: {reply.get('evalue')}")
        return "".join(said)


@contextmanager
def started(home: Path) -> Iterator[Kernel]:
    """Start a kernel as a spawner's server would, with ``home`` as its home folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        for name, value in jupyter_paths({}).items():
            patch.setenv(name, value)
        manager, client = start_new_kernel(startup_timeout=60, kernel_name="autonoe-python")
    try:
        yield Kernel(client)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    with started(tmp_path_factory.mktemp("home")) as kernel:
        yield kernel


def test_nothing_of_jupysql_is_loaded_at_start(tmp_path: Path) -> None:
    with started(tmp_path) as fresh:
        heavy = "{'sql', 'duckdb', 'pandas', 'sqlalchemy', 'matplotlib'}"
        assert fresh.run(f"import sys; print(sorted({heavy} & set(sys.modules)))").strip() == "[]"
        assert "sql" in fresh.run("print(*get_ipython().magics_manager.magics['cell'])").split()


def test_a_cell_queries_a_data_frame_by_its_name(kernel: Kernel) -> None:
    kernel.run("import pandas as pd; firms = pd.DataFrame({'staff': [3, 4]})")
    assert "7" in kernel.run("%%sql\nselect sum(staff) as total from firms")


def test_the_line_magic_returns_a_result(kernel: Kernel) -> None:
    assert kernel.run("x = %sql select 41 + 1 as answer\nprint(x.DataFrame().answer[0])") == "42\n"


def test_the_first_use_says_nothing_but_the_result(kernel: Kernel) -> None:
    assert "Tip" not in kernel.run("%%sql\nselect 1 as one")


def test_sql_cells_and_duckdb_share_one_database(kernel: Kernel) -> None:
    kernel.run("%%sql\ncreate or replace table shared as select 5 as five")
    assert kernel.run("import duckdb; print(duckdb.sql('from shared').fetchone()[0])") == "5\n"


def test_an_older_result_is_whole_after_a_newer_query(kernel: Kernel) -> None:
    kernel.run("%%sql old <<\nselect range as n from range(5000)")
    kernel.run("%%sql\nselect 'newer' as word")
    assert kernel.run("print(len(old), old.DataFrame().n.sum())").strip() == "5000 12497500"


def test_a_wrong_query_is_said_in_words(kernel: Kernel) -> None:
    with pytest.raises(RuntimeError, match="nonsense"):
        kernel.run("%%sql\nselect nonsense from range(3)")
