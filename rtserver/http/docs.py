"""The API's own description: `/openapi.json`, made from the classes that validate, and a page at `/docs`, offline."""

from __future__ import annotations

import importlib.resources
from typing import Any

import msgspec
from aiohttp import web

from rtserver.front.app import App, server_version
from rtserver.http.answers import STATUS
from rtserver.http.body import FILE_FIELDS
from rtserver.http.request import TtsRequest
from rtserver.http.schemas import Failure, Health, Speakers, Speech, VoiceList
from rtserver.messages import wire

_UI = ("swagger-ui.css", "swagger-ui-bundle.js")
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Speech server</title>
<link rel="stylesheet" href="docs/swagger-ui.css"></head>
<body><div id="ui"></div><script src="docs/swagger-ui-bundle.js"></script>
<script>SwaggerUIBundle({url: "openapi.json", dom_id: "#ui", validatorUrl: null})</script></body></html>
"""
# The page shows no later version.
_OPENAPI = "3.0.3"


class DocsRoutes:
    """The document is made once."""

    def __init__(self, app: App) -> None:
        self._document = document(keys=bool(app.config.api_keys))

    def add_to(self, router: web.UrlDispatcher) -> None:
        router.add_get("/openapi.json", self.openapi)
        router.add_get("/docs", self.page)
        router.add_get("/docs/{name}", self.file)

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


def document(*, keys: bool) -> dict[str, Any]:
    """OpenAPI of the HTTP side. `keys`: whether a key is wanted."""
    _, components = msgspec.json.schema_components(
        [TtsRequest, Speech, VoiceList, Speakers, Health, Failure], ref_template="#/components/schemas/{name}"
    )
    schemas = {name: _for_openapi_3_0(schema) for name, schema in components.items()}
    made: dict[str, Any] = {
        "openapi": _OPENAPI,
        "info": {
            "title": "Realtime speech server",
            "version": server_version().split("/")[1],
            "description": "Whole requests over HTTP. Text that is still being written goes over the WebSocket "
            "/v1/realtime, which has a protocol of its own; /ws/v1/tts takes these requests as JSON messages.",
        },
        "paths": {
            "/v1/tts": {"post": _speech("Speak a text", "speak", _JSON_OR_SOUND)},
            "/v1/tts/stream": {"post": _speech("Speak a text, as sound that begins at once", "stream", _SOUND)},
            "/v1/voices": {"get": _get("The voices", "voices", "VoiceList", guarded=keys)},
            "/v1/speakers": {"get": _get("The voices' names", "speakers", "Speakers", guarded=keys)},
            "/v1/health": {"get": _health()},
            "/metrics": {"get": _metrics(guarded=keys)},
            "/v1/live": {"get": {"operationId": "live", "summary": "Whether the process answers",
                                 "responses": {"200": {"description": "it does"}}, "security": []}},
        },
        "components": {"schemas": schemas | {"TtsForm": _with_files(schemas["TtsRequest"])}},
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
    (other,) = (choice for choice in made.pop("anyOf") if choice != {"type": "null"})
    return _for_openapi_3_0(other) | made | {"nullable": True}


def _with_files(request: dict[str, Any]) -> dict[str, Any]:
    """A multipart form's fields."""
    file = {"type": "string", "format": "binary", "description": "a recording: wav, mp3, flac, ogg, m4a"}
    return request | {"title": "TtsForm", "properties": request["properties"] | dict.fromkeys(FILE_FIELDS, file)}


_SOUND: dict[str, Any] = {
    name: {"schema": {"type": "string", "format": "binary"}}
    for name in ("audio/pcm", "audio/wav", "audio/ogg", "audio/mpeg", "audio/flac", "audio/basic", "audio/x-alaw-basic")
}
_JSON_OR_SOUND: dict[str, Any] = {"application/json": {"schema": {"$ref": "#/components/schemas/Speech"}}} | _SOUND
_FAILURE = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Failure"}}}}


def _speech(summary: str, operation: str, answer: dict[str, Any]) -> dict[str, Any]:
    body = {"schema": {"$ref": "#/components/schemas/TtsRequest"}}
    files = {"schema": {"$ref": "#/components/schemas/TtsForm"}}
    responses: dict[str, Any] = {"200": {"description": "speech", "content": answer}}
    codes: dict[int, list[str]] = {}
    for code in sorted(wire.CODES):
        codes.setdefault(STATUS.get(code, 400), []).append(code)
    for status, names in sorted(codes.items()):
        responses[str(status)] = {"description": ", ".join(names), **_FAILURE}
    return {
        "operationId": operation,
        "summary": summary,
        "requestBody": {
            "required": True,
            "content": {
                "application/json": body,
                "multipart/form-data": files,
                "application/x-www-form-urlencoded": body,
            },
        },
        "responses": responses,
    }


def _get(summary: str, operation: str, schema: str, *, guarded: bool) -> dict[str, Any]:
    responses: dict[str, Any] = {
        "200": {
            "description": "as asked",
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        },
        "503": {"description": "engine_lost, shutting_down", **_FAILURE},
        "429": {"description": "overloaded", **_FAILURE},
    }
    if guarded:
        responses["401"] = {"description": "unauthorized", **_FAILURE}
    return {"operationId": operation, "summary": summary, "responses": responses}


def _metrics(*, guarded: bool) -> dict[str, Any]:
    text = {"text/plain": {"schema": {"type": "string"}}}
    responses: dict[str, Any] = {"200": {"description": "Prometheus's text format 0.0.4", "content": text}}
    if guarded:
        responses["401"] = {"description": "unauthorized", **_FAILURE}
    return {"operationId": "metrics", "summary": "What was counted, and how the server stands", "responses": responses}


def _health() -> dict[str, Any]:
    content = {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Health"}}}}
    return {
        "operationId": "health",
        "summary": "Whether an utterance can be spoken now",
        "responses": {"200": {"description": "it can", **content}, "503": {"description": "not now", **content}},
        "security": [],
    }
