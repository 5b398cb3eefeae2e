"""From an identity token to an S3 session: AssumeRoleWithWebIdentity."""

from __future__ import annotations

import urllib.parse
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import urllib3

from autonoe.errors import AutonoeError, ForbiddenError, UnavailableError
from autonoe.identity.seaweedfs import CLAIM_ROLE_ARN, MAX_SESSION_S, MIN_SESSION_S

_MAX_ANSWER = 64 * 1024


@dataclass(frozen=True)
class S3Session:
    """Keys of an S3 session; ``expires`` is timezone-aware."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(repr=False)
    expires: datetime

    def seconds_left(self) -> float:
        """Return the time left, in seconds; negative when over."""
        return (self.expires - datetime.now(UTC)).total_seconds()


def assume_role(
    s3_url: str,
    identity_token: str,
    *,
    session_name: str,
    ttl_s: int,
    role_arn: str = CLAIM_ROLE_ARN,
    timeout_s: float = 5,
) -> S3Session:
    """Return a new session for the bearer of ``identity_token``.

    Parameters
    ----------
    s3_url : str
        Address of the STS; SeaweedFS and MinIO answer at that of the S3 server.
    identity_token : str
        The JWT; its claims alone decide what the session may do.
    session_name : str
        A label for logs. No policy may use it: the caller chooses it.
    ttl_s : int
        Lifetime in seconds. Below the server's minimum (900) the server keeps the session longer
        than is said here: the shorter time counts for whoever uses it.
    role_arn : str, optional
        The role to be assumed; empty: none is named, which MinIO takes as "by the token's claim".
    timeout_s : float, optional
        Limit of the call, in seconds.

    Raises
    ------
    ForbiddenError
        If the token is refused.
    UnavailableError
        If the server does not answer.
    """
    now = datetime.now(UTC)
    form = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleSessionName": session_name,
        "WebIdentityToken": identity_token,
        "DurationSeconds": str(min(MAX_SESSION_S, max(MIN_SESSION_S, ttl_s))),
    }
    if role_arn:
        form["RoleArn"] = role_arn
    answer = _post(s3_url, form, timeout_s)
    if answer.status in (400, 401, 403):
        raise ForbiddenError(
            f"The S3 server refuses the identity token (status {answer.status}).",
            hint="A clock that differs from the server's does this too: `autonoe doctor` tells.",
        )
    if answer.status != 200:
        raise UnavailableError(
            f"The S3 server cannot make a session now (status {answer.status}).",
            hint="This is tried again by itself.",
        )
    return _parse(answer.data, latest=now + timedelta(seconds=ttl_s))


def _post(url: str, form: dict[str, str], timeout_s: float) -> urllib3.BaseHTTPResponse:
    http = urllib3.PoolManager(
        retries=False, timeout=urllib3.Timeout(connect=min(2, timeout_s), read=timeout_s)
    )
    try:
        return http.request(
            "POST",
            url,
            body=urllib.parse.urlencode(form),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            redirect=False,
        )
    except urllib3.exceptions.HTTPError as error:
        raise UnavailableError(
            f"The S3 server at {url} does not answer ({type(error).__name__}).",
            hint="Is it running? `autonoe status` shows it; this is tried again by itself.",
        ) from error
    finally:
        http.clear()


def _parse(body: bytes, *, latest: datetime) -> S3Session:
    if len(body) > _MAX_ANSWER:
        raise AutonoeError("The S3 server's answer is too long for a session.", code="bad_answer")
    try:
        # The document is short, and comes from the server that we just gave our token to.
        tree = ET.fromstring(body)  # noqa: S314
        values = {element.tag.rpartition("}")[2]: element.text or "" for element in tree.iter()}
        expires = datetime.fromisoformat(values["Expiration"].replace("Z", "+00:00"))
        return S3Session(
            access_key=values["AccessKeyId"],
            secret_key=values["SecretAccessKey"],
            token=values["SessionToken"],
            expires=min(expires, latest),
        )
    except (ET.ParseError, KeyError, ValueError) as error:
        raise AutonoeError(
            "The S3 server's answer is not a session.",
            code="bad_answer",
            hint="The address may be that of another server.",
        ) from error
