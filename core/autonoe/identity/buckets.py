"""Buckets, made by the platform's own keys."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config

from autonoe.errors import ConflictError, UnavailableError

_OWNER_TAG = "autonoe-owner"


class Storage:
    """The S3 server as its administrator sees it.

    Parameters
    ----------
    url : str
        Address of the S3 server.
    keys : dict
        ``access_key`` and ``secret_key`` of the administrator.
    timeout_s : float, optional
        Limit of each call, in seconds.
    """

    def __init__(
        self, url: str, keys: dict[str, str], *, region: str = "us-east-1", timeout_s: float = 10
    ) -> None:
        self._url = url
        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=min(2, timeout_s),
            read_timeout=timeout_s,
            retries={"total_max_attempts": 2},
            # No proxy can reach this loopback address.
            proxies={},
        )
        session = boto3.Session(
            aws_access_key_id=keys["access_key"],
            aws_secret_access_key=keys["secret_key"],
            region_name=region,
        )
        self.s3 = session.client("s3", endpoint_url=url, config=config)

    def ensure_bucket(self, bucket: str, owner: str) -> None:
        """Make ``bucket`` for ``owner``, or check that it is theirs.

        Raises
        ------
        ConflictError
            If it was made for somebody else.
        """
        mark = hashlib.sha256(owner.encode()).hexdigest()
        with self._reachable():
            if not self._exists(bucket):
                self.s3.create_bucket(Bucket=bucket)
            found = self._owner(bucket)
            if found is None:
                self.s3.put_bucket_tagging(
                    Bucket=bucket, Tagging={"TagSet": [{"Key": _OWNER_TAG, "Value": mark}]}
                )
        if found not in (None, mark):
            raise ConflictError(
                f"The bucket {bucket!r} was made for another name.",
                hint="Choose another name, or have the administrator remove that bucket.",
            )

    def delete_bucket(self, bucket: str) -> None:
        """Delete ``bucket`` and every object and version in it; a missing one is no error."""
        with self._reachable():
            if not self._exists(bucket):
                return
            for page in self.s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for entry in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    self.s3.delete_object(
                        Bucket=bucket, Key=entry["Key"], VersionId=entry["VersionId"]
                    )
            self.s3.delete_bucket(Bucket=bucket)

    def _exists(self, bucket: str) -> bool:
        try:
            self.s3.head_bucket(Bucket=bucket)
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] in ("404", "NoSuchBucket"):
                return False
            raise
        return True

    def _owner(self, bucket: str) -> str | None:
        try:
            tags = self.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        except botocore.exceptions.ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchTagSet":
                return None
            raise
        return next((str(tag["Value"]) for tag in tags if tag["Key"] == _OWNER_TAG), None)

    @contextlib.contextmanager
    def _reachable(self) -> Iterator[None]:
        try:
            yield
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            raise UnavailableError(
                f"The S3 server at {self._url} did not do what was asked: {_short(error)}",
                hint="Is it running? `autonoe status` shows it.",
            ) from error


def _short(error: Any) -> str:
    """Name the failure without its request, which could hold keys."""
    code = getattr(error, "response", {}).get("Error", {}).get("Code")
    return str(code or type(error).__name__)
