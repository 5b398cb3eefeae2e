"""Arrays in NumPy's own files: mapped into memory, shared by processes, never unpickled."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from autonoe.errors import AutonoeError

_PARTS = ("data", "indices", "indptr")


def sparse_files(name: str) -> tuple[str, ...]:
    """Return the names of the files that hold the sparse matrix ``name``."""
    return tuple(f"{name}-{part}.npy" for part in _PARTS)


def save_array(path: Path, array: NDArray[Any]) -> None:
    """Write ``array`` to ``path``."""
    with path.open("wb") as file:
        np.save(file, np.ascontiguousarray(array), allow_pickle=False)


def load_array(path: Path, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the array in ``path``, mapped and not copied.

    Raises
    ------
    AutonoeError
        ``model_damaged`` if it cannot be read or has another type.
    """
    try:
        found: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError, SyntaxError) as error:
        raise unreadable(path.name) from error
    if found.dtype != dtype:
        raise unreadable(path.name)
    return np.asarray(found)


def save_sparse(folder: Path, name: str, matrix: Any) -> None:
    """Write the CSR ``matrix`` of 32-bit numbers as three files into ``folder``."""
    values = (matrix.data, matrix.indices, matrix.indptr)
    types = (np.float32, np.int32, np.int32)
    for file, value, kind in zip(sparse_files(name), values, types, strict=True):
        save_array(folder / file, value.astype(kind))


def load_sparse(folder: Path, name: str, shape: tuple[int, int]) -> Any:
    """Return the CSR matrix that :func:`save_sparse` wrote, its memory shared among processes.

    Raises
    ------
    AutonoeError
        ``model_damaged`` if a file cannot be read or an index points outside ``shape``.
    """
    types = (np.float32, np.int32, np.int32)
    data, indices, indptr = (
        load_array(folder / file, np.dtype(kind))
        for file, kind in zip(sparse_files(name), types, strict=True)
    )
    try:
        matrix = sparse.csr_array((data, indices, indptr), shape=shape, copy=False)
        # an index outside the matrix would make the product read foreign memory
        matrix.check_format(full_check=True)
    except (ValueError, TypeError) as error:
        raise unreadable(name) from error
    if not np.isfinite(data).all():
        raise unreadable(name)
    return matrix


def unreadable(name: str) -> AutonoeError:
    """Return the error for a file of a model that is not what it should be."""
    return AutonoeError(
        f"The model is damaged: {name} cannot be read.",
        hint="Fetch it again from the registry, or train it again.",
        code="model_damaged",
    )
