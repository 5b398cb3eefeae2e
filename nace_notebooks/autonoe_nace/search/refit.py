"""The best candidate, trained on all texts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from autonoe.errors import AutonoeError
from autonoe_nace.model.nace_model import check_target
from autonoe_nace.search.folds import Folded, gather
from autonoe_nace.search.store import Store
from autonoe_nace.training import train


def refit(
    store: Store,
    found: dict[str, Any],
    folder: str | Path,
    *,
    material: Folded | None = None,
    progress: Callable[[str, float], None] = lambda stage, share: None,
) -> dict[str, Any]:
    """Train the best candidate on all folds and save it.

    What it is worth is what cross-validation said: there is no text left to judge it on.

    Parameters
    ----------
    store : Store
        The search.
    found : dict
        Its summary.
    folder : str or Path
        Where the model goes.
    material : Folded, optional
        The texts, when the caller has read them already.
    progress : callable
        Gets the stage and the share done.

    Returns
    -------
    dict
        ``id``, ``path`` and ``candidate``.

    Raises
    ------
    AutonoeError
        ``search_unfinished`` when no candidate has all its folds.
    """
    if found["best"] is None:
        raise AutonoeError(
            "No candidate has all its folds.",
            hint="autonoe nace search show tells why; then resume.",
            code="search_unfinished",
        )
    check_target(Path(folder))
    material = material or gather(store.plan)
    params = store.plan.params(found["best"])
    model = train(material.data, params, extra=material.extra, progress=progress)
    path = model.save(folder)
    return {"id": model.id, "path": str(path), "candidate": found["best"]}
