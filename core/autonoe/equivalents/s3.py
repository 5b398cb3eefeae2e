"""Requests to the object store: an operation of boto3's client and its parameters.

The AWS command line is generated from the same service model as boto3, so its form follows by
rule: the operation and the parameters, in kebab case.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from autonoe.equivalents.base import Form, Request


@dataclass(frozen=True)
class S3Request(Request):
    """One call of boto3's S3 client.

    Parameters
    ----------
    what : str
        The title.
    operation : str
        Method of the client, such as ``list_objects_v2``.
    parameters : tuple of (str, str)
        Its keyword arguments.
    upload, download : Path, optional
        File that is the object's content, or is to become it.
    """

    what: str
    operation: str
    parameters: tuple[tuple[str, str], ...] = ()
    upload: Path | None = None
    download: Path | None = None

    @property
    def title(self) -> str:
        """What it does, as a short sentence."""
        return self.what

    def call(self) -> Any:
        """Do it, and return boto3's answer; with ``download`` the file that was written."""
        arguments: dict[str, Any] = dict(self.parameters)
        if self.upload is not None:
            arguments["Body"] = self.upload.read_bytes()
        answer = getattr(boto3.client("s3"), self.operation)(**arguments)
        if self.download is None:
            return answer
        self.download.write_bytes(answer["Body"].read())
        return self.download

    def forms(self) -> list[Form]:
        """Return the Python and the AWS CLI form."""
        return [Form("Python", "python", self._python()), Form("AWS CLI", "bash", self._aws())]

    def _python(self) -> str:
        arguments = [f"{name}={value!r}" for name, value in self.parameters]
        if self.upload is not None:
            arguments.append(f"Body=Path({str(self.upload)!r}).read_bytes()")
        files = self.upload or self.download
        head = "from pathlib import Path\n\nimport boto3\n\n" if files else "import boto3\n\n"
        call = f"s3.{self.operation}({', '.join(arguments)})"
        if self.download is None:
            return f'{head}s3 = boto3.client("s3")\nanswer = {call}\n'
        body = f"answer = {call}\nPath({str(self.download)!r}).write_bytes(answer['Body'].read())"
        return f'{head}s3 = boto3.client("s3")\n{body}\n'

    def _aws(self) -> str:
        words = ["aws", "s3api", self.operation.replace("_", "-")]
        for name, value in self.parameters:
            # With "=" a value that begins with a dash is not taken for an option.
            words.append(f"{_option(name)}={value}")
        if self.upload is not None:
            words += ["--body", str(self.upload)]
        if self.download is not None:
            words.append(str(self.download))
        return shlex.join(words)


def list_buckets() -> S3Request:
    """Return the request for the buckets that one may see."""
    return S3Request("List the buckets", "list_buckets")


def list_objects(bucket: str, *, prefix: str = "") -> S3Request:
    """Return the request for the objects of ``bucket`` whose keys begin with ``prefix``."""
    chosen = (("Prefix", prefix),) if prefix else ()
    return S3Request(
        f"List the objects of {bucket}", "list_objects_v2", (("Bucket", bucket), *chosen)
    )


def put_object(bucket: str, key: str, *, file: Path) -> S3Request:
    """Return the request that writes the content of ``file`` to an object."""
    return S3Request(f"Write {bucket}/{key}", "put_object", _address(bucket, key), upload=file)


def get_object(bucket: str, key: str, *, file: Path) -> S3Request:
    """Return the request that reads an object into ``file``."""
    return S3Request(f"Read {bucket}/{key}", "get_object", _address(bucket, key), download=file)


def remove_object(bucket: str, key: str) -> S3Request:
    """Return the request that removes an object."""
    return S3Request(f"Remove {bucket}/{key}", "delete_object", _address(bucket, key))


def _address(bucket: str, key: str) -> tuple[tuple[str, str], ...]:
    return (("Bucket", bucket), ("Key", key))


def _option(name: str) -> str:
    """Return the option of the AWS CLI for a parameter: ``UploadId`` is ``--upload-id``."""
    return "--" + re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()
