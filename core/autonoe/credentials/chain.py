"""The identity chain: proof, OpenBao token, identity JWT, S3 session.

Each link is short-lived and made anew from the one before, so an outage of any length costs
nothing but its own time.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from autonoe.credentials.proof import proof_of
from autonoe.credentials.settings import AgentSettings
from autonoe.errors import ForbiddenError, UnavailableError
from autonoe.identity.client import OpenBaoClient
from autonoe.identity.enrolment import mlflow_path
from autonoe.identity.sts import S3Session, assume_role


@dataclass(frozen=True)
class BaoToken:
    """A token of OpenBao, and when it is to be replaced and ends (seconds of ``time.time``)."""

    value: str = field(repr=False)
    replace_at: float
    ends_at: float


class IdentityChain:
    """Makes tokens and sessions of one account. Safe to call from many threads.

    Parameters
    ----------
    settings : AgentSettings
        Addresses, and the proof file, which is read at each login: it may be replaced.
    timeout_s : float, optional
        Limit of each call, in seconds.
    """

    def __init__(self, settings: AgentSettings, *, timeout_s: float = 5) -> None:
        self._settings = settings
        self._timeout_s = timeout_s
        self._lock = threading.Lock()
        self._token: BaoToken | None = None
        self._mlflow: tuple[str, str] | None = None

    def token(self) -> str:
        """Return a token of OpenBao that is valid; logs in when two thirds of its time are over.

        Raises
        ------
        UnavailableError, ForbiddenError, AutonoeError
            If there is no valid token and none can be had.
        """
        now = time.time()
        token = self._token
        if token is not None and now < token.replace_at:
            return token.value
        with self._lock:
            token = self._token
            if token is not None and now < token.replace_at:
                return token.value
            try:
                token = self._token = self._login()
            except UnavailableError:
                # The old one serves to its end: OpenBao may be back before.
                if token is None or time.time() >= token.ends_at:
                    raise
            return token.value

    def forget_token(self, value: str) -> None:
        """Log in anew next time, if ``value`` is still the token in use (it was refused)."""
        with self._lock:
            if self._token is not None and self._token.value == value:
                self._token = None

    def is_alive(self, value: str) -> bool:
        """Ask OpenBao whether it knows the token ``value``."""
        try:
            self._client(value).call("GET", "auth/token/lookup-self")
        except ForbiddenError:
            return False
        return True

    def s3_session(self) -> S3Session:
        """Return a new S3 session.

        Raises
        ------
        UnavailableError, ForbiddenError, AutonoeError
            If a link of the chain cannot be made.
        """
        return assume_role(
            self._settings.sts_url or self._settings.s3_url,
            self._identity_token(),
            role_arn=self._settings.sts_role_arn,
            # Two characters at least; a slug may have one.
            session_name=f"{self._settings.account_kind}-{self._settings.slug}",
            ttl_s=self._settings.session_ttl_s,
            timeout_s=self._timeout_s,
        )

    def mlflow_login(self, *, refresh: bool = False) -> tuple[str, str]:
        """Return the user name and the password of the account at MLflow."""
        if self._mlflow is None or refresh:
            found = self._client(self.token()).read(mlflow_path(self._settings.entity))
            values = (found or {}).get("data")
            if not values:
                raise UnavailableError(
                    "The account has no MLflow user yet.",
                    hint="The platform makes it when the server starts: start it anew.",
                )
            self._mlflow = (values["username"], values["password"])
        return self._mlflow

    def client(self, *, timeout_s: float) -> OpenBaoClient:
        """Return a client of OpenBao with the account's token."""
        return OpenBaoClient(self._settings.openbao_url, token=self.token(), timeout_s=timeout_s)

    def status(self) -> dict[str, Any]:
        """Return the state of the OpenBao token; it holds no secret."""
        token = self._token
        ends = datetime.fromtimestamp(token.ends_at, UTC) if token else None
        return {
            "ready": ends is not None and ends > datetime.now(UTC),
            "expires": ends.isoformat() if ends else None,
        }

    def _identity_token(self) -> str:
        value = self.token()
        try:
            found = self._client(value).read("identity/oidc/token/s3")
        except ForbiddenError:
            # Revoked, or made before a restore of OpenBao: a new login tells.
            self.forget_token(value)
            found = self._client(self.token()).read("identity/oidc/token/s3")
        if not found:
            raise UnavailableError("OpenBao makes no identity tokens now.")
        return str(found["token"])

    def _login(self) -> BaoToken:
        started = time.time()
        auth = proof_of(self._settings).login(self._client(""))
        lease_s = float(auth["lease_duration"])
        return BaoToken(auth["client_token"], started + lease_s * 2 / 3, started + lease_s)

    def _client(self, token: str) -> OpenBaoClient:
        return OpenBaoClient(self._settings.openbao_url, token=token, timeout_s=self._timeout_s)
