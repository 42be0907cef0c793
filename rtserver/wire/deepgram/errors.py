"""Errors in Deepgram's words."""

from __future__ import annotations

from aiohttp import web

from rtserver.http.answers import header_text
from rtserver.messages import wire
from rtserver.session.ids import new_utterance_id

_BAD = (400, "INVALID_QUERY_PARAMETER")
# The HTTP status and Deepgram's name of each code; 400 Bad Request for any other.
_IN_HTTP = {
    "unauthorized": (401, "INVALID_AUTH"),
    "unknown_voice": _BAD,
    "unsupported_format": _BAD,
    "text_too_long": (413, "PAYLOAD_TOO_LARGE"),
    "message_too_big": (413, "PAYLOAD_TOO_LARGE"),
    "idle_timeout": (408, "REQUEST_TIMEOUT"),
    "slow_reader": (408, "REQUEST_TIMEOUT"),
    "overloaded": (429, "TOO_MANY_REQUESTS"),
    "rate_limited": (429, "TOO_MANY_REQUESTS"),
    "engine_lost": (503, "SERVICE_UNAVAILABLE"),
    "shutting_down": (503, "SERVICE_UNAVAILABLE"),
    "internal": (500, "INTERNAL_SERVER_ERROR"),
}
# What the client has sent wrong, on a socket. Any other error is NET-0000: the service failed.
_ON_A_SOCKET = {
    **dict.fromkeys(("bad_message", "unknown_type", "unknown_field"), "MESSAGE-0000"),
    **dict.fromkeys(("text_too_long", "message_too_big", "rate_limited"), "BIG-0000"),
}


def http_error(error: wire.Error) -> web.Response:
    """The answer to a request or a handshake that is refused. Clients on sockets find the reason in `dg-error`, because
    they cannot read the body."""
    status, name = _IN_HTTP.get(error.code, (400, "Bad Request"))
    request = error.id or new_utterance_id()
    headers = {"dg-error": header_text(error.message), "dg-request-id": request}
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    body = {"err_code": name, "err_msg": error.message, "request_id": request}
    return web.json_response(body, status=status, headers=headers)


def socket_code(error: wire.Error) -> str:
    """Deepgram's code for an error on an open socket."""
    return _ON_A_SOCKET.get(error.code, "NET-0000")


def socket_text(error: wire.Error) -> str:
    """What is told on an open socket; with the id by which the log knows it."""
    return f"{error.code}: {error.message}" + ("" if error.id is None else f" ({error.id})")
