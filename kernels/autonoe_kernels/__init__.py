"""Kernelspecs, start-up hooks and magics of the kernel "Python (Autonoe)".

This module is the kernel's IPython extension (``--ext=autonoe_kernels``), so whatever is imported
here is paid at every kernel start. It imports nothing.
"""

from __future__ import annotations

from typing import Any


def load_ipython_extension(shell: Any) -> None:
    """Register the lazy ``%sql`` and ``%%sql`` in ``shell``; JupySQL loads at their first use."""
    from autonoe_kernels.sql_magic import register

    register(shell)
