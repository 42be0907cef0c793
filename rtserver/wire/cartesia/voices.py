"""`GET /voices`, `/voices/{id}`: which voices there are, as Cartesia's clients read them."""

from __future__ import annotations

import msgspec
from aiohttp import web

from rtserver.front.access import Refused
from rtserver.front.app import App
from rtserver.http.answers import json_response
from rtserver.ipc.engine import VoiceInfo
from rtserver.messages import wire
from rtserver.wire.cartesia.errors import http_error

# Clients want a time, and the checkpoint has none.
_CREATED = "2024-01-01T00:00:00Z"
_GENDERS = {"female": "feminine", "male": "masculine"}


class Locale(msgspec.Struct):
    """A language that a voice speaks."""

    locale: str
    is_native: bool = True


class VoiceEntry(msgspec.Struct):
    """A voice. language: the one that it was recorded in."""

    id: str
    name: str
    language: str
    gender: str | None
    locales: list[Locale]
    description: str = ""
    tagline: str = ""
    created_at: str = _CREATED
    access: str = "public"
    visibility: str = "all"
    user_id: str = ""
    is_owner: bool = False
    is_public: bool = True


class VoicePage(msgspec.Struct):
    """Some of the voices, in their order."""

    data: list[VoiceEntry]
    has_more: bool
    next_page: str | None


class VoiceRoutes:
    """The server's own voices. A voice of Cartesia's is none of them, but speaks too."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def voices(self, request: web.Request) -> web.Response:
        """A page of the list: `limit`, `starting_after`, `ending_before`, `gender`, `q`, `is_owner`."""
        try:
            found = [_entry(voice) for voice in self._app.speaking_engine().info.voice_details]
        except Refused as refused:
            return http_error(refused.error)
        query, ids = request.query, [voice.id for voice in found]
        if (after := query.get("starting_after")) is not None:
            found = found[ids.index(after) + 1 :] if after in ids else []
        elif (before := query.get("ending_before")) is not None:
            found = found[: ids.index(before)] if before in ids else []
        limit = query.get("limit", "100")
        if not (limit.isascii() and limit.isdigit() and 1 <= len(limit) <= 3 and 1 <= int(limit) <= 100):
            return http_error(wire.Error("bad_message", f"limit: expected 1 to 100, found {limit[:20]!r:.20}"))
        asked = query.get("q", "").casefold()
        found = [
            voice
            for voice in found
            if asked in voice.name.casefold()
            and query.get("gender", voice.gender) == voice.gender
            and query.get("is_owner") != "true"
        ]
        page = found[-int(limit) :] if "ending_before" in query else found[: int(limit)]
        return json_response(VoicePage(page, len(page) < len(found), page[-1].id if page else None))

    async def voice(self, request: web.Request) -> web.Response:
        name = request.match_info["id"]
        try:
            details = self._app.speaking_engine().info.voice_details
        except Refused as refused:
            return http_error(refused.error)
        for voice in details:
            if name in (voice.name, *voice.aliases):
                return json_response(_entry(voice))
        what = f"voice: expected an id of GET /voices, found {name[:60]!r:.60}"
        return http_error(wire.Error("unknown_voice", what))


def _entry(voice: VoiceInfo) -> VoiceEntry:
    language = voice.language or "en"
    gender = _GENDERS.get(voice.gender or "")
    return VoiceEntry(voice.name, voice.name, language, gender, [Locale(language)])
