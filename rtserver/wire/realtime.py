"""`GET /v1/realtime`: the native wire's door."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from aiohttp import web

from rtserver.front.access import Credentials, Refused
from rtserver.front.app import App
from rtserver.http.answers import error_response, no_handshake
from rtserver.messages import wire
from rtserver.session.ids import new_utterance_id
from rtserver.session.start_request import RequestError
from rtserver.wire.native import NativeLimits, NativeSocket


class RealtimeRoute:
    """Opens a socket, or says why not."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def realtime(self, request: web.Request) -> web.StreamResponse:
        app = self._app
        if (answer := no_handshake(request)) is not None:
            return answer
        try:
            caller = await app.access.identify(Credentials.of(request.headers, request.query), request.remote)
            app.access.require(caller, "speak")
        except Refused as error:
            return await _turn_away(request, error.error, 1008)
        refused = app.refusal()
        if refused is not None and refused.code == "overloaded":
            return await _turn_away(request, refused, 1013)
        if refused is not None:
            return error_response(refused)
        limits = NativeLimits(app.config.message_bytes, app.config.slow_reader_s)
        with contextlib.ExitStack() as stack:
            try:
                caller = stack.enter_context(app.reserved(caller, _share(request)))
            except Refused as error:
                return await _turn_away(request, error.error, 1013)
            except RequestError as error:
                app.metrics.refused(error.code)
                return await _turn_away(request, wire.Error(error.code, str(error)), 1008)
            connection = stack.enter_context(app.connection(caller))
            return await NativeSocket(connection, app.recordings, limits).serve(request)


def _share(request: web.Request) -> float | None:
    """`?reserve=SHARE`: how much of the time the conversation speaks. Raises RequestError."""
    text = request.query.get("reserve")
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        if 0 < (share := float(text)) <= 1:
            return share
    what = f"reserve: expected a share of the time, above 0 and at most 1, found {text!r:.40}"
    raise RequestError("bad_message", what)


async def _turn_away(request: web.Request, error: wire.Error, close_code: int) -> web.WebSocketResponse:
    """Opens a WebSocket to say why it closes: a browser sees no HTTP status."""
    ws = web.WebSocketResponse(protocols=(wire.JSON_SUBPROTOCOL, wire.MSGPACK_SUBPROTOCOL), compress=False, timeout=2.0)
    await ws.prepare(request)
    error = error if error.id is not None else replace(error, id=new_utterance_id())
    if ws.ws_protocol == wire.MSGPACK_SUBPROTOCOL:
        await ws.send_bytes(wire.SERVER.to_msgpack(error))
    else:
        await ws.send_str(wire.SERVER.to_json(error))
    await ws.close(code=close_code, message=error.code.encode())
    return ws
