"""Where the old server's protocol is spoken: its socket, and whole requests over HTTP."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.guard import guarded
from rtserver.wire.door import socket_route
from rtserver.wire.tts_v1.dialect import TtsDialect
from rtserver.wire.tts_v1.speech import TtsRoutes
from rtserver.wire.tts_v1.voices import VoiceRoutes


def routes(app: App) -> list[web.RouteDef]:
    """Every path."""
    speech, voices, config = TtsRoutes(app), VoiceRoutes(app), app.config
    dialect = partial(TtsDialect, upload_bytes=config.upload_bytes, waiting_chars=config.message_bytes)
    return [
        web.get("/ws/v1/tts", socket_route(app, dialect)),
        web.post("/v1/tts", guarded(app, "speak", speech.tts)),
        web.post("/v1/tts/stream", guarded(app, "speak", speech.stream)),
        web.get("/v1/voices", guarded(app, "speak", voices.voices)),
        web.get("/v1/speakers", guarded(app, "speak", voices.speakers)),
    ]
