"""Where Deepgram's clients speak: Aura at `/v1/speak`, Flux at `/v2/speak`, each as a socket and over HTTP."""

from __future__ import annotations

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.guard import guarded
from rtserver.wire.deepgram.aura import AuraDialect
from rtserver.wire.deepgram.errors import http_error
from rtserver.wire.deepgram.flux import FluxDialect
from rtserver.wire.deepgram.query import SpeakOffer
from rtserver.wire.deepgram.speech import SpeakRoutes, credentials_in
from rtserver.wire.dialect import Handshake
from rtserver.wire.door import socket_route


def routes(app: App) -> list[web.RouteDef]:
    """Every path."""

    def offer() -> SpeakOffer:
        """What can be given now: the voices are known when the engine has started."""
        return SpeakOffer(app.model.sample_rate, app.model.serving.languages, app.voice_names)

    def aura(handshake: Handshake) -> AuraDialect:
        return AuraDialect(handshake, offer=offer())

    def flux(handshake: Handshake) -> FluxDialect:
        return FluxDialect(handshake, offer=offer())

    spoken = guarded(app, "speak", SpeakRoutes(app, offer).speak, credentials=credentials_in, refused=http_error)
    return [
        web.get("/v1/speak", socket_route(app, aura)),
        web.get("/v2/speak", socket_route(app, flux)),
        web.post("/v1/speak", spoken),
        web.post("/v2/speak", spoken),
    ]
