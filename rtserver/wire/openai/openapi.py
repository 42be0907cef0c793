"""This dialect, as the API's document describes it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rtserver.http.answers import STATUS
from rtserver.http.docs import FAILURE, Described
from rtserver.messages import wire
from rtserver.wire.openai.errors import OpenAiFailure
from rtserver.wire.openai.events import AudioDelta, AudioDone, AudioError
from rtserver.wire.openai.lists import ModelEntry, ModelList, SpeechModels, SpeechVoices
from rtserver.wire.openai.request import RECORDINGS, SpeechRequest

_SOUND = {"schema": {"type": "string", "format": "binary"}}
# Each event; its data is the JSON of an AudioDelta, an AudioDone or an AudioError.
_EVENT = {"type": "object", "properties": {"data": {"type": "string"}}}
_KINDS = ("audio/mpeg", "audio/ogg", "audio/aac", "audio/flac", "audio/wav", "audio/pcm", "audio/basic")


def described(*, keys: bool) -> Described:
    """`keys`: whether a key is wanted."""
    model = {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}}
    names = {"name": "format", "in": "query", "schema": {"type": "string"}, "description": "names: names alone"}
    return Described(
        types=[
            *(SpeechRequest, SpeechVoices, SpeechModels, ModelList, ModelEntry, OpenAiFailure),
            *(AudioDelta, AudioDone, AudioError),
        ],
        paths={
            "/v1/audio/speech": {"post": _speech()},
            "/v1/audio/voices": {
                "get": _get("The voices", "speech_voices", "SpeechVoices", {503: "engine_lost, shutting_down"}, keys)
                | {"parameters": [names]}
            },
            "/v1/audio/models": {"get": _get("The models that speak", "speech_models", "SpeechModels", {}, keys)},
            "/v1/models": {"get": _get("The models", "models", "ModelList", {}, keys)},
            "/v1/models/{model}": {
                "get": _get("A model", "model", "ModelEntry", {404: "model_not_found"}, keys) | {"parameters": [model]}
            },
        },
        forms={"SpeechForm": ("SpeechRequest", RECORDINGS.in_forms)},
    )


def _ref(name: str) -> dict[str, Any]:
    return {"schema": {"$ref": f"#/components/schemas/{name}"}}


def _failures(statuses: Mapping[int, str]) -> dict[str, Any]:
    content = {"application/json": _ref("OpenAiFailure")}
    return {str(status): {"description": why, "content": content} for status, why in sorted(statuses.items())}


def _speech() -> dict[str, Any]:
    codes: dict[int, list[str]] = {}
    for code in sorted(wire.CODES):
        codes.setdefault(STATUS.get(code, 400), []).append(code)
    failures = _failures({status: ", ".join(names) for status, names in codes.items()})
    content = dict.fromkeys(_KINDS, _SOUND) | {"text/event-stream": {"schema": _EVENT}}
    return {
        "operationId": "speech",
        "summary": "Speak a text, as OpenAI does",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": _ref("SpeechRequest"),
                "multipart/form-data": _ref("SpeechForm"),
                "application/x-www-form-urlencoded": _ref("SpeechRequest"),
            },
        },
        "responses": {
            "200": {"description": "speech", "content": content},
            **failures,
            "415": {"description": "a packed body", **FAILURE},
        },
    }


def _get(summary: str, operation: str, schema: str, failures: Mapping[int, str], keys: bool) -> dict[str, Any]:
    all_failures = {429: "overloaded", **failures} | ({401: "unauthorized"} if keys else {})
    answer = {"description": "as asked", "content": {"application/json": _ref(schema)}}
    return {
        "operationId": operation,
        "summary": summary,
        "responses": {"200": answer, **_failures(all_failures)},
    }
