"""Which models and voices there are, as ElevenLabs' clients read it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from aiohttp import web

from rtserver.front.access import Refused
from rtserver.front.app import App
from rtserver.http.answers import json_response
from rtserver.ipc.engine import VoiceInfo
from rtserver.messages import wire
from rtserver.wire.elevenlabs.errors import http_error

_LANGUAGE_NAMES = {"en": "English", "zh": "Chinese"}


class VoiceItem(msgspec.Struct):
    """A voice. Its name is its id."""

    voice_id: str
    name: str
    labels: Mapping[str, str]
    category: str = "premade"
    description: str | None = None
    preview_url: str | None = None


class VoiceItems(msgspec.Struct):
    """All voices, on one page."""

    voices: list[VoiceItem]
    has_more: bool = False
    total_count: int = 0
    next_page_token: str | None = None


class SpokenLanguage(msgspec.Struct):
    """A language that the model speaks."""

    language_id: str
    name: str


class ModelItem(msgspec.Struct):
    """The model."""

    model_id: str
    name: str
    languages: list[SpokenLanguage]
    maximum_text_length_per_request: int
    max_characters_request_free_user: int
    max_characters_request_subscribed_user: int
    description: str = ""
    can_do_text_to_speech: bool = True
    can_do_voice_conversion: bool = False
    can_be_finetuned: bool = False
    can_use_style: bool = False
    can_use_speaker_boost: bool = False
    serves_pro_voices: bool = False
    requires_alpha_access: bool = False
    token_cost_factor: float = 1.0


class ListRoutes:
    """One model and its voices."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def models(self, _request: web.Request) -> web.Response:
        serving, most_chars = self._app.model.serving, self._app.config.text_chars
        languages = [SpokenLanguage(code, _LANGUAGE_NAMES.get(code, code)) for code in serving.languages]
        return json_response([ModelItem(serving.name, serving.name, languages, most_chars, most_chars, most_chars)])

    async def voices(self, _request: web.Request) -> web.Response:
        try:
            voices = [_item(voice) for voice in self._app.speaking_engine().info.voice_details]
        except Refused as refused:
            return http_error(refused.error)
        return json_response(VoiceItems(voices, total_count=len(voices)))

    async def voice(self, request: web.Request) -> web.Response:
        """One that the server has, or that an alias stands for."""
        name = request.match_info["voice"]
        try:
            details = self._app.speaking_engine().info.voice_details
        except Refused as refused:
            return http_error(refused.error)
        names = self._app.voice_names
        resolved = names.resolve(name)
        for voice in details:
            if resolved in (voice.name, *voice.aliases):
                return json_response(_item(voice))
        if names.knows(name):
            return json_response(VoiceItem(name, resolved, {}))
        what = f"voice_id: expected a voice of this server (GET /v1/voices), found {name[:60]!r:.60}"
        return http_error(wire.Error("unknown_voice", what))


def _item(voice: VoiceInfo) -> VoiceItem:
    labels = {"gender": voice.gender, "language": voice.language}
    return VoiceItem(voice.name, voice.name, {name: value for name, value in labels.items() if value is not None})
