"""``python -m autonoe_nace.registry URI CACHE`` fetches in a process of its own.

The server uses it, so that MLflow's memory, hangs and crashes stay out of the server.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path

from autonoe.errors import AutonoeError
from autonoe_nace.registry.fetching import fetch


def main(uri: str, cache: str) -> int:
    """Fetch, and write one JSON document to stdout: the folder and version, or the error."""
    try:
        folder, version = fetch(uri, Path(cache))
    except AutonoeError as error:
        sys.stdout.write(json.dumps(error.as_dict()))
        return 1
    sys.stdout.write(json.dumps({"folder": str(folder), **asdict(version)}))
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:3]))
