"""The API's own description: `/openapi.json`, made from the classes that validate, and a page at `/docs`, offline."""

from __future__ import annotations

import importlib.resources
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from rtserver.front.app import server_version
from rtserver.http.schemas import Failure, Health, OpenUtterances
from rtserver.metrics.utterance_trace import UtteranceTrace

_UI = ("swagger-ui.css", "swagger-ui-bundle.js")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Speech server</title>
<link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="ui"></div><script src="docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "openapi.json", dom_id: "#ui", validatorUrl: null})</script></body></html>
"""
# The page shows no later version.
_OPENAPI = "3.0.3"


FAILURE = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}}


@dataclass(frozen=True)
class Described:
    """What a dialect adds to the document."""

    # The operations of each path.
    paths: Mapping[str, Any]
    # The classes that the operations refer to by name.
    types: Sequence[type]
    # Multipart forms by their names: the class, and the fields that may also be files.
    forms: Mapping[str, tuple[str, Collection[str]]] = field(default_factory=dict)


class DocsRoutes:
    """The document is made once. Everybody may read it."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/openapi.json", self.openapi),
            web.get("/docs", self.page),
            web.get("/docs/{name}", self.file),
        ]

    async def openapi(self, _request: web.Request) -> web.Response:
        return web.json_response(self._document)

    async def page(self, _request: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    async def file(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in _UI:
            raise web.HTTPNotFound
        with importlib.resources.as_file(importlib.resources.files("swagger_ui_bundle") / "vendor") as vendor:
            return web.FileResponse(next(vendor.glob(f"*/{name}")))


def document(described: Sequence[Described], *, keys: bool) -> dict[str, Any]:
    """OpenAPI of the HTTP side. `keys`: whether a key is wanted."""
    types = [kind for one in described for kind in one.types]
    _, components = msgspec.json.schema_components(
        [*types, Health, UtteranceTrace, OpenUtterances, Failure], ref_template="#/components/schemas/{name}"
    )
    schemas = {name: _for_openapi_3_0(schema) for name, schema in components.items()}
    forms = {
        form: _with_files(form, schemas[name], files)
        for one in described
        for form, (name, files) in one.forms.items()
    }  # fmt: skip
    paths = {path: operations for one in described for path, operations in one.paths.items()}
    made: dict[str, Any] = {
        "openapi": _OPENAPI,
        "info": {
            "title": "Realtime speech server",
            "version": server_version().split("/")[1],
            "description": "Whole requests over HTTP. Text that is still being written goes over the WebSocket "
            "/v1/speech/realtime, which has a protocol of its own; /ws/v1/tts takes these requests as JSON messages.",
        },
        "paths": paths | {
            "/v1/health": {"get": _health()},
            "/metrics": {"get": _metrics(guarded=keys)},
            "/v1/trace/{utterance}": {"get": _trace(guarded=keys)},
            "/v1/utterances": {"get": _utterances(guarded=keys)},
            "/v1/live": {"get": {"operationId": "live", "summary": "Whether the process answers",
                                 "responses": {"200": {"description": "it does"}}, "security": []}},
        },
        "components": {"schemas": schemas | forms},
    }  # fmt: skip
    if keys:
        made["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        made["security"] = [{"bearer": []}, {"header": []}]
    return made


def _for_openapi_3_0(schema: dict[str, Any]) -> dict[str, Any]:
    """It has no type null: what may be null is `nullable`. And no list of what is required may be empty."""
    made: dict[str, Any] = {
        key: _for_openapi_3_0(value) if isinstance(value, dict) else value for key, value in schema.items()
    }
    if made.get("required") == []:
        del made["required"]
    if {"type": "null"} not in made.get("anyOf", ()):
        return made
    others = [_for_openapi_3_0(choice) for choice in made.pop("anyOf") if choice != {"type": "null"}]
    only = others[0] if len(others) == 1 else {"anyOf": others}
    return only | made | {"nullable": True}


def _with_files(form: str, request: dict[str, Any], files: Collection[str]) -> dict[str, Any]:
    """A multipart form's fields."""
    file = {"type": "string", "format": "binary", "description": "a recording: wav, mp3, flac, ogg, m4a"}
    return request | {"title": form, "properties": request["properties"] | dict.fromkeys(files, file)}


def _metrics(*, guarded: bool) -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    responses: dict[str, Any] = {"200": {"description": "Prometheus's text format 0.0.4", "content": text}}
    if guarded:
        responses["401"] = {"description": "unauthorized", **FAILURE}
    return {"operationId": "metrics", "summary": "What was counted, and how the server stands", "responses": responses}


def _trace(*, guarded: bool) -> dict[str, Any]:
    trace = {"application/json": {"schema": {"$ref": "#/components/schemas/UtteranceTrace"}}}
    responses: dict[str, Any] = {
        "200": {"description": "what is known of it", "content": trace},
        "404": {"description": "not_found: the server remembers the latest utterances only", **FAILURE},
    }
    if guarded:
        responses["401"] = {"description": "unauthorized", **FAILURE}
    identity = {"name": "utterance", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "operationId": "trace",
        "summary": "How an utterance was made, and why its listener ran dry",
        "parameters": [identity | {"description": "the utterance's id, as in X-Utterance-Id"}],
        "responses": responses,
    }


def _utterances(*, guarded: bool) -> dict[str, Any]:
    listed = {"application/json": {"schema": {"$ref": "#/components/schemas/OpenUtterances"}}}
    responses: dict[str, Any] = {"200": {"description": "the open utterances, the oldest first", "content": listed}}
    if guarded:
        responses["401"] = {"description": "unauthorized", **FAILURE}
    return {"operationId": "utterances", "summary": "Who is speaking now", "responses": responses}


def _health() -> dict[str, Any]:
    content = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}}
    return {
        "operationId": "health",
        "summary": "Whether an utterance can be spoken now",
        "responses": {"200": {"description": "it can", **content}, "503": {"description": "not now", **content}},
        "security": [],
    }
