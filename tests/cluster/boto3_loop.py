"""Writes and reads with boto3 and nothing set by hand; ``python boto3_loop.py SECONDS``.

Runs in somebody else's container and in a notebook: it knows nothing of Autonoe. Prints one JSON
document: rounds, failures, how many keys it used, and what the first of them are good for at last.
"""

import json
import os
import sys
import time

import boto3
import botocore.exceptions

BUCKET = os.environ["AWS_BUCKET_NAME"]


def loop(seconds: float) -> dict[str, object]:
    """Write and read for so many seconds."""
    session = boto3.Session()
    s3 = session.client("s3")
    first = session.get_credentials().get_frozen_credentials()
    keys, rounds = {first.access_key}, 0
    failures: list[str] = []
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        content = str(rounds).encode()
        try:
            key = f"{os.uname().nodename}.txt"
            s3.put_object(Bucket=BUCKET, Key=key, Body=content)
            assert s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() == content
        except Exception as error:  # the report is the point
            failures.append(repr(error))
        keys.add(session.get_credentials().get_frozen_credentials().access_key)
        rounds += 1
        time.sleep(0.2)
    old = boto3.Session(first.access_key, first.secret_key, first.token).client("s3")
    try:
        old.list_objects_v2(Bucket=BUCKET)
        refused = ""
    except botocore.exceptions.ClientError as error:
        refused = error.response["Error"]["Code"]
    return {"rounds": rounds, "failures": failures, "keys": len(keys), "first_keys": refused}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(loop(float(sys.argv[1]))))
