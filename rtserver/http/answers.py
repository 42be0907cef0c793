"""Errors as HTTP answers: the wire's codes, each with its status."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from rtserver.messages import wire
from rtserver.session.ids import new_utterance_id
from rtserver.session.start_request import RequestError
from rtserver.uploads.errors import UploadError

ID_HEADER = "X-Utterance-Id"
_LONGEST_HEADER = 1000  # some clients refuse longer heads of answers
STATUS: Mapping[str, int] = {
    "unauthorized": 401,
    "unknown_voice": 404,
    "message_too_big": 413,
    "overloaded": 429,  # clients of speech services try again after 429, not after other 4xx
    "slow_reader": 408,
    "idle_timeout": 408,
    "internal": 500,
    "engine_lost": 503,
    "shutting_down": 503,
}


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A value of rtserver.http.schemas as JSON."""
    body = msgspec.json.encode(value)
    return web.Response(body=body, content_type="application/json", charset="utf-8", status=status, headers=headers)


def client_error(error: RequestError | UploadError) -> wire.Error:
    """What is wrong with a request, as the wire says it."""
    return wire.Error(error.code, str(error), error.code == "overloaded")


def error_body(error: wire.Error) -> dict[str, object]:
    """The error as JSON."""
    body: dict[str, object] = {"code": error.code, "message": error.message, "retryable": error.retryable}
    body["id"] = error.id or new_utterance_id()
    return body if error.retry_after_ms is None else body | {"retry_after_ms": error.retry_after_ms}


def error_response(error: wire.Error) -> web.Response:
    """The status of the code (400 where none is named), and the error."""
    headers = {}
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    return refusal(STATUS.get(error.code, 400), error_body(error), headers)


def no_handshake(request: web.Request) -> web.Response | None:
    """The answer to a request for a WebSocket that is none."""
    if request.headers.get("Upgrade", "").lower() == "websocket":
        return None
    body = {"code": "bad_message", "message": "expected a WebSocket handshake"}
    return refusal(426, body, {"Upgrade": "websocket"})


def refusal(status: int, error: Mapping[str, object], headers: Mapping[str, str] | None = None) -> web.Response:
    """An error of HTTP's own. It has an id, which is in a header too."""
    body = {"id": new_utterance_id()} | dict(error)
    told = {ID_HEADER: str(body["id"])} | dict(headers or {})
    return web.json_response({"error": body}, status=status, headers=told)


def header_text(text: str) -> str:
    """As a header can hold it: on one line, in ASCII."""
    return " ".join(text.encode("ascii", "backslashreplace").decode().split())[:_LONGEST_HEADER]
