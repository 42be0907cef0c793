"""`POST /v1/tts` and `/v1/tts/stream`: a whole request, answered with JSON or with sound as it is made."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from functools import partial

from aiohttp import web

from rtserver.audio.formats import SoundFormat
from rtserver.front.app import App
from rtserver.http.admitted import read_and_answer
from rtserver.http.body import Body, BodyLimits, read_body
from rtserver.http.guard import caller_of
from rtserver.http.oneshot import speak, unencoded
from rtserver.http.sound import StreamedSound
from rtserver.session.start_request import Recordings, RequestError, sound_format
from rtserver.wire.opening import Opening
from rtserver.wire.prepared import prepared
from rtserver.wire.tts_v1.answers import Whole, WholeLimits
from rtserver.wire.tts_v1.request import RECORDINGS, TtsRequest, from_body

_STREAM_FORMAT = "pcm_s16le"
_FILE_FORMAT = "wav"


@dataclass(frozen=True)
class _Asked:
    """A request that can be tried."""

    request: TtsRequest
    opening: Opening
    # The format of the answer.
    sound: SoundFormat
    # Whether the sound is sent as it is made.
    streams: bool


class TtsRoutes:
    """Each request is a context of a session of its own."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._limits = BodyLimits.of(app.config)

    async def tts(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, stream=False)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, stream=True)

    async def _answer(self, request: web.Request, *, stream: bool) -> web.StreamResponse:
        return await read_and_answer(self._app, request, partial(self._read, stream=stream), self._speak)

    async def _speak(self, request: web.Request, read: tuple[_Asked, Recordings]) -> web.StreamResponse:
        app, (asked, recordings) = self._app, read
        start = asked.opening.start
        if asked.streams:
            return await speak(app, request, start, recordings, StreamedSound(request, app.config.slow_reader_s))
        limits = WholeLimits(app.config.answer_bytes, app.config.slow_reader_s)
        with app.accounts.of(caller_of(request)).hold("output_bytes", 0) as held:
            whole = Whole(request, asked.request, asked.sound, app.model.sample_rate, limits, held)
            return await speak(app, request, unencoded(start), recordings, whole)

    async def _read(self, request: web.Request, *, stream: bool) -> tuple[_Asked, Recordings]:
        """What is asked for, without the recordings as they came, and the decoded recordings. Raises RequestError,
        UploadError, Exceeded, ConnectionResetError."""
        app = self._app
        with app.accounts.of(caller_of(request)).hold("body_bytes", 0) as held:
            body = await read_body(request, self._limits, RECORDINGS, held)
            asked = await asyncio.to_thread(self._asked, body, stream) if body.is_large else self._asked(body, stream)
            start, recordings = await prepared(app, asked.opening, caller_of(request))
        return replace(asked, opening=Opening(start)), recordings

    def _asked(self, body: Body, stream: bool) -> _Asked:
        """Raises RequestError, UploadError."""
        app, request = self._app, from_body(body)
        streams = stream or request.stream
        default = _STREAM_FORMAT if streams else _FILE_FORMAT
        opening = request.opening(body.files, sound=default, upload_bytes=app.config.upload_bytes, paced=streams)
        sound = sound_format(opening.start, app.model.sample_rate, app.opus_problem)
        if sound.name == "opus":
            raise RequestError("unsupported_format", "format: expected ogg_opus over HTTP, found bare opus packets")
        return _Asked(request, opening, sound, streams)
