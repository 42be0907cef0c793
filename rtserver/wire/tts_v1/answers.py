"""The answer to `POST /v1/tts`: JSON with a whole file."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
from aiohttp import web

from rtserver.audio.encoder import encode_all
from rtserver.audio.formats import SoundFormat
from rtserver.audio.threads import in_file_thread
from rtserver.front.access import Refused
from rtserver.front.account import Holding
from rtserver.http.answers import ID_HEADER, error_response
from rtserver.http.streamed import StreamedAnswer
from rtserver.messages import wire
from rtserver.wire.tts_v1.request import TtsRequest
from rtserver.wire.tts_v1.schemas import Performance, Speech, Warned, Word

# Bytes of a file that are sent at once; a multiple of three, so that base64 has no padding between.
_PIECE_BYTES = 3 << 16
_HELD_STEP_BYTES = 1 << 20


@dataclass(frozen=True)
class WholeLimits:
    """How large a whole answer may be, and how slowly its client may read it."""

    # Bytes of its sound, before it is encoded.
    sound_bytes: int
    # How long the client may take nothing.
    slow_reader_s: float


class Whole:
    """JSON, once everything is there. `rate_hz` is that of the sound that is taken, which is not encoded yet. `held`
    counts its bytes; release it when the answer is sent."""

    is_heard = False

    def __init__(
        self,
        http_request: web.Request,
        request: TtsRequest,
        sound: SoundFormat,
        rate_hz: int,
        limits: WholeLimits,
        held: Holding,
    ) -> None:
        self._answer = StreamedAnswer(http_request, limits.slow_reader_s)
        self._limits = limits
        self._held = held
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
                self._add(message.data)
            case wire.Mark():
                word = Word(message.text, message.offset, message.start_ms, message.end_ms, message.estimated)
                self._words.append(word)
            case wire.Done():
                self._done = message

    async def finish(self) -> web.StreamResponse:
        assert self._started is not None and self._done is not None
        wall_s = time.monotonic() - self._begun_s
        audio_s = self._done.audio_ms / 1000
        from_s = time.monotonic()
        file = await in_file_thread(audio_s, self._file)
        encode_ms = round(1000 * (time.monotonic() - from_s), 1)
        performance = Performance(
            audio_s=audio_s,
            wall_s=round(wall_s, 3),
            realtime_factor=round(wall_s / audio_s, 3) if audio_s else None,
            timings_ms=self._done.timings | {"encode": encode_ms},
            usage=self._done.usage,
            target_s=self._request.target_s,
            speed=self._done.speed,
        )
        speech = Speech(
            audio="",
            format=self._sound.name,
            media_type=self._sound.media_type,
            sample_rate=self._sound.sample_rate,
            voice=self._started.voice,
            seed=self._started.seed,
            performance=performance,
            words=self._words,
            warnings=self._warnings,
        )
        return await self._sent(msgspec.json.encode(speech), file, self._started.id)

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        return self._answer.break_off() if self._answer.has_begun else error_response(error)

    def _add(self, data: bytes) -> None:
        """Raises Refused."""
        self._pcm += data
        if len(self._pcm) > self._limits.sound_bytes:
            what = f"expected a whole answer of at most {self._limits.sound_bytes} bytes of sound, found more"
            raise Refused(wire.Error("text_too_long", f"{what}: ask /v1/tts/stream, or for parts of the text"))
        if len(self._pcm) > self._held.amount:
            self._held.resize(len(self._pcm) + _HELD_STEP_BYTES)

    async def _sent(self, speech: bytes, file: Sequence[bytes], utterance: str) -> web.StreamResponse:
        """Sends the JSON with the file in it, in pieces: base64 of it all would hold the interpreter for long."""
        head, tail = speech.split(b'"audio":""', 1)
        head, tail = head + b'"audio":"', b'"' + tail
        length = len(head) + len(tail) + 4 * -(-sum(map(len, file)) // 3)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Content-Length": str(length),
            ID_HEADER: utterance,
        }
        waiting = head
        for piece in _pieces_of(file, _PIECE_BYTES):
            waiting += base64.b64encode(piece)
            if len(waiting) > _PIECE_BYTES:
                await self._answer.write(waiting, headers)
                waiting = b""
        await self._answer.write(waiting + tail, headers)
        return await self._answer.finish(headers)

    def _file(self) -> list[bytes]:
        file = encode_all(self._sound, self._rate_hz, self._pcm)
        self._pcm.clear()
        return file


def _pieces_of(file: Iterable[bytes], size_bytes: int) -> Iterator[bytes]:
    """The same bytes in pieces of this size; the last may be smaller."""
    rest = bytearray()
    for data in file:
        rest += data
        while len(rest) >= size_bytes:
            yield bytes(rest[:size_bytes])
            del rest[:size_bytes]
    if rest:
        yield bytes(rest)
