"""Errors as OpenAI words them."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec
from aiohttp import web

from rtserver.http.answers import ID_HEADER, STATUS, json_response
from rtserver.messages import wire
from rtserver.session.ids import new_utterance_id

REQUEST_ID_HEADER = "x-request-id"

# The kind of error and the code of OpenAI for ours; other codes stay as they are.
_CODES: Mapping[str, tuple[str, str]] = {
    "unauthorized": ("invalid_request_error", "invalid_api_key"),
    "unknown_voice": ("invalid_request_error", "voice_not_found"),
    "overloaded": ("rate_limit_error", "rate_limit_exceeded"),
    "engine_lost": ("server_error", "engine_lost"),
    "shutting_down": ("server_error", "shutting_down"),
    "internal": ("server_error", "internal"),
}
# Where an error is about a field, its message begins with our name of the field.
_PARAMETERS: Mapping[str, str] = {
    "text": "input",
    "format": "response_format",
    "instruct_text": "instructions",
    "prompt_text": "ref_text",
    "audio": "ref_audio",
}
_FIELD = re.compile(r"([a-z_]+): ")
_PATH = re.compile(r"at `\$\.([a-z_]+)")


class ErrorDetail(msgspec.Struct):
    """What went wrong. param: the field of the request that is not right."""

    message: str
    type: str
    param: str | None
    code: str | None


class OpenAiFailure(msgspec.Struct):
    """Why a request was not answered."""

    error: ErrorDetail


def failure(error: wire.Error) -> OpenAiFailure:
    """The error as JSON."""
    kind, code = _CODES.get(error.code, ("invalid_request_error", error.code))
    if error.code == "unknown_voice":
        return OpenAiFailure(ErrorDetail(error.message, kind, "voice", code))
    message, param = error.message, None
    if (field := _FIELD.match(message)) is not None:
        param = _PARAMETERS.get(field[1], field[1])
        message = f"{param}: {message[field.end() :]}"
    elif (path := _PATH.search(message)) is not None:
        param = path[1]
    return OpenAiFailure(ErrorDetail(message, kind, param, code))


def openai_error(error: wire.Error) -> web.Response:
    """The answer to a request that is refused. The `openai` package waits as long as the headers say."""
    identity = error.id or new_utterance_id()
    headers = {ID_HEADER: identity, REQUEST_ID_HEADER: identity}
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
        headers["retry-after-ms"] = str(error.retry_after_ms)
    return json_response(failure(error), STATUS.get(error.code, 400), headers)
