"""The child process of the check: ``python -m autonoe_nace.model.check FOLDER BYTES SECONDS``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from autonoe.errors import AutonoeError
from autonoe_nace.model.canary import check_cases, limit_this_process
from autonoe_nace.model.manifest import Manifest
from autonoe_nace.model.nace_model import NaceModel


def main(folder: str, memory_bytes: str, cpu_s: str) -> int:
    """Load the model, compare its canaries, write ``{}`` or the error to stdout."""
    limit_this_process(int(memory_bytes), int(cpu_s))
    try:
        path = Path(folder)
        check_cases(NaceModel(path, Manifest.read(path)))
    except AutonoeError as error:
        sys.stdout.write(json.dumps(error.as_dict()))
        return 1
    sys.stdout.write("{}")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
