"""Run the benchmarks: ``python -m benchmarks [NAME ...] [--pairs N] [--output FILE]``.

After each benchmark its figures are written to ``build/bench.json``, in the place of older ones of
the same name; at the end the table of all that the file holds is printed. A benchmark that fails is
reported, the others go on, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import importlib
import shutil
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmarks import results
from benchmarks.measurement import Measurement

REPOSITORY = Path(__file__).resolve().parents[1]
OUTPUT = REPOSITORY / "build" / "bench.json"

Benchmark = Callable[[Path, int], list[Measurement]]


def _of(module: str) -> Benchmark:
    """Return the benchmark in ``module``, imported when it runs: one may lack what it needs."""

    def run(folder: Path, pairs: int) -> list[Measurement]:
        found: list[Measurement] = importlib.import_module(f"benchmarks.{module}").measure(
            folder, pairs=pairs
        )
        return found

    return run


BENCHMARKS: dict[str, Benchmark] = {
    "platform": _of("platform_rounds"),
    "kernel": _of("kernel_start"),
    "cleaning": _of("cleaning"),
    "etl": _of("etl"),
    "dashboard": _of("dashboard"),
    "serving": _of("serving"),
}


def run(
    names: Sequence[str],
    *,
    pairs: int,
    output: Path,
    benchmarks: Mapping[str, Benchmark] = BENCHMARKS,
) -> list[str]:
    """Measure ``names``, write each into ``output`` as soon as it is known, print the table.

    Returns
    -------
    list of str
        Names of the benchmarks that failed; each was reported on stderr.
    """
    failed = []
    folder = Path(tempfile.mkdtemp(prefix="autonoe-bench-"))
    try:
        for name in names:
            print(f"measuring {name} ...", file=sys.stderr)
            conditions = results.Conditions.now(REPOSITORY)
            try:
                found = benchmarks[name](folder / name, pairs)
            except Exception:  # the edge: one benchmark must not cost the figures of the others
                traceback.print_exc()
                print(f"{name} failed; its older figures stay", file=sys.stderr)
                failed.append(name)
            else:
                results.merge(output, results.rows(name, found, conditions))
            finally:
                shutil.rmtree(folder / name, ignore_errors=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        results.show(results.read(output))
    return failed


def main() -> None:
    """Measure what was asked for, all by default."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"some of: {', '.join(BENCHMARKS)}")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved runs of each figure")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="file of the figures")
    parser.add_argument(
        "--markdown", action="store_true", help="measure nothing; print the file's table"
    )
    arguments = parser.parse_args()
    if arguments.markdown:
        print(results.markdown(results.read(arguments.output)))
        return
    unknown = set(arguments.names) - set(BENCHMARKS)
    if unknown:
        parser.error(f"There is no benchmark {', '.join(sorted(unknown))}.")
    names = arguments.names or list(BENCHMARKS)
    failed = run(names, pairs=arguments.pairs, output=arguments.output)
    print(f"written to {arguments.output}", file=sys.stderr)
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
