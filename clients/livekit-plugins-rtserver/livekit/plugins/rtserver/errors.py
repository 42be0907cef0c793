"""The server's errors in LiveKit's terms."""

from __future__ import annotations

from livekit.agents import APIConnectionError, APIError, APIStatusError

from rtclient import ClientError, ServerError

# The framework tries again after 429 and 5xx, and not after other 4xx.
_STATUS = {
    "unauthorized": 401,
    "unknown_voice": 404,
    "message_too_big": 413,
    "overloaded": 429,
    "rate_limited": 429,
    "too_many_contexts": 429,
    "slow_reader": 408,
    "idle_timeout": 408,
    "internal": 500,
    "engine_lost": 503,
    "shutting_down": 503,
}


def api_error(error: ClientError) -> APIError:
    """The error that a plugin raises in place of ours."""
    if isinstance(error, ServerError):
        body = {"code": error.code, "message": error.message, "retry_after_ms": error.retry_after_ms}
        return APIStatusError(str(error), status_code=_STATUS.get(error.code, 400), body=body)
    return APIConnectionError(str(error))
