"""Addresses that open a page of the platform logged in, for the one who may hand them out."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote

from autonoe.embedded import links
from autonoe.embedded.layout import Layout
from autonoe.embedded.platform_file import PlatformFile
from autonoe.names import normalise_name

DASHBOARD_PAGE = "voila/render/nace/dashboard.ipynb"


def make(layout: Layout, account: str, result: dict[str, Any]) -> dict[str, str]:
    """Return the links to the run, the API and the dashboard; notes in ``result`` if one-time.

    Parameters
    ----------
    layout : Layout
        The platform's data folder.
    account : str
        Whose pages.
    result : dict
        Of the demo: ``run_path`` and ``api``.
    """
    public = PlatformFile.load(layout).public_url
    once = os.access(layout.tickets, os.W_OK)
    result["links_once"] = once
    home = f"/user/{quote(normalise_name(account))}"
    return {
        "MLflow run": _page(layout, account, public, f"{home}/mlflow/{result['run_path']}", once),
        "API": f"{result['api']}v1/predict",
        "Dashboard": _page(layout, account, public, f"{home}/{DASHBOARD_PAGE}", once),
    }


def _page(layout: Layout, account: str, public: str, path: str, once: bool) -> str:
    if not once:
        return public + path
    # the spawn page starts the person's server when it is not there, and passes on when it is
    start = f"/hub/spawn/{quote(normalise_name(account))}?next={quote(path, safe='')}"
    return links.link(public, links.mint(layout, account, next_path=start))
