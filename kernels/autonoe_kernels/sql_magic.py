"""``%%sql`` on DuckDB by JupySQL, loaded at its first use.

JupySQL imports pandas, SQLAlchemy and matplotlib: over three CPU seconds that a kernel which never
runs SQL must not pay (ADR 0042). A placeholder stands in for the magic until then.
"""

from __future__ import annotations

import os
from typing import Any

_ALIAS = "duckdb"


def register(shell: Any) -> None:
    """Register the placeholders of ``%sql`` and ``%%sql`` in the IPython ``shell``."""

    def sql(line: str, cell: str | None = None) -> Any:
        """Run SQL on DuckDB: files, ``s3://`` objects and DataFrames by their variable's name.

        The rest of the line and the options are JupySQL's: ``%%sql result <<`` keeps the result,
        ``%sql --help`` lists all.
        """
        load(shell)
        # Through `run_cell`'s own frame the magic would find the cell's variables as usual; one
        # more frame, this one, changes nothing since JupySQL has DuckDB look through all of them.
        if cell is None:
            return shell.run_line_magic("sql", line)
        return shell.run_cell_magic("sql", line, cell)

    shell.register_magic_function(sql, magic_kind="line_cell", magic_name="sql")


def load(shell: Any) -> None:
    """Replace the placeholders by JupySQL's magics, connected to this process's DuckDB.

    The connection is ``duckdb``'s default one, so that a table made in ``%%sql`` is there for
    ``duckdb.sql()`` and the other way round. It finds the person's S3 credentials by the
    persistent secret in the home folder; nothing is set here.
    """
    # Its helper library can send usage statistics; a statistical office's kernel sends none.
    os.environ.setdefault("PLOOMBER_STATS_ENABLED", "false")
    os.environ.setdefault("PLOOMBER_VERSION_CHECK_DISABLED", "true")
    import duckdb
    from IPython.utils.capture import capture_output
    from sql.connection import ConnectionManager

    with capture_output():  # a tip about configuration files, on every load
        shell.extension_manager.load_extension("sql")
    magic = shell.find_cell_magic("jupysql").__self__
    magic.displaycon = False
    magic.feedback = 0
    if not ConnectionManager.connections:
        ConnectionManager.set(
            duckdb.default_connection(), displaycon=False, alias=_ALIAS, config=magic
        )
