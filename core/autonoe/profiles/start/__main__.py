"""``python -m autonoe.profiles.start -- COMMAND …``: prepare, then become the command."""

from __future__ import annotations

import logging
import os
import signal
import sys

from autonoe.kubernetes import kubeconfig
from autonoe.profiles.start import prepare

log = logging.getLogger("autonoe.start")


def main(argv: list[str]) -> None:
    """Prepare what the environment asks for, then replace this process by the command."""
    command = argv[1:] if argv[:1] == ["--"] else argv
    if not command:
        sys.stderr.write("usage: python -m autonoe.profiles.start -- COMMAND [ARGUMENT]...\n")
        sys.exit(2)
    logging.basicConfig(level=logging.INFO, format="[autonoe] %(message)s", stream=sys.stderr)
    # A stop during the preparation must end what it started, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    env = dict(os.environ)
    try:
        kubeconfig.write(env)
        env = prepare(env)
    except Exception:
        # An edge: whatever went wrong, the person gets their server, and the log the reason.
        log.exception("The preparation failed; the server starts without it")
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.stderr.flush()
    try:
        os.execvpe(command[0], command, env)  # noqa: S606  the pod's own command, no shell
    except OSError as error:
        sys.stderr.write(f"{command[0]} cannot be started: {error.strerror}\n")
        sys.exit(127)


if __name__ == "__main__":
    main(sys.argv[1:])
