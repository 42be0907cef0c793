"""Errors in DashScope's words."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from rtserver.http.answers import STATUS
from rtserver.messages import wire
from rtserver.session.ids import new_utterance_id

# DashScope's code for ours; InvalidParameter for any other.
_CODES = {
    "unauthorized": "InvalidApiKey",
    "overloaded": "Throttling.RateQuota",
    "rate_limited": "Throttling.RateQuota",
    "idle_timeout": "RequestTimeOut",
    "engine_lost": "ServiceUnavailable",
    "shutting_down": "ServiceUnavailable",
    "internal": "InternalError",
}
# Unlike the usual statuses: the service has none of its own for these.
_STATUSES = {"unknown_voice": 400}


def error_code(error: wire.Error) -> str:
    """DashScope's code of an error."""
    return _CODES.get(error.code, "InvalidParameter")


def error_text(error: wire.Error) -> str:
    """What is told; clients look for the engine's number of an unknown voice."""
    return f"[tts:]Engine return error code: 418: {error.message}" if error.code == "unknown_voice" else error.message


def http_error(error: wire.Error) -> web.Response:
    """The answer to a request or a handshake that is refused."""
    error = replace(error, id=error.id or new_utterance_id())
    headers = {"X-Request-Id": error.id or ""}
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    body = {"code": error_code(error), "message": error_text(error), "request_id": error.id}
    status = _STATUSES.get(error.code, STATUS.get(error.code, 400))
    return web.json_response(body, status=status, headers=headers)
