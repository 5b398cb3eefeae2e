"""The table of sizes, as markdown: printed by ``make images`` and kept in the guide."""

from __future__ import annotations

import json
from pathlib import Path

from .catalogue import Image

_MB = 1_000_000


def markdown(output: Path, known: dict[str, Image]) -> str:
    """Return the sizes of the built images, in MB (10^6 bytes), on a node: uncompressed.

    Parameters
    ----------
    output : Path
        Folder with the archives and the records of their builds.
    known : dict of str to Image
        The catalogue; an image without a record is left out.
    """
    records = {
        name: json.loads(path.read_text(encoding="utf-8"))
        for name in known
        if (path := output / "records" / f"{name}.json").exists()
    }
    shown = {name: record for name, record in records.items() if "packages" in record}
    users: dict[str, int] = {}
    for record in shown.values():
        for digest, _ in record["layers"]:
            users[digest] = users.get(digest, 0) + 1
    rows = ["| image | MB | its own MB | archive MB | packages |", "|---|---:|---:|---:|---:|"]
    for name, record in shown.items():
        total = sum(size for _, size in record["layers"])
        own = sum(size for digest, size in record["layers"] if users[digest] == 1)
        archive = output / f"{name}.tar"
        packed = f"{archive.stat().st_size / _MB:.0f}" if archive.exists() else ""
        counts = f"{total / _MB:.0f} | {own / _MB:.0f} | {packed}"
        rows.append(f"| {name} | {counts} | {record['packages']} |")
    unique = {digest: size for record in shown.values() for digest, size in record["layers"]}
    rows.append(f"| all, shared layers once | {sum(unique.values()) / _MB:.0f} | | | |")
    return "\n".join(rows)
