"""The OpenAPI 3.1 document, made from the types that check the requests, and a page of it."""

from __future__ import annotations

import html
import json
import re
from importlib import resources
from typing import Any

import msgspec

import autonoe
from autonoe_nace.serving.exchange import Exchange, Page
from autonoe_nace.serving.routes import ROUTES, Route
from autonoe_nace.serving.schema import ErrorAnswer

_REASONS = {
    400: "Not JSON, or not UTF-8",
    401: "No key, or none that this server knows",
    408: "The body did not arrive in time",
    413: "The body is larger than 1 MiB",
    415: "The body is declared as something other than JSON",
    422: "A field is missing, unknown, of a wrong type or out of range, or no text can be coded",
    429: "The key's rate or daily quota is used up; Retry-After says when to come back",
    500: "The server failed; its log says why",
    503: "There is no model to answer with yet",
}
_RETRY = {"Retry-After": {"schema": {"type": "integer", "minimum": 1}, "description": "Seconds"}}
_ABOUT = """Codes of an activity nomenclature for what firms say about themselves.

Send the key as `Authorization: Bearer KEY` (or `X-API-Key: KEY`, or the password of HTTP Basic).
Every refusal has the form `{"error": {"code", "message", "hint"}}` and never repeats what was sent.
"""


class Description:
    """The document and its page, made once.

    Parameters
    ----------
    keys : bool
        Whether the server asks for keys.
    """

    def __init__(self, *, keys: bool) -> None:
        self._document = build(keys=keys)
        self._json = json.dumps(self._document, ensure_ascii=False).encode()
        self._page = _page(self._document)

    async def document(self, _exchange: Exchange) -> bytes:
        """Answer ``GET /openapi.json``."""
        return self._json

    async def page(self, _exchange: Exchange) -> Page:
        """Answer ``GET /docs``."""
        return self._page


def build(*, keys: bool = True) -> dict[str, Any]:
    """Return the document; with ``keys`` it says where a key goes."""
    types = [t for route in ROUTES for t in (route.body, route.answer, route.query) if _typed(t)]
    schemas, components = msgspec.json.schema_components(
        [*types, ErrorAnswer], ref_template="#/components/schemas/{name}"
    )
    by_type = dict(zip(map(repr, [*types, ErrorAnswer]), schemas, strict=True))
    paths: dict[str, Any] = {}
    for route in ROUTES:
        operation = _operation(route, by_type, components, keys=keys)
        paths.setdefault(route.path, {})[route.method.lower()] = operation
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "NACE coding", "version": autonoe.__version__, "description": _ABOUT},
        # relative to this document: right behind a proxy's prefix, too
        "servers": [{"url": "."}],
        "paths": paths,
        "components": {"schemas": components},
    }
    if keys:
        document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    return document


def _typed(kind: Any) -> bool:
    return kind is not None and kind not in {str, dict}


def _operation(
    route: Route, schemas: dict[str, Any], components: dict[str, Any], *, keys: bool
) -> dict[str, Any]:
    answer = schemas[repr(route.answer)] if _typed(route.answer) else {}
    if not _typed(route.answer):
        answer = {"type": "string" if route.answer is str else "object"}
    responses: dict[str, Any] = {
        "200": {"description": "OK", "content": {route.media_type: {"schema": answer}}}
    }
    for status in route.failures:
        if status == 401 and not keys:
            continue
        responses[str(status)] = {
            "description": _REASONS[status],
            "content": {"application/json": {"schema": schemas[repr(ErrorAnswer)]}},
            **({"headers": _RETRY} if status == 429 else {}),
        }
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "tags": [route.tag],
        "responses": responses,
    }
    if keys and route.key:
        operation["security"] = [{"key": []}]
    if route.query is not None:
        name = schemas[repr(route.query)]["$ref"].rpartition("/")[2]
        example = route.example if route.body is None else None
        operation["parameters"] = _parameters(components[name], example or {})
    if route.body is not None:
        content: dict[str, Any] = {"schema": schemas[repr(route.body)]}
        if route.example is not None:
            content["example"] = route.example
        operation["requestBody"] = {"required": True, "content": {"application/json": content}}
    return operation


def _parameters(schema: dict[str, Any], example: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the fields of a query type as parameters."""
    required = schema.get("required", [])
    out = []
    for name, field in schema["properties"].items():
        rest = {key: value for key, value in field.items() if key != "description"}
        if "anyOf" in rest:  # nothing stands for null in an address: it is left out
            kinds = [kind for kind in rest.pop("anyOf") if kind != {"type": "null"}]
            rest = {**(kinds[0] if len(kinds) == 1 else {"anyOf": kinds}), **rest}
            rest = {key: value for key, value in rest.items() if value is not None}
        parameter = {"name": name, "in": "query", "required": name in required, "schema": rest}
        if "description" in field:
            parameter["description"] = field["description"]
        if name in example:
            parameter["example"] = example[name]
        out.append(parameter)
    return out


def _page(document: dict[str, Any]) -> Page:
    """Return the page: everything in one file, so that it needs no other server."""
    template = resources.files("autonoe_nace.serving").joinpath("docs.html").read_text("utf-8")
    # the document lies in a script element: nothing in it may end that element
    data = json.dumps(document, ensure_ascii=False).replace("<", "\\u003c")
    body = template.replace("{{title}}", html.escape(document["info"]["title"]))
    body = body.replace("{{document}}", data)
    policy = (
        b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
        b"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    )
    assert not re.search(r"https?://(?!www\.w3\.org)", template)  # noqa: S101  see above
    return Page(body.encode(), b"text/html; charset=utf-8", [(b"content-security-policy", policy)])
