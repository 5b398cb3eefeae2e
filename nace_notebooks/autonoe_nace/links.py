"""Links from a notebook to the platform's pages."""

from __future__ import annotations

import html
import os

import ipywidgets as widgets


def page_link(path: str, text: str, *, page: str = "mlflow/") -> widgets.HTML:
    """Return a link to a page behind the person's own server, such as a run in MLflow.

    A widget, since JupyterLab takes an absolute path in Markdown for a file of its own.

    Parameters
    ----------
    path : str
        Within the page, such as ``#/experiments/1/runs/…``.
    text : str
        What the link says.
    page : str
        Path of the page below the server.
    """
    address = f"{os.environ.get('JUPYTERHUB_SERVICE_PREFIX', '/')}{page}{path}"
    return widgets.HTML(
        f'<a href="{html.escape(address)}" target="_blank" rel="noopener">{html.escape(text)}</a>'
    )
