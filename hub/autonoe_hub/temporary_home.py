"""A home folder that goes with the server, for profiles that keep none."""

from __future__ import annotations

import os
import tempfile

from autonoe.accounts import Account
from autonoe.embedded.layout import Layout


def make(layout: Layout, account: Account) -> str:
    """Return a new, empty folder that belongs to ``account``, below the folder of all homes."""
    place = tempfile.mkdtemp(prefix=f".temporary-{account.slug}-", dir=layout.root / "homes")
    if account.uid is not None:
        os.chown(place, account.uid, account.gid if account.gid is not None else account.uid)
    return place
