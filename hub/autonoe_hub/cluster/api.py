"""Calls to the API server from the hub's event loop, with plain dicts and our own errors.

It rides on the connections that KubeSpawner opens anyway; the core's client blocks and would hold
up every person's page.
"""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.client.exceptions import ApiException
from kubespawner.clients import load_config, shared_client

from autonoe.errors import UnavailableError
from autonoe.kubernetes.errors import from_answer

Object = dict[str, Any]

MERGE = "application/merge-patch+json"

TIMEOUT_S = 10.0
"""One call; an API server that needs longer is as good as away."""


def prepare_client(host: str = "", ca: str = "", verify: bool | None = None) -> None:
    """Log in to the cluster, and lift the limit of 100 connections.

    Each namespace with a running server is watched through a connection of its own: with the
    client's limit, the hundredth person's watch would make every other call wait for ever.

    Parameters
    ----------
    host, ca, verify
        As KubeSpawner's ``k8s_api_*`` options; it asks with the same ones afterwards.
    """
    load_config(host=host, ssl_ca_cert=ca, verify_ssl=verify)
    configuration = Configuration.get_default_copy()
    if configuration.connection_pool_maxsize:
        configuration.connection_pool_maxsize = 0
        Configuration.set_default(configuration)


async def call(
    method: str,
    path: str,
    *,
    doing: str,
    body: Object | None = None,
    query: dict[str, str] | None = None,
    content_type: str = "application/json",
    timeout_s: float = TIMEOUT_S,
) -> Object:
    """Return the answer to one call.

    Parameters
    ----------
    method, path : str
        As in "GET", "/api/v1/namespaces/u-ana/pods".
    doing : str
        What is asked for, as it should appear after "Could not ".
    body : dict, optional
        Sent as JSON.
    query : dict, optional
        Parameters behind the path.
    content_type : str
        Of the body; `MERGE` for a merge patch.
    timeout_s : float
        Seconds until it counts as unanswered.

    Raises
    ------
    AutonoeError
        What `autonoe.kubernetes.errors.from_answer` makes of a refusal.
    UnavailableError
        If there is no answer in time.
    """
    client = shared_client("CoreV1Api").api_client
    try:
        answer = await client.call_api(
            path,
            method,
            query_params=list((query or {}).items()),
            header_params={"Accept": "application/json", "Content-Type": content_type},
            body=body,
            auth_settings=["BearerToken"],
            _preload_content=False,
            _request_timeout=timeout_s,
        )
        async with answer:
            text = await answer.text()
    except ApiException as error:
        raise from_answer(error.status or 0, str(error.body or error.reason), doing) from error
    except (TimeoutError, aiohttp.ClientError, OSError) as error:
        raise UnavailableError(
            f"Could not {doing}: the cluster did not answer ({type(error).__name__}).",
            hint="It may be restarting. Try again in a moment.",
            code="cluster_unavailable",
        ) from error
    if not 200 <= answer.status < 300:
        raise from_answer(answer.status, text, doing)
    return dict(json.loads(text)) if text else {}
