"""Run the benchmarks: ``python -m benchmarks [NAME ...] [--pairs N]``.

Prints a table and writes ``build/bench.json``, a list of ``{"name", "unit", "ours", "peer",
"peer_name", "ratio"}``.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from benchmarks import cleaning, dashboard, etl, kernel_start, platform_rounds, serving
from benchmarks.measurement import Measurement, show

OUTPUT = Path(__file__).resolve().parents[1] / "build" / "bench.json"

BENCHMARKS: dict[str, Callable[[Path, int], list[Measurement]]] = {
    "platform": lambda folder, pairs: platform_rounds.measure(folder, pairs=pairs),
    "kernel": lambda _folder, pairs: [kernel_start.measure(pairs=pairs)],
    "cleaning": lambda _folder, pairs: cleaning.measure(pairs=pairs),
    "etl": lambda folder, pairs: etl.measure(folder, pairs=pairs),
    "dashboard": lambda folder, pairs: dashboard.measure(folder, pairs=pairs),
    "serving": lambda folder, pairs: serving.measure(folder, pairs=pairs),
}


def main() -> None:
    """Measure what was asked for, all by default."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved runs of each figure")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"There is no benchmark {', '.join(sorted(unknown))}.")
    measurements: list[Measurement] = []
    folder = Path(tempfile.mkdtemp(prefix="autonoe-bench-"))
    try:
        for name in arguments.names or BENCHMARKS:
            print(f"measuring {name} ...", file=sys.stderr)
            measurements += BENCHMARKS[name](folder / name, arguments.pairs)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    OUTPUT.parent.mkdir(parents=True, exist_ok=True)
    documents = [measurement.as_dict() for measurement in measurements]
    OUTPUT.write_text(json.dumps(documents, indent=2) + "\n", encoding="utf-8")
    show(measurements)
    print(f"written to {OUTPUT.relative_to(Path.cwd())}", file=sys.stderr)


if __name__ == "__main__":
    main()
