"""The NACE API in one process, with the requests that each of its routes answers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from starlette.testclient import TestClient

from autonoe import apikeys
from autonoe_nace.serving.app import ServingApp
from autonoe_nace.serving.settings import ServingSettings

TEXT = "coltivazione di cereali"


@contextmanager
def running(options: ServingSettings) -> Iterator[TestClient]:
    """Run the application with its model loaded."""
    app = ServingApp(options)
    app.holder.load()
    with TestClient(app.asgi(), raise_server_exceptions=False) as client:
        yield client


def new_key(path: Path, **limits: Any) -> str:
    """Add a key to the file ``path`` and return it."""
    key, entry = apikeys.mint(**limits)
    with apikeys.editing(path) as entries:
        entries.append(entry)
    return key


class Ask(NamedTuple):
    """A request that is answered well, and one that is malformed."""

    method: str
    path: str
    key: bool
    query: dict[str, str] | None = None
    body: Any = None
    bad_query: dict[str, str] | None = None
    bad_body: Any = None


FORM = {"description_activity": TEXT, "type_form": "C", "nature": "03", "surface": "1", "cj": "1"}
BATCH = {
    "text_description": [TEXT, "produzione di pane"],
    "type_": ["C", "01A"],
    "nature": ["03", ""],
    "surface": ["1", None],
    "event": ["01P", "01A"],
}
ASKS = (
    Ask("POST", "/v1/predict", True, None, {"records": [{"text": TEXT}]}, None, {"records": 5}),
    Ask(
        *("POST", "/v1/evaluate", True, None),
        {"records": [{"text": TEXT, "code": "01.11"}]},
        None,
        {"records": [{"text": TEXT}]},
    ),
    Ask("GET", "/v1/models", True),
    Ask("GET", "/v1/usage", True),
    Ask("GET", "/metrics", True),
    Ask(
        *("GET", "/predict", True),
        {"text_description": TEXT, "type_liasse": "C", "nature": "03", "event": "01A"},
        None,
        {"text_description": TEXT, "nb_echos_max": "0"},
    ),
    Ask("POST", "/predict-batch", True, None, BATCH, None, {"text_description": "one"}),
    Ask(
        *("POST", "/evaluation", True, None),
        {**BATCH, "code": ["0111", "1071"]},
        None,
        {**BATCH, "code": ["0111"]},
    ),
    Ask("POST", "/predict/", True, None, {"forms": [FORM]}, None, {"forms": [{}]}),
    Ask("GET", "/health/live", False),
    Ask("GET", "/health/ready", False),
    Ask("GET", "/openapi.json", False),
    Ask("GET", "/docs", False),
)
