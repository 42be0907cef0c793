"""Which voices there are."""

from __future__ import annotations

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.answers import error_response, json_response
from rtserver.wire.tts_v1.schemas import Speakers, VoiceEntry, VoiceList


class VoiceRoutes:
    """`/v1/speakers` names them, as the old server did; `/v1/voices` tells more."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def speakers(self, _request: web.Request) -> web.Response:
        engine, refused = self._app.engine, self._app.refusal()
        if engine is None or refused is not None:
            assert refused is not None
            return error_response(refused)
        return json_response(Speakers(engine.info.voices))

    async def voices(self, _request: web.Request) -> web.Response:
        engine, refused = self._app.engine, self._app.refusal()
        if engine is None or refused is not None:
            assert refused is not None
            return error_response(refused)
        voices = [VoiceEntry(v.name, v.name, v.aliases, v.language, v.gender) for v in engine.info.voice_details]
        return json_response(VoiceList(voices, len(voices), self._app.model.serving.default_voice))
