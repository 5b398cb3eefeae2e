"""The process that trains: ``python -m autonoe_nace.fasttext_process INPUT OUTPUT ARGUMENTS_JSON``.

fastText holds the interpreter from start to end. In a process of its own it can be interrupted and
watched, and takes nobody along when memory runs out. The module stands apart from the package of
training so that it starts without the rest of it.
"""

from __future__ import annotations

import ctypes
import json
import signal
import sys

import fasttext

NOT_FINITE = 3
"""Exit code when the training diverged."""

_PR_SET_PDEATHSIG = 1


def main(source: str, target: str, arguments: str) -> int:
    """Train on ``source`` and write the model to ``target``."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    try:
        model = fasttext.train_supervised(source, verbose=0, **json.loads(arguments))
    except RuntimeError as error:
        sys.stderr.write(f"\n{error}\n")
        return NOT_FINITE if "nan" in str(error).lower() else 1
    model.save_model(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
