"""Accounts of tests, with names that no other test uses.

Not in conftest.py: pytest imports that twice, under two names, with a counter each.
"""

from __future__ import annotations

import itertools
import os
from typing import Any

from autonoe.accounts import Account
from autonoe.credentials.chain import IdentityChain
from autonoe.identity.sts import S3Session
from identity.stack import Stack, client

_numbers = itertools.count(1)


def unique(stem: str) -> str:
    """Return a name that no other test uses."""
    return f"{stem}-{os.getpid()}-{next(_numbers)}"


class Person:
    """An account, its chain, and clients with a session of it."""

    def __init__(self, stack: Stack, account: Account) -> None:
        self.stack = stack
        self.account = account
        self.chain = IdentityChain(stack.settings(account))
        self.bucket = account.buckets[0]

    @property
    def jwt(self) -> str:
        """Return a new identity token."""
        found = self.chain.client(timeout_s=5).read("identity/oidc/token/s3")
        assert found is not None
        return str(found["token"])

    def session(self) -> S3Session:
        """Return a new S3 session."""
        return self.chain.s3_session()

    def s3(self, service: str = "s3", **options: Any) -> Any:
        """Return a client with a new session."""
        return client(self.stack.s3_url, self.session(), service, **options)
