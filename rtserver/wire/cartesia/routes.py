"""Where Cartesia's clients speak."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.guard import guarded
from rtserver.wire.cartesia.dialect import CartesiaDialect
from rtserver.wire.cartesia.errors import http_error
from rtserver.wire.cartesia.request import SpeechOffer
from rtserver.wire.cartesia.speech import SpeechRoutes, credentials_in
from rtserver.wire.cartesia.voices import VoiceRoutes
from rtserver.wire.dialect import Handshake
from rtserver.wire.door import socket_route


def routes(app: App) -> list[web.RouteDef]:
    """Every path."""

    def offer() -> SpeechOffer:
        """What can be given now: the voices are known when the engine has started."""
        return SpeechOffer(app.model.sample_rate, app.model.serving.languages, app.voice_names)

    def dialect(handshake: Handshake) -> CartesiaDialect:
        return CartesiaDialect(handshake, offer=offer())

    for_speakers = partial(guarded, app, "speak", credentials=credentials_in, refused=http_error)
    speech, voices = SpeechRoutes(app, offer), VoiceRoutes(app)
    return [
        web.get("/tts/websocket", socket_route(app, dialect)),
        web.post("/tts/bytes", for_speakers(speech.speech)),
        web.post("/tts/sse", for_speakers(speech.speech)),
        web.get("/voices", for_speakers(voices.voices)),
        web.get("/voices/{id}", for_speakers(voices.voice)),
    ]
