"""Where the native wire is spoken."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from rtserver.front.app import App
from rtserver.wire.door import socket_route
from rtserver.wire.native.dialect import NativeDialect


def routes(app: App) -> list[web.RouteDef]:
    """A path of its own, and one where clients of OpenAI Realtime come by mistake."""
    return [
        web.get("/v1/speech/realtime", socket_route(app, NativeDialect)),
        web.get("/v1/realtime", socket_route(app, partial(NativeDialect, shares_path=True))),
    ]
