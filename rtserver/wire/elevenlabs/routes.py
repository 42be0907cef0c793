"""Where ElevenLabs' clients speak: two sockets, and HTTP."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from rtserver.front.access import Credentials
from rtserver.front.app import App
from rtserver.http.guard import guarded
from rtserver.wire.dialect import Handshake
from rtserver.wire.door import socket_route
from rtserver.wire.elevenlabs.dialect import credentials_of
from rtserver.wire.elevenlabs.errors import http_error
from rtserver.wire.elevenlabs.lists import ListRoutes
from rtserver.wire.elevenlabs.multi_stream import MultiStreamDialect
from rtserver.wire.elevenlabs.query import SpeechOffer
from rtserver.wire.elevenlabs.refused import add_voice, dialogue
from rtserver.wire.elevenlabs.speech import SpeechRoutes
from rtserver.wire.elevenlabs.stream_input import StreamInputDialect

_SPEECH = "/v1/text-to-speech/{voice}"
_DIALOGUE = "/v1/text-to-dialogue"
_DIALOGUE_REQUESTS = ("", "/stream", "/with-timestamps", "/stream/with-timestamps")
_DIALOGUE_SOCKETS = ("/stream-input", "/multi-stream-input")


def routes(app: App) -> list[web.RouteDef]:
    """Every path. `GET /v1/models` and `/v1/voices` are for requests with the header `xi-api-key`: other dialects have
    the same paths."""

    def offer() -> SpeechOffer:
        """What can be given now: the voices are known when the engine has started."""
        return SpeechOffer(app.model.sample_rate, app.model.serving.languages, app.voice_names)

    def multi_stream(handshake: Handshake) -> MultiStreamDialect:
        return MultiStreamDialect(handshake, offer=offer())

    def stream_input(handshake: Handshake) -> StreamInputDialect:
        return StreamInputDialect(handshake, offer=offer())

    lists, speech = ListRoutes(app), SpeechRoutes(app, offer)
    for_speakers = partial(guarded, app, "speak", credentials=_credentials_in, refused=http_error)
    return [
        web.get(f"{_SPEECH}/multi-stream-input", socket_route(app, multi_stream)),
        web.get(f"{_SPEECH}/stream-input", socket_route(app, stream_input)),
        web.post(_SPEECH, for_speakers(speech.plain())),
        web.post(f"{_SPEECH}/stream", for_speakers(speech.plain())),
        web.post(f"{_SPEECH}/with-timestamps", for_speakers(speech.timed_whole())),
        web.post(f"{_SPEECH}/stream/with-timestamps", for_speakers(speech.timed_lines())),
        web.get("/v1/voices", for_speakers(lists.voices)),
        web.get("/v2/voices", for_speakers(lists.voices)),
        web.get("/v1/voices/{voice}", for_speakers(lists.voice)),
        web.post("/v1/voices/add", for_speakers(add_voice)),
        web.get("/v1/models", for_speakers(lists.models)),
        *(web.post(f"{_DIALOGUE}{path}", for_speakers(dialogue)) for path in _DIALOGUE_REQUESTS),
        *(web.get(f"{_DIALOGUE}{path}", for_speakers(dialogue)) for path in _DIALOGUE_SOCKETS),
    ]


def _credentials_in(request: web.Request) -> Credentials:
    return credentials_of(request.headers, request.query)
