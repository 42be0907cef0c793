"""Which models and voices there are, in the shapes that clients of OpenAI's API read."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from aiohttp import web

from rtserver.front.access import Refused
from rtserver.front.app import App
from rtserver.http.answers import json_response
from rtserver.wire.openai.errors import ErrorDetail, OpenAiFailure, openai_error

# Clients want a time, and the checkpoint has none.
_CREATED = 1_700_000_000


class ModelEntry(msgspec.Struct):
    """A model, as `GET /v1/models` tells it."""

    id: str
    owned_by: str
    object: str = "model"
    created: int = _CREATED


class ModelList(msgspec.Struct):
    """All models."""

    data: list[ModelEntry]
    object: str = "list"


class SpeechModel(msgspec.Struct):
    """A model, as Open WebUI reads it."""

    id: str
    name: str


class SpeechModels(msgspec.Struct):
    """The models that speak."""

    models: list[SpeechModel]


class SpeechVoice(msgspec.Struct):
    """A voice. language: the one that it was recorded in."""

    id: str
    name: str
    language: str | None
    gender: str | None
    aliases: list[str]


class SpeechVoices(msgspec.Struct):
    """The voices: objects, or with `?format=names` their names alone."""

    voices: Sequence[SpeechVoice | str]


class ListRoutes:
    """One model and its voices."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def models(self, _request: web.Request) -> web.Response:
        return json_response(ModelList([self._model()]))

    async def model(self, request: web.Request) -> web.Response:
        name, known = request.match_info["model"], self._model()
        if name == known.id:
            return json_response(known)
        what = f"model: expected {known.id}, found {name[:60]!r:.60}"
        error = ErrorDetail(what, "invalid_request_error", "model", "model_not_found")
        return json_response(OpenAiFailure(error), 404)

    async def speech_models(self, _request: web.Request) -> web.Response:
        model = self._model()
        return json_response(SpeechModels([SpeechModel(model.id, model.id)]))

    async def voices(self, request: web.Request) -> web.Response:
        try:
            info = self._app.speaking_engine().info
        except Refused as refused:
            return openai_error(refused.error)
        if request.query.get("format") == "names":
            return json_response(SpeechVoices(info.voices))
        voices = [SpeechVoice(v.name, v.name, v.language, v.gender, v.aliases) for v in info.voice_details]
        return json_response(SpeechVoices(voices))

    def _model(self) -> ModelEntry:
        return ModelEntry(self._app.model.serving.name, "cosyvoice-rtserver")
