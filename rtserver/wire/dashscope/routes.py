"""Where DashScope's clients speak."""

from __future__ import annotations

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.guard import guarded
from rtserver.wire.dashscope.dialect import TaskDialect
from rtserver.wire.dashscope.errors import http_error
from rtserver.wire.dashscope.realtime import RealtimeDialect
from rtserver.wire.dashscope.request import TaskOffer
from rtserver.wire.dashscope.speech import FILES_PATH, SpeechRoutes
from rtserver.wire.dialect import Handshake
from rtserver.wire.door import socket_route

_SOCKET_PATH = "/api-ws/v1/inference"
_REALTIME_PATH = "/api-ws/v1/realtime"


def routes(app: App) -> list[web.RouteDef]:
    """Every path. Clients write those of the sockets with and without a slash at their end."""

    def offer() -> TaskOffer:
        """What can be given now: voices and modes are known when the engine has started."""
        modes = () if app.engine is None else app.engine.info.modes
        return TaskOffer(app.model.sample_rate, app.model.serving.languages, modes, app.voice_names)

    def dialect(handshake: Handshake) -> TaskDialect:
        return TaskDialect(handshake, offer=offer())

    def realtime_dialect(handshake: Handshake) -> RealtimeDialect:
        return RealtimeDialect(handshake, offer=offer())

    socket, realtime = socket_route(app, dialect), socket_route(app, realtime_dialect)
    speech = SpeechRoutes(app, offer)
    return [
        web.get(_SOCKET_PATH, socket),
        web.get(f"{_SOCKET_PATH}/", socket),
        web.get(_REALTIME_PATH, realtime),
        web.get(f"{_REALTIME_PATH}/", realtime),
        web.post(
            "/api/v1/services/audio/tts/SpeechSynthesizer", guarded(app, "speak", speech.speech, refused=http_error)
        ),
        web.get(f"{FILES_PATH}/{{name}}", speech.file),
    ]
