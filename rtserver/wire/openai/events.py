"""Sound in server-sent events: `speech.audio.delta` for each piece, then `speech.audio.done`."""

from __future__ import annotations

import base64
from collections.abc import Sequence

import msgspec
from aiohttp import web

from rtserver.http.sound import sound_headers, warning_header, warning_text
from rtserver.http.streamed import StreamedAnswer
from rtserver.messages import wire
from rtserver.wire.openai.errors import REQUEST_ID_HEADER, ErrorDetail, failure, openai_error


class Usage(msgspec.Struct):
    """Text ids in, speech tokens out."""

    input_tokens: int
    output_tokens: int
    total_tokens: int


class AudioDelta(msgspec.Struct, tag_field="type", tag="speech.audio.delta"):
    """A piece of the sound, in base64."""

    audio: str


class AudioDone(msgspec.Struct, tag_field="type", tag="speech.audio.done"):
    """The sound is complete."""

    usage: Usage


class AudioError(msgspec.Struct, tag_field="type", tag="speech.audio.error"):
    """The sound breaks off."""

    error: ErrorDetail


class SpeechEvents:
    """Writes the events. `warnings` are told beside those of the session."""

    is_heard = True

    def __init__(self, request: web.Request, slow_reader_s: float, warnings: Sequence[str]) -> None:
        self._answer = StreamedAnswer(request, slow_reader_s)
        self._warnings = list(warnings)
        self._headers: dict[str, str] = {}

    async def take(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.Started():
                self._headers = sound_headers(message) | {
                    "Content-Type": "text/event-stream",
                    REQUEST_ID_HEADER: message.id,
                }
            case wire.Warning():
                self._warnings.append(warning_text(message))
            case wire.Audio():
                await self._write(AudioDelta(base64.b64encode(message.data).decode()))
            case wire.Done(usage=usage):
                ids, tokens = usage["text_ids"], usage["speech_tokens"]
                await self._write(AudioDone(Usage(ids, tokens, ids + tokens)))

    async def finish(self) -> web.StreamResponse:
        return await self._answer.finish(self._headers)

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        if not self._answer.has_begun:
            return openai_error(error)
        await self._write(AudioError(failure(error).error))
        return self._answer.break_off()

    async def _write(self, event: AudioDelta | AudioDone | AudioError) -> None:
        data = b"data: " + msgspec.json.encode(event) + b"\n\n"
        await self._answer.write(data, self._headers | warning_header(self._warnings))
