"""Accounts: everything that a person needs, made at once and by name.

An account is an OpenBao identity with a proof file, a bucket, the buckets of its projects, an
MLflow user, a secrets path and a home folder. Making one that exists changes nothing but what
differs, so the hub does it before each start of a server.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import urllib3

from autonoe.account_records import Account, find_account, list_accounts, record_account
from autonoe.embedded import generated
from autonoe.embedded.components.seaweedfs import door_keys
from autonoe.embedded.files import write_atomic
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.errors import ForbiddenError
from autonoe.identity import enrolment
from autonoe.identity.buckets import Storage
from autonoe.identity.client import OpenBaoClient
from autonoe.identity.mlflow_users import MlflowUsers
from autonoe.identity.openbao import PLATFORM_ROLE_ID
from autonoe.identity.provisioning import Provisioner
from autonoe.identity.weed_shell import WeedShell
from autonoe.names import normalise_name, slug, user_bucket

__all__ = ["Account", "Accounts", "AdminSettings"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class AdminSettings:
    """What making accounts takes. It holds no secret: those are read from files when needed."""

    layout: Layout
    openbao_url: str
    s3_url: str
    mlflow_url: str = ""
    """Empty: no MLflow users are made."""
    shell: WeedShell | None = None
    """How project policies reach SeaweedFS; None: projects cannot be made."""
    token_ttl_s: int = 3600
    """Lifetime of an account's OpenBao token, in seconds."""

    @classmethod
    def from_layout(cls, layout: Layout) -> AdminSettings:
        """Return the settings of the platform whose data folder this is."""
        platform = PlatformFile.load(layout)
        return cls(
            layout=layout,
            openbao_url=platform.openbao_url,
            s3_url=platform.s3_url,
            mlflow_url=platform.mlflow_url,
            shell=WeedShell(
                master=f"127.0.0.1:{platform.weed_master}.{platform.weed_master_grpc}",
                filer=f"127.0.0.1:{platform.weed_filer}.{platform.weed_filer_grpc}",
                environment=door_keys(layout),
            ),
        )


class Accounts:
    """Makes, lists and removes accounts.

    Parameters
    ----------
    admin : AdminSettings
        Addresses, and the folder with the platform's secrets (readable by the platform's UID).
    """

    def __init__(self, admin: AdminSettings) -> None:
        self._admin = admin
        self._layout = admin.layout

    def ensure(
        self,
        name: str,
        *,
        groups: Iterable[str] = (),
        uid: int | None = None,
        gid: int | None = None,
        mail: str = "",
    ) -> Account:
        """Make the account ``name``, or bring the one that exists in line.

        When a component is down and the account was made earlier, it stays as it is and a warning
        is logged, so that a person's server can start (within 2 s); the next call catches up.

        Parameters
        ----------
        name : str
            The person's login name, in any script.
        groups : iterable of str, optional
            Names of the projects that the account is a member of; it leaves all others.
        uid, gid : int, optional
            Owner of the account's home and proof file; default the platform's own.
        mail : str, optional
            For the person's Git identity.

        Returns
        -------
        Account

        Raises
        ------
        InvalidInputError
            If a name cannot be used.
        ConflictError
            If the slug, the bucket or a project belongs to somebody else.
        UnavailableError
            If a component is down and the account is new.
        """
        account = Account(
            name=normalise_name(name),
            slug=slug(name),
            uid=uid,
            gid=gid,
            groups=tuple(sorted({normalise_name(group) for group in groups})),
            mail=mail,
        )
        with self._lock():
            self._folders(account)
            if self._layout.proof(name).exists() and (missing := self._not_answering()):
                log.warning("account %s left as it is: %s does not answer", account.slug, missing)
            else:
                self._enrol(account)
            record_account(self._layout, account)
        return account

    def list(self) -> list[Account]:
        """Return all accounts, by name."""
        return list_accounts(self._layout)

    def get(self, name: str) -> Account:
        """Return the account ``name``.

        Raises
        ------
        NotFoundError
            If there is none.
        """
        return find_account(self._layout, name)

    def remove(self, name: str, *, purge: bool = False) -> None:
        """Remove the account ``name``: it can log in nowhere from now on.

        S3 sessions that were made already end by themselves, within an hour.

        Parameters
        ----------
        name : str
            The account's name.
        purge : bool, optional
            Delete its bucket, secrets, MLflow user and home too. Otherwise they stay for an
            account of the same name.
        """
        account = self.get(name)
        with self._lock():
            client = self._client()
            enrolment.remove(client, account.slug)
            self._stores(client).remove_mlflow_user(account.slug, purge=purge)
            if purge:
                enrolment.delete_secrets(client, f"users/{account.slug}")
                self._storage.delete_bucket(user_bucket(account.name))
                shutil.rmtree(self._layout.home(account.name), ignore_errors=True)
            shutil.rmtree(self._layout.account(account.name))

    # -- steps ------------------------------------------------------------------------------

    def _enrol(self, account: Account) -> None:
        client = self._client()
        entity = enrolment.ensure_entity(client, account.slug, account.name, account.mail)
        enrolment.ensure_role(client, account.slug, entity, token_ttl_s=self._admin.token_ttl_s)
        enrolment.ensure_groups(client, entity, {slug(group): group for group in account.groups})
        stores = self._stores(client)
        stores.ensure_user_bucket(account.name)
        stores.ensure_shared_buckets(account.groups)
        self._proof(account, client)
        stores.ensure_mlflow_user(account.slug)

    def _proof(self, account: Account, client: OpenBaoClient) -> None:
        """Keep a proof that works, replace any other: a new one ends the old one's logins."""
        path = self._layout.proof(account.name)
        with contextlib.suppress(OSError, ValueError, KeyError, ForbiddenError):
            proof = json.loads(path.read_text())
            trial = OpenBaoClient(self._admin.openbao_url)
            trial.login_approle(proof["role_id"], proof["secret_id"])
            _own(path, account)
            return
        proof = {
            "kind": "approle",
            "role_id": f"user-{account.slug}",
            "secret_id": enrolment.new_secret_id(client, account.slug),
        }
        _write(path, json.dumps(proof), mode=0o600, account=account)

    def _folders(self, account: Account) -> None:
        folder = self._layout.account(account.name)
        folder.mkdir(exist_ok=True)
        folder.chmod(0o711)
        home = self._layout.home(account.name)
        home.mkdir(exist_ok=True)
        home.chmod(0o700)
        _own(home, account)

    # -- clients ----------------------------------------------------------------------------

    def _not_answering(self) -> str:
        """Return the name of the first component that does not answer within half a second."""
        http = urllib3.PoolManager(retries=False, timeout=0.5)
        targets = {
            "OpenBao": f"{self._admin.openbao_url}/v1/sys/health",
            "S3": f"{self._admin.s3_url}/healthz",
            "MLflow": self._admin.mlflow_url and f"{self._admin.mlflow_url}/health",
        }
        for component, url in targets.items():
            try:
                if url and http.request("GET", url).status >= 500:
                    return component
            except urllib3.exceptions.HTTPError:
                return component
        return ""

    def _client(self) -> OpenBaoClient:
        client = OpenBaoClient(self._admin.openbao_url)
        secret_id = generated.read(self._layout, generated.PLATFORM_SECRET_ID)
        client.login_approle(PLATFORM_ROLE_ID, secret_id)
        return client

    @cached_property
    def _storage(self) -> Storage:
        return Storage(
            self._admin.s3_url, generated.read_document(self._layout, generated.S3_ADMIN)
        )

    def _stores(self, client: OpenBaoClient) -> Provisioner:
        url = self._admin.mlflow_url
        admin = generated.read_document(self._layout, generated.MLFLOW_ADMIN) if url else {}
        users = MlflowUsers(url, admin) if url else None
        return Provisioner(client, self._storage, self._admin.shell, users)

    @contextlib.contextmanager
    def _lock(self) -> Iterator[None]:
        """One writer at a time: membership of a group is read, changed and written back."""
        self._layout.create()
        path = self._layout.root / "accounts" / ".lock"
        # 0600: an account that could open it could hold it, and keep everybody else from starting.
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)


def _write(path: Path, text: str, *, mode: int, account: Account | None) -> None:
    write_atomic(path, text, mode=mode)
    if account is not None:
        _own(path, account)


def _own(path: Path, account: Account) -> None:
    if account.uid is not None:
        os.chown(path, account.uid, account.gid if account.gid is not None else account.uid)
