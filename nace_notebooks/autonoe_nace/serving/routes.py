"""The one table of routes: the server, its metrics and its OpenAPI page all follow from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from autonoe_nace.serving import insee_schema as insee
from autonoe_nace.serving import schema as native

_KEYED = (401,)
_BODY = (400, 408, 413, 415, 422)
_QUERY = (400, 422)


@dataclass(frozen=True)
class Route:
    """One address and what it takes and gives."""

    method: str
    path: str
    name: str
    """Names the handler, and the operation in the OpenAPI document."""
    tag: str
    summary: str
    answer: Any
    """The type of a good answer; ``str`` for text, ``dict`` for any JSON object."""
    query: Any = None
    body: Any = None
    key: bool = True
    counted: bool = False
    """Whether a request counts against the limits of its key."""
    media_type: str = "application/json"
    example: Any = None

    @property
    def failures(self) -> tuple[int, ...]:
        """Return the statuses other than 200 that the route can answer with."""
        found: set[int] = {500}
        found |= set(_KEYED) if self.key else set()
        found |= {429} if self.counted else set()
        found |= (
            {503} if self.name not in {"live", "openapi", "docs", "usage", "metrics"} else set()
        )
        found |= set(_BODY) if self.body is not None else set()
        found |= set(_QUERY) if self.query is not None else set()
        return tuple(sorted(found))


_TEXT = "coltivazione di riso"

ROUTES = (
    Route(
        *("POST", "/v1/predict", "predict", "Native"),
        summary="Code up to 1,000 records",
        body=native.PredictRequest,
        answer=native.PredictAnswer,
        counted=True,
        example={"records": [{"text": _TEXT, "features": {}}], "top_k": 5},
    ),
    Route(
        *("POST", "/v1/evaluate", "evaluate", "Native"),
        summary="How often the model is right on records with known codes",
        body=native.EvaluateRequest,
        answer=native.EvaluateAnswer,
        counted=True,
        example={"records": [{"text": _TEXT, "code": "01.12"}], "top_k": 5},
    ),
    Route(
        *("GET", "/v1/models", "models", "Native"),
        summary="Which model answers",
        answer=native.ModelsAnswer,
    ),
    Route(
        *("GET", "/v1/usage", "usage", "Native"),
        summary="What the key that asks used and may still use",
        answer=native.UsageAnswer,
    ),
    Route(
        *("GET", "/predict", "insee_predict", "As INSEE's API"),
        summary="Code one text",
        query=insee.InseeQuery,
        answer=insee.Row,
        counted=True,
        example={"text_description": _TEXT, "nb_echos_max": 5},
    ),
    Route(
        *("POST", "/predict-batch", "insee_batch", "As INSEE's API"),
        summary="Code columns of texts",
        query=insee.InseeOptions,
        body=insee.InseeBatch,
        answer=list[insee.Row],
        counted=True,
        example={"text_description": [_TEXT], "type_": [""], "nature": [""], "surface": [""]},
    ),
    Route(
        *("POST", "/evaluation", "insee_evaluation", "As INSEE's API"),
        summary="Code columns of texts and compare with known codes",
        query=insee.InseeOptions,
        body=insee.InseeEvaluation,
        answer=list[insee.Row],
        counted=True,
        example={"text_description": [_TEXT], "code": ["0112Z"]},
    ),
    Route(
        *("POST", "/predict/", "insee_forms", "As INSEE's API"),
        summary="Code declarations",
        query=insee.InseeOptions,
        body=insee.InseeForms,
        answer=list[insee.Row],
        counted=True,
        example={"forms": [{"description_activity": _TEXT}]},
    ),
    Route(
        *("GET", "/health/live", "live", "Operation"),
        summary="The process runs",
        answer=native.LiveAnswer,
        key=False,
    ),
    Route(
        *("GET", "/health/ready", "ready", "Operation"),
        summary="A model answers",
        answer=native.ReadyAnswer,
        key=False,
    ),
    Route(
        *("GET", "/metrics", "metrics", "Operation"),
        summary="Metrics for Prometheus, summed over the workers",
        answer=str,
        media_type="text/plain",
    ),
    Route(
        *("GET", "/openapi.json", "openapi", "Operation"),
        summary="This description in OpenAPI 3.1",
        answer=dict,
        key=False,
    ),
    Route(
        *("GET", "/docs", "docs", "Operation"),
        summary="This description as a page to read and try",
        answer=str,
        key=False,
        media_type="text/html",
    ),
)
