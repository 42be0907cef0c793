"""What ElevenLabs' clients may ask for and this server does not have. The answer says what to do."""

from __future__ import annotations

from aiohttp import web

from rtserver.messages import wire
from rtserver.wire.elevenlabs.errors import http_error

NO_VOICES_TO_ADD = "expected no voice to add: this server speaks with the voices that it was started with"
NO_DIALOGUE = (
    "model_id: expected a model that speaks on /v1/text-to-speech, as eleven_flash_v2_5; found text-to-dialogue, "
    "the protocol of eleven_v3 and eleven_v4, which is not known here"
)


async def add_voice(_request: web.Request) -> web.Response:
    """Voices are not stored by a request."""
    return http_error(wire.Error("bad_message", NO_VOICES_TO_ADD))


async def dialogue(_request: web.Request) -> web.Response:
    """LiveKit's plugin asks for it where the model's name is that of a newer one."""
    return http_error(wire.Error("bad_message", NO_DIALOGUE))
