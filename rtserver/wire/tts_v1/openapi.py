"""The HTTP side of this dialect, as the API's document describes it."""

from __future__ import annotations

from typing import Any

from rtserver.http.answers import STATUS
from rtserver.http.docs import FAILURE, Described
from rtserver.messages import wire
from rtserver.wire.tts_v1.request import RECORDINGS, TtsRequest
from rtserver.wire.tts_v1.schemas import Speakers, Speech, VoiceList


def described(*, keys: bool) -> Described:
    """`keys`: whether a key is wanted."""
    return Described(
        types=[TtsRequest, Speech, VoiceList, Speakers],
        paths={
            "/v1/tts": {"post": _speech("Speak a text", "speak", _JSON_OR_SOUND)},
            "/v1/tts/stream": {"post": _speech("Speak a text, as sound that begins at once", "stream", _SOUND)},
            "/v1/voices": {"get": _get("The voices", "voices", "VoiceList", guarded=keys)},
            "/v1/speakers": {"get": _get("The voices' names", "speakers", "Speakers", guarded=keys)},
        },
        forms={"TtsForm": ("TtsRequest", RECORDINGS.in_forms)},
    )


_SOUND: dict[str, Any] = {
    name: {"schema": {"type": "string", "format": "binary"}}
    for name in (
        "audio/pcm",
        "audio/wav",
        "audio/ogg",
        "audio/mpeg",
        "audio/aac",
        "audio/flac",
        "audio/basic",
        "audio/x-alaw-basic",
    )
}
_JSON_OR_SOUND: dict[str, Any] = {"application/json": {"schema": {"$ref": "#/components/schemas/Speech"}}} | _SOUND


def _speech(summary: str, operation: str, answer: dict[str, Any]) -> dict[str, Any]:
    body = {"schema": {"$ref": "#/components/schemas/TtsRequest"}}
    files = {"schema": {"$ref": "#/components/schemas/TtsForm"}}
    responses: dict[str, Any] = {"200": {"description": "speech", "content": answer}}
    codes: dict[int, list[str]] = {}
    for code in sorted(wire.CODES):
        codes.setdefault(STATUS.get(code, 400), []).append(code)
    for status, names in sorted(codes.items()):
        responses[str(status)] = {"description": ", ".join(names), **FAILURE}
    responses["415"] = {"description": "a packed body", **FAILURE}
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
        "503": {"description": "engine_lost, shutting_down", **FAILURE},
        "429": {"description": "overloaded", **FAILURE},
    }
    if guarded:
        responses["401"] = {"description": "unauthorized", **FAILURE}
    return {"operationId": operation, "summary": summary, "responses": responses}
