"""Fetching one small file over https: within a size, within a time, and never over plain http."""

from __future__ import annotations

import os
import time
from urllib.parse import urljoin, urlsplit
from urllib.request import getproxies, proxy_bypass

import urllib3

from autonoe.errors import InvalidInputError, UnavailableError

_REDIRECTS = 3
_CHUNK = 64 * 1024


def fetch(url: str, *, limit: int, timeout_s: float) -> bytes:
    """Return what is at ``url``.

    Parameters
    ----------
    url : str
        ``https://`` address; up to three redirects are followed, to https only.
    limit : int
        Bytes; a longer answer is refused.
    timeout_s : float
        Seconds for everything together.

    Raises
    ------
    InvalidInputError
        If an address is not https, or the answer is too large.
    UnavailableError
        If it does not answer in time, or not with success.
    """
    deadline = time.monotonic() + timeout_s
    try:
        for _ in range(_REDIRECTS + 1):
            parts = urlsplit(url)
            if parts.scheme != "https":
                raise InvalidInputError(f"{url} is not https.", hint="Use an https address.")
            answer = _manager(parts.hostname or "").request(
                "GET",
                url,
                redirect=False,
                preload_content=False,
                timeout=urllib3.Timeout(total=max(1.0, deadline - time.monotonic())),
            )
            try:
                if answer.status in {301, 302, 303, 307, 308}:
                    url = urljoin(url, answer.headers.get("Location", ""))
                    continue
                if answer.status != 200:
                    raise UnavailableError(
                        f"{url} answered {answer.status}.", hint="Check the address."
                    )
                return _read(answer, url, limit, deadline)
            finally:
                answer.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        raise UnavailableError(
            f"{url} cannot be fetched: {type(error).__name__}.",
            hint="Check the address and the network.",
        ) from error
    raise UnavailableError(f"{url} redirects more than {_REDIRECTS} times.")


def _read(answer: urllib3.BaseHTTPResponse, url: str, limit: int, deadline: float) -> bytes:
    data = b""
    while chunk := answer.read(_CHUNK, decode_content=True):
        data += chunk
        if len(data) > limit:
            raise InvalidInputError(
                f"{url} is larger than {limit >> 10} KiB.", hint="Fetch large files in a notebook."
            )
        if time.monotonic() > deadline:
            raise UnavailableError(f"{url} took too long.", hint="Try again later.")
    return data


def _manager(host: str) -> urllib3.PoolManager:
    trusted = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("SSL_CERT_FILE")
    proxy = getproxies().get("https")
    if proxy and not proxy_bypass(host):
        return urllib3.ProxyManager(proxy, retries=False, ca_certs=trusted)
    return urllib3.PoolManager(retries=False, ca_certs=trusted)
