"""The answers to `POST /v1/tts` and `/v1/tts/stream`: JSON with a whole file, or sound as it is made."""

from __future__ import annotations

import asyncio
import base64
import time

from aiohttp import web

from rtserver.audio.encoder import encode_all
from rtserver.audio.formats import SoundFormat
from rtserver.http.answers import ID_HEADER, error_response, json_response
from rtserver.http.streamed import StreamedAnswer
from rtserver.messages import wire
from rtserver.wire.tts_v1.request import TtsRequest
from rtserver.wire.tts_v1.schemas import Performance, Speech, Warned, Word

_LONGEST_HEADER = 1000  # of a warning; some clients refuse longer heads of answers
_BITS = {"pcm_s16le": 16, "pcm_f32le": 32, "wav": 16, "ulaw": 8, "alaw": 8}


class Whole:
    """JSON, once everything is there. `rate_hz` is that of the sound that is taken, which is not encoded yet."""

    is_heard = False

    def __init__(self, request: TtsRequest, sound: SoundFormat, rate_hz: int) -> None:
        self._request = request
        self._sound = sound
        self._rate_hz = rate_hz
        self._pcm = bytearray()
        self._words: list[Word] = []
        self._warnings: list[Warned] = []
        self._started: wire.Started | None = None
        self._done: wire.Done | None = None
        self._begun_s = time.monotonic()

    async def take(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.Started():
                self._started = message
            case wire.Warning():
                self._warnings.append(Warned.of(message))
            case wire.Audio():
                self._pcm += message.data
            case wire.Mark():
                word = Word(message.text, message.offset, message.start_ms, message.end_ms, message.estimated)
                self._words.append(word)
            case wire.Done():
                self._done = message

    async def finish(self) -> web.StreamResponse:
        assert self._started is not None and self._done is not None
        wall_s = time.monotonic() - self._begun_s
        audio = await asyncio.to_thread(self._file)
        audio_s = self._done.audio_ms / 1000
        performance = Performance(
            audio_s=audio_s,
            wall_s=round(wall_s, 3),
            realtime_factor=round(wall_s / audio_s, 3) if audio_s else None,
            timings_ms=self._done.timings,
            usage=self._done.usage,
            target_s=self._request.target_s,
            speed=self._done.speed,
        )
        return json_response(
            Speech(
                audio=audio,
                format=self._sound.name,
                media_type=self._sound.media_type,
                sample_rate=self._sound.sample_rate,
                voice=self._started.voice,
                seed=self._started.seed,
                performance=performance,
                words=self._words,
                warnings=self._warnings,
            ),
            headers={ID_HEADER: self._started.id},
        )

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        return error_response(error)

    def _file(self) -> str:
        return base64.b64encode(encode_all(self._sound, self._rate_hz, bytes(self._pcm))).decode()


class Streamed:
    """Chunked sound."""

    is_heard = True

    def __init__(self, request: web.Request, slow_reader_s: float) -> None:
        self._answer = StreamedAnswer(request, slow_reader_s)
        self._headers: dict[str, str] = {}

    async def take(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.Started():
                self._headers = _headers(message)
            case wire.Warning():
                told = _header(f"{message.code}: {message.message}")
                before = self._headers.get("X-Warning")
                self._headers["X-Warning"] = told if before is None else f"{before}; {told}"
            case wire.Audio():
                await self._answer.write(message.data, self._headers)

    async def finish(self) -> web.StreamResponse:
        return await self._answer.finish(self._headers)

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        return self._answer.break_off() if self._answer.has_begun else error_response(error)


def _headers(started: wire.Started) -> dict[str, str]:
    headers = {
        "Content-Type": SoundFormat(started.format, started.sample_rate).media_type,
        "X-Sample-Rate": str(started.sample_rate),
        "X-Channels": "1",
        "X-Seed": str(started.seed),
        ID_HEADER: started.id,
        "Cache-Control": "no-store",
    }
    bits = _BITS.get(started.format)
    return headers if bits is None else headers | {"X-Bits": str(bits)}


def _header(text: str) -> str:
    """As a header can hold it: on one line, in ASCII."""
    return " ".join(text.encode("ascii", "backslashreplace").decode().split())[:_LONGEST_HEADER]
