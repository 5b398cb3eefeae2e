"""What is recorded of each account: a small file beside its proof. Reading it takes no server."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from autonoe.embedded.files import read_json, write_json
from autonoe.embedded.layout import Layout
from autonoe.errors import NotFoundError
from autonoe.names import normalise_name, project_bucket, user_bucket


@dataclass(frozen=True)
class Account:
    """A person as the platform knows them."""

    name: str
    """The normalised name (NFKC, case-folded)."""
    slug: str
    uid: int | None
    """UID of the account's processes; None: that of the platform."""
    gid: int | None
    groups: tuple[str, ...]
    """Normalised names of the projects that the account is a member of."""
    mail: str

    @property
    def buckets(self) -> tuple[str, ...]:
        """The buckets that the account may write: its own first, then those of its projects."""
        return (user_bucket(self.name), *(project_bucket(group) for group in self.groups))


def list_accounts(layout: Layout) -> list[Account]:
    """Return all accounts, by name."""
    folders = (layout.root / "accounts").glob("*/account.json")
    accounts = [account for path in folders if (account := _read(path)) is not None]
    return sorted(accounts, key=lambda account: account.name)


def find_account(layout: Layout, name: str) -> Account:
    """Return the account ``name``.

    Raises
    ------
    NotFoundError
        If there is none.
    """
    # Not through the list: the account itself may read its own record, and list no others.
    account = _read(layout.account(name) / "account.json")
    if account is None or account.name != normalise_name(name):
        raise NotFoundError(
            f"There is no account {normalise_name(name)!r}.", hint="See `autonoe users list`."
        )
    return account


def record_account(layout: Layout, account: Account) -> None:
    """Write the record of ``account``; its folder exists.

    The account may read it and not change it: the platform believes the UID in it.
    """
    path = layout.account(account.name) / "account.json"
    write_json(path, asdict(account), mode=0o640)
    if account.uid is not None:
        os.chown(path, -1, account.gid if account.gid is not None else account.uid)


def _read(path: Path) -> Account | None:
    record = read_json(path)
    if record is None:
        return None
    return Account(**{**record, "groups": tuple(record["groups"])})
