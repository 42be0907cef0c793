"""Where OpenAI's protocol is spoken."""

from __future__ import annotations

from functools import partial

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.guard import guarded
from rtserver.wire.openai.errors import openai_error
from rtserver.wire.openai.lists import ListRoutes
from rtserver.wire.openai.speech import SpeechRoute


def routes(app: App) -> list[web.RouteDef]:
    """Every path."""
    lists, speech = ListRoutes(app), SpeechRoute(app)
    for_speakers = partial(guarded, app, "speak", refused=openai_error)
    return [
        web.post("/v1/audio/speech", for_speakers(speech.speech)),
        web.get("/v1/audio/voices", for_speakers(lists.voices)),
        web.get("/v1/audio/models", for_speakers(lists.speech_models)),
        web.get("/v1/models", for_speakers(lists.models)),
        web.get("/v1/models/{model}", for_speakers(lists.model)),
    ]
