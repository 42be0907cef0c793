"""Errors in ElevenLabs' words."""

from __future__ import annotations

from aiohttp import web

from rtserver.http.answers import ID_HEADER
from rtserver.messages import wire
from rtserver.session.ids import new_utterance_id

REQUEST_ID_HEADER = "request-id"
# The HTTP status and ElevenLabs' name of each code; 400 and our own name for any other.
_IN_HTTP = {
    "unauthorized": (401, "invalid_api_key"),
    "unknown_voice": (404, "voice_not_found"),
    "unsupported_format": (400, "invalid_output_format"),
    "text_too_long": (400, "max_character_limit_exceeded"),
    "message_too_big": (413, "message_too_big"),
    "idle_timeout": (408, "input_timeout_exceeded"),
    "slow_reader": (408, "slow_reader"),
    "overloaded": (429, "system_busy"),
    "rate_limited": (429, "rate_limit_exceeded"),
    "engine_lost": (503, "engine_lost"),
    "shutting_down": (503, "shutting_down"),
    "internal": (500, "internal_error"),
}
# How a socket closes that ElevenLabs closes because of an error.
POLICY_CODE = 1008


def http_error(error: wire.Error) -> web.Response:
    """The answer to a request or a handshake that is refused. Their own client tries again after 408, 429 and 5xx, as
    long as `Retry-After` says."""
    status, name = _IN_HTTP.get(error.code, (400, error.code))
    request = error.id or new_utterance_id()
    headers = {ID_HEADER: request, REQUEST_ID_HEADER: request}
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    detail = {"status": name, "code": name, "message": error.message, "request_id": request}
    return web.json_response({"detail": detail}, status=status, headers=headers)


def error_text(error: wire.Error) -> str:
    """ElevenLabs' name of an error, what happened, and the id by which the log knows it."""
    _, name = _IN_HTTP.get(error.code, (400, error.code))
    return f"{name}: {error.message}" + ("" if error.id is None else f" ({error.id})")


def timeout_text(inactivity_s: float) -> str:
    """What ElevenLabs says when no text came for so long."""
    late = f"Have not received a new text input within the timeout of {inactivity_s:g} seconds."
    return f"{late} Streaming input terminated."


def timeout_error(inactivity_s: float) -> dict[str, object]:
    """The same as a message of a socket. Clients compare `error` with the name."""
    return {"message": timeout_text(inactivity_s), "error": "input_timeout_exceeded", "code": POLICY_CODE}


def socket_error(error: wire.Error) -> dict[str, object]:
    """What is told on an open socket. LiveKit shows `error` alone."""
    return {"message": error.message, "error": error_text(error), "code": POLICY_CODE}
