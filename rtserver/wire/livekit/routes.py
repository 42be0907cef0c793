"""Where LiveKit's inference client speaks."""

from __future__ import annotations

from aiohttp import web

from rtserver.front.app import App
from rtserver.wire.dialect import Handshake
from rtserver.wire.door import socket_route
from rtserver.wire.livekit.dialect import InferenceDialect


def routes(app: App) -> list[web.RouteDef]:
    """One socket."""

    def dialect(handshake: Handshake) -> InferenceDialect:
        return InferenceDialect(handshake, sample_rate=app.model.sample_rate, languages=app.model.serving.languages)

    return [web.get("/tts", socket_route(app, dialect))]
