"""Errors as HTTP answers: the wire's codes, each with its status."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from rtserver.messages import wire

STATUS: Mapping[str, int] = {
    "unauthorized": 401,
    "unknown_voice": 404,
    "message_too_big": 413,
    "overloaded": 429,  # clients of speech services try again after 429, not after other 4xx
    "slow_reader": 408,
    "internal": 500,
    "engine_lost": 503,
    "shutting_down": 503,
}


def json_response(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A value of rtserver.http.schemas as JSON."""
    body = msgspec.json.encode(value)
    return web.Response(body=body, content_type="application/json", charset="utf-8", status=status, headers=headers)


def error_response(error: wire.Error) -> web.Response:
    """The status of the code (400 where none is named), and the error as JSON."""
    body: dict[str, object] = {"code": error.code, "message": error.message, "retryable": error.retryable}
    headers = {}
    if error.retry_after_ms is not None:
        body["retry_after_ms"] = error.retry_after_ms
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    return refusal(STATUS.get(error.code, 400), body, headers)


def refusal(status: int, error: Mapping[str, object], headers: Mapping[str, str] | None = None) -> web.Response:
    """An error of HTTP's own."""
    return web.json_response({"error": dict(error)}, status=status, headers=headers)
