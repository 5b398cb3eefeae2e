"""S3 policies of projects, set through the IAM API of the object store's own administration port.

On a cluster the tenant controller is no neighbour of SeaweedFS, so that ``weed shell`` is out of
its reach. A second gateway of SeaweedFS, with the IAM API on and no STS, answers to the platform's
keys only; the gateway that people use keeps the IAM API off (see ``weed_shell``).
"""

from __future__ import annotations

import json
from typing import Any

import boto3
import botocore.exceptions
from botocore.config import Config

from autonoe.errors import UnavailableError


class IamDoor:
    """Writes S3 policies by name.

    Parameters
    ----------
    url : str
        Address of the administration port.
    keys : dict
        ``access_key`` and ``secret_key`` of the administrator.
    region : str, optional
        Region that requests are signed for.
    timeout_s : float, optional
        Limit of each call, in seconds.
    """

    def __init__(
        self, url: str, keys: dict[str, str], *, region: str = "us-east-1", timeout_s: float = 10
    ) -> None:
        self._url = url
        self._iam = boto3.client(
            "iam",
            endpoint_url=url,
            aws_access_key_id=keys["access_key"],
            aws_secret_access_key=keys["secret_key"],
            region_name=region,
            config=Config(
                connect_timeout=min(2, timeout_s),
                read_timeout=timeout_s,
                retries={"total_max_attempts": 2},
                proxies={},
            ),
        )

    def put_policy(self, name: str, document: dict[str, Any]) -> None:
        """Make the S3 policy ``name``, or replace it.

        Raises
        ------
        UnavailableError
            If the server does not answer, or did not take it.
        """
        text = json.dumps(document)
        try:
            try:
                self._iam.create_policy(PolicyName=name, PolicyDocument=text)
            except self._iam.exceptions.EntityAlreadyExistsException:
                # SeaweedFS knows no versions of a policy: between the two calls its members are
                # refused, for some milliseconds, and only when the platform's own text changed.
                self._iam.delete_policy(PolicyArn=f"arn:aws:iam:::policy/{name}")
                self._iam.create_policy(PolicyName=name, PolicyDocument=text)
        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError) as error:
            code = getattr(error, "response", {}).get("Error", {}).get("Code")
            raise UnavailableError(
                f"The S3 server did not take the policy {name!r}: {code or type(error).__name__}",
                hint="Is its administration port reachable, and are the operator's keys current?",
            ) from error
