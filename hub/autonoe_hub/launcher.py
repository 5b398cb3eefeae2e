"""``python -m autonoe_hub.launcher hub|singleuser|culler|proxy-config``: one door for all.

Importing ``rfc3987_syntax`` compiles a grammar, two CPU-seconds in every hub and in every person's
server. jsonschema takes its absence in its stride (only the IRI and URI *format* checks are lost),
so it is made absent here, before anything else is imported.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1


def _block_slow_import() -> None:
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]  # the import system's own mark for "absent"


def _hub() -> None:
    from jupyterhub.app import main

    main()


def _singleuser() -> None:
    _prepare()
    from jupyterhub.singleuser import main

    main()


def _prepare() -> None:
    """Prepare what the profile asks for, before Jupyter reads its environment."""
    from autonoe.profiles.start import prepare

    logging.basicConfig(level=logging.INFO, format="[autonoe] %(message)s")
    # A stop in the middle must end what was started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        os.environ.update(prepare(os.environ))
    except Exception:
        # An edge: whatever went wrong, the person gets their server, and the log the reason.
        logging.getLogger("autonoe.start").exception("The preparation failed; starting anyway")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    logging.getLogger().handlers.clear()  # Jupyter sets up its own


def _culler() -> None:
    # A hub killed with -9 cannot stop its services; without this its next life would start a second
    # culler.
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() == 1:
        return
    from jupyterhub_idle_culler import main

    main()


def _proxy_config() -> None:
    from autonoe.embedded.layout import Layout, default_data_dir
    from autonoe_hub.proxy_config import write

    write(Layout(default_data_dir()))


_MODES: dict[str, Callable[[], None]] = {
    "hub": _hub,
    "singleuser": _singleuser,
    "culler": _culler,
    "proxy-config": _proxy_config,
}


def main() -> None:
    """Run the process named by the first argument with the arguments that follow it."""
    mode = sys.argv.pop(1) if len(sys.argv) > 1 else ""
    run = _MODES.get(mode)
    if run is None:
        sys.stderr.write(f"usage: python -m autonoe_hub.launcher {'|'.join(_MODES)} ...\n")
        sys.exit(2)
    _block_slow_import()
    run()


if __name__ == "__main__":
    main()
