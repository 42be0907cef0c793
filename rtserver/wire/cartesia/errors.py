"""Cartesia's way of refusing a request or a handshake."""

from __future__ import annotations

from dataclasses import replace

from aiohttp import web

from rtserver.http.answers import STATUS
from rtserver.messages import wire
from rtserver.session.ids import new_utterance_id
from rtserver.wire.cartesia.events import explained

REQUEST_ID_HEADER = "X-Request-Id"


def http_error(error: wire.Error) -> web.Response:
    """The answer to a request or a handshake that is refused."""
    error = replace(error, id=error.id or new_utterance_id())
    headers = {REQUEST_ID_HEADER: error.id or ""}
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    return web.json_response(explained(error), status=STATUS.get(error.code, 400), headers=headers)
