"""``python -m scripts.images [NAME...]``: build what changed and print the sizes.

Without a name every published image is built, and those of the tests. ``--engine docker`` builds
the same Dockerfiles with Docker.
"""

from __future__ import annotations

import argparse
import fcntl
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from . import archive, catalogue, context, layers, machine, sbom, table
from .catalogue import REPOSITORY, Image
from .engine import ENGINES, Engine, Job

OUTPUT = REPOSITORY / "build" / "images"
ON_REQUEST = frozenset({"jupyter-gpu"})
"""Built when it is named, or with ``--published``: CUDA alone is several gigabytes."""
FINGERPRINT_LABEL = "dev.autonoe.fingerprint"
"""Label of an image: the digest of all that it is made of. It stands in the image, not in a file
here, so that another clone on the machine finds what this one has built."""
MOUNTED_LABEL = "dev.autonoe.mounted"
"""Label of an image: the digest of what its instructions mounted, the installation scripts."""


def main(arguments: list[str] | None = None) -> int:
    """Build, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.images", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--engine", choices=sorted(ENGINES), default="buildah")
    parser.add_argument("--fresh", action="store_true", help="ask for all packages anew")
    parser.add_argument("--list", action="store_true", help="print the names and stop")
    parser.add_argument("--published", action="store_true", help="without those of the tests")
    parser.add_argument("--stage", action="store_true", help="fill the build context and stop")
    parser.add_argument("--sizes", action="store_true", help="print the table of sizes and stop")
    options = parser.parse_args(arguments)
    known = catalogue.images()
    kinds = {"published"} if options.published else {"published", "test"}
    left_out: frozenset[str] = frozenset() if options.published else ON_REQUEST
    wanted = options.names or [
        name for name, image in known.items() if image.kind in kinds and name not in left_out
    ]
    if unknown := sorted(set(wanted) - set(known)):
        _say(f"There is no image {', '.join(unknown)}. Known: {', '.join(known)}")
        return 2
    if options.list:
        sys.stdout.write("\n".join(wanted) + "\n")
        return 0
    if options.stage:
        with _alone():
            context.stage(OUTPUT / "context")
        return 0
    if not options.sizes:
        with _alone():
            _build(wanted, known, ENGINES[options.engine](), fresh=options.fresh)
    sys.stdout.write(table.markdown(OUTPUT, known) + "\n")
    return 0


def _build(names: list[str], known: dict[str, Image], engine: Engine, *, fresh: bool) -> None:
    staged = OUTPUT / "context"
    context.stage(staged)
    base = engine.prepare(OUTPUT / "cache", fresh=fresh)
    labels = _labels()
    fingerprints: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="autonoe-images-") as folder:
        secrets = machine.write_secrets(Path(folder))
        for image in catalogue.with_parents(names, known):
            made_of = fingerprints[image.name] = context.fingerprint(image, staged, fingerprints)
            held = not fresh and engine.label(image.reference, FINGERPRINT_LABEL) == made_of
            if held and _is_written(image, made_of):
                continue
            begun = time.monotonic()
            if not held:
                # Layers of an earlier build will do if what they mounted is the same.
                mounted = context.mounted(image, staged, fingerprints)
                same = engine.label(image.reference, MOUNTED_LABEL) == mounted
                own = {FINGERPRINT_LABEL: made_of, MOUNTED_LABEL: mounted}
                engine.build(Job(image, staged, secrets, labels | own, base, fresh or not same))
            record = {"fingerprint": made_of, "build_s": round(time.monotonic() - begun, 1)}
            _finish(image, record, engine, built=not held)


def _is_written(image: Image, fingerprint: str) -> bool:
    path = OUTPUT / "records" / f"{image.name}.json"
    record = json.loads(path.read_bytes()) if path.exists() else {}
    written = [OUTPUT / f"{image.name}.{suffix}" for suffix in ("tar", "cdx.json")]
    has_output = image.kind == "internal" or all(path.exists() for path in written)
    return has_output and record.get("fingerprint") == fingerprint


def _finish(image: Image, record: dict[str, Any], engine: Engine, *, built: bool) -> None:
    begun = time.monotonic()
    if image.kind != "internal":
        with engine.layout(image, OUTPUT / "layout") as folder:
            layout = archive.Layout(folder, image.name, image.reference)
            found = layers.read(layout, machine.private_texts(), OUTPUT / "cache" / "layers")
            archive.write(layout, OUTPUT / f"{image.name}.tar")
            record["layers"] = [[digest, reading.size] for digest, reading in found]
            metadata = layers.merged([reading for _, reading in found])
            record["packages"] = sbom.write(layout, metadata, OUTPUT / f"{image.name}.cdx.json")
            record["digest"] = layout.entry["digest"]
        record["archive_s"] = round(time.monotonic() - begun, 1)
    path = OUTPUT / "records" / f"{image.name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=2), encoding="utf-8")
    spent = record["build_s"] + time.monotonic() - begun
    _say(f"{'built' if built else 'took'} {image.reference} in {spent:.0f} s")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def _labels() -> dict[str, str]:
    from autonoe import __version__

    revision = subprocess.run(
        ["git", "rev-parse", "HEAD"],
        cwd=REPOSITORY, capture_output=True, text=True, check=False,
        timeout=300,
    )  # fmt: skip
    return {
        "org.opencontainers.image.version": __version__,
        "org.opencontainers.image.revision": revision.stdout.strip() or "unknown",
    }


@contextmanager
def _alone() -> Iterator[None]:
    """Let only one build run at a time: the context and the archives are shared."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with (OUTPUT / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    raise SystemExit(main())
