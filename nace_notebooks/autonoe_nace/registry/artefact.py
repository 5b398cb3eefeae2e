"""What may lie in a registered model's folder: judged by names, sizes and hashes, never by loading.

Nothing here reads a format that can hold code. A pickle, a Python file or an ``MLmodel`` beside the
native files is neither fetched nor looked at.
"""

from __future__ import annotations

import math
import re
import stat
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from autonoe_nace.model.manifest import CARD_FILE, MANIFEST_FILE, FileEntry, Manifest, damaged
from autonoe_nace.registry.versions import Pins

MAX_MODEL_BYTES = 16 << 30
"""Largest model that is fetched, all files together."""
MAX_MANIFEST_BYTES = 16 << 20
MAX_CARD_BYTES = 1 << 20

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,60}\.(?:bin|json|npy)")
"""Names of native files: no folder, no leading dot, no format that can hold code, and none that is
compressed, so that no file can grow when it is read."""
_MAX_FILES = 40
_HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_SOURCE = re.compile(r"(?:mlflow-artifacts:/(?!/)|(?:s3|gs|wasbs|abfss)://|file:/)\S+")
"""No host in MLflow's own scheme and no http: MLflow would send that host this account's token."""


def check_source(source: str) -> None:
    """Refuse an address that MLflow would resolve to another model or to a plugin of its own.

    Raises
    ------
    AutonoeError
        ``model_damaged`` for anything but an object store, MLflow's proxy of one, or a folder.
    """
    if not _SOURCE.fullmatch(source) or ".." in source.split("/"):
        raise damaged("the registry gives an address for it that is none of a store")


def check_manifest(path: Path, pins: Pins) -> Manifest:
    """Return the manifest in the file ``path`` if it is the one that was registered.

    Raises
    ------
    AutonoeError
        ``model_damaged`` if it is another, or names files that no native model has.
    """
    if not is_plain(path) or path.stat().st_size > MAX_MANIFEST_BYTES:
        raise damaged(f"{MANIFEST_FILE} is missing, no plain file, or larger than any manifest")
    if pins.manifest_sha256 and FileEntry.of(path).sha256 != pins.manifest_sha256:
        raise damaged(f"its {MANIFEST_FILE} is not the one that was registered")
    manifest = Manifest.read(path.parent)
    if (manifest.hashes.get("model"), manifest.id) != (pins.sha256, pins.model_id):
        raise damaged(f"its {MANIFEST_FILE} is not the one that was registered")
    names = list(manifest.files)
    if len(names) > _MAX_FILES or not all(_NAME.fullmatch(name) for name in names):
        raise damaged(f"{MANIFEST_FILE} names files that no model has")
    if MANIFEST_FILE in names:
        raise damaged(f"{MANIFEST_FILE} names files that no model has")
    if sum(entry.size for entry in manifest.files.values()) > MAX_MODEL_BYTES:
        raise damaged(f"it is larger than {MAX_MODEL_BYTES >> 30} GiB")
    return manifest


def check_sizes(sizes: Mapping[str, int | None]) -> None:
    """Judge a listing of the store by names and sizes, before anything is fetched.

    Parameters
    ----------
    sizes : mapping of str to int or None
        Bytes of each file by name; None where the store does not tell.

    Raises
    ------
    AutonoeError
        ``model_damaged`` if there is no manifest, or a file is larger than any model's.
    """
    if MANIFEST_FILE not in sizes:
        raise damaged(f"its folder in the store holds no {MANIFEST_FILE}")
    small = {MANIFEST_FILE: MAX_MANIFEST_BYTES, CARD_FILE: MAX_CARD_BYTES}
    for name, most in small.items():
        if (sizes.get(name) or 0) > most:
            raise damaged(f"{name} is larger than {most >> 20} MiB")
    if sum(size or 0 for name, size in sizes.items() if is_native(name)) > MAX_MODEL_BYTES:
        raise damaged(f"it is larger than {MAX_MODEL_BYTES >> 30} GiB")


def is_native(name: str) -> bool:
    """Tell whether a file of this name can belong to a model."""
    return name == CARD_FILE or bool(_NAME.fullmatch(name))


def check_folder(folder: Path, manifest: Manifest, pins: Pins) -> None:
    """Check every file that was fetched: plain, native, and the very bytes that were registered.

    Raises
    ------
    AutonoeError
        ``model_damaged`` with the first thing that is wrong.
    """
    known = {*manifest.files, MANIFEST_FILE, CARD_FILE}
    for path in folder.iterdir():
        if path.name not in known or not is_plain(path):
            raise damaged("its folder holds something that is no file of a model")
    manifest.check_files(folder)
    # versions that an older Autonoe registered are pinned by this file's hash alone
    if not pins.manifest_sha256 and manifest.files["model.bin"].sha256 != pins.sha256:
        raise damaged("its model.bin is not the one that was registered")
    for name in manifest.files:
        if name.endswith(".npy"):
            check_array(folder / name)


def check_array(path: Path) -> None:
    """Refuse a ``.npy`` that holds Python objects or says that it is larger than its file.

    Only the header is read: what an array says about itself, not the array.

    Raises
    ------
    AutonoeError
        ``model_damaged`` if it is no plain array.
    """
    try:
        with path.open("rb") as stream:
            version = np.lib.format.read_magic(stream)
            read = _HEADERS[version]
            shape, _, dtype = read(stream)
            expected = stream.tell() + math.prod(shape) * dtype.itemsize
    except (OSError, ValueError, KeyError, SyntaxError, RecursionError) as error:
        raise damaged(f"{path.name} is no array") from error
    if dtype.hasobject:
        raise damaged(f"{path.name} holds Python objects")
    if expected != path.stat().st_size:
        raise damaged(f"{path.name} says that it holds more than it does")


def is_plain(path: Path) -> bool:
    """Tell whether ``path`` is a file itself, and no link to one."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except OSError:
        return False
