"""`POST /v1/tts` and `/v1/tts/stream`: a whole request, answered with JSON or with sound as it is made."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import time
from dataclasses import dataclass

from aiohttp import ClientConnectionResetError, web

from rtserver.audio.encoder import Encoder, encode_all, open_encoder
from rtserver.audio.formats import SoundFormat
from rtserver.front.app import App
from rtserver.http.answers import ID_HEADER, client_error, error_response, json_response
from rtserver.http.body import Body, read_body
from rtserver.http.guard import caller_of
from rtserver.http.oneshot import OneShot, OneShotError, PeerGone, unencoded
from rtserver.http.request import TtsRequest
from rtserver.http.schemas import Performance, Speech, Warned, Word
from rtserver.messages import wire
from rtserver.session.start_request import Recordings, RequestError, sound_format
from rtserver.uploads.errors import UploadError

_STREAM_FORMAT = "pcm_s16le"
_FILE_FORMAT = "wav"
_BITS = {"pcm_s16le": 16, "pcm_f32le": 32, "wav": 16, "ulaw": 8, "alaw": 8}


@dataclass(frozen=True)
class _Asked:
    """A request that can be tried."""

    request: TtsRequest
    start: wire.Start
    sound: SoundFormat
    recordings: Recordings
    streams: bool


class TtsRoutes:
    """Each request is a context of a session of its own."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def tts(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, stream=False)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        return await self._answer(request, stream=True)

    async def _answer(self, request: web.Request, *, stream: bool) -> web.StreamResponse:
        if (refused := self._app.refusal()) is not None:
            return error_response(refused)
        try:
            body = await read_body(request, self._app.config.upload_bytes)
            asked = await self._asked(body, streams=stream or body.request.stream)
        except (RequestError, UploadError) as error:
            return self._refuse(client_error(error))
        except web.HTTPRequestEntityTooLarge as error:
            return self._refuse(wire.Error("message_too_big", error.text or "the body is too large"))
        except ConnectionResetError:
            return _unread()
        if (refused := self._app.refusal()) is not None:  # others came while this one was read
            return error_response(refused)
        return await self._speak(request, asked)

    def _refuse(self, error: wire.Error) -> web.Response:
        self._app.metrics.refused(error.code)
        return error_response(error)

    async def _asked(self, body: Body, *, streams: bool) -> _Asked:
        """Raises RequestError, UploadError."""
        start = body.request.start(sound=_STREAM_FORMAT if streams else _FILE_FORMAT, paced=streams)
        sound = sound_format(start, self._app.model.sample_rate, self._app.opus_problem)
        if sound.name == "opus":
            raise RequestError("unsupported_format", "format: expected ogg_opus over HTTP, found bare opus packets")
        return _Asked(body.request, start, sound, await body.recordings(self._app.recordings), streams)

    async def _speak(self, request: web.Request, asked: _Asked) -> web.StreamResponse:
        app, sound = self._app, asked.sound
        with app.connection(caller_of(request)) as connection:
            oneshot = OneShot(connection, lambda: peer_is_there(request))
            speech = oneshot.messages(unencoded(asked.start), asked.recordings)
            answer = _Streamed(request, sound, app) if asked.streams else _Whole(asked.request, sound, app)
            try:
                async with contextlib.aclosing(speech):
                    async for message in speech:
                        await answer.take(message)
                return await answer.finish()
            except OneShotError as error:
                return await answer.fail(error.error)
            except (PeerGone, ClientConnectionResetError):
                return _unread()


def peer_is_there(request: web.Request) -> bool:
    """Whether the client's connection is open."""
    return request.transport is not None and not request.transport.is_closing()


def _unread() -> web.Response:
    """The answer to a client that has left."""
    return web.Response(status=499)


class _Whole:
    """JSON, once everything is there."""

    def __init__(self, request: TtsRequest, sound: SoundFormat, app: App) -> None:
        self._request = request
        self._sound = sound
        self._app = app
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
                self._warnings.append(Warned(message.code, message.message))
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
        rate = self._app.model.sample_rate
        audio = await asyncio.to_thread(lambda: base64.b64encode(encode_all(self._sound, rate, bytes(self._pcm))))
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
                audio=audio.decode(),
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


class _Streamed:
    """Chunked sound. The status goes out with the first of it, so that a refusal still has its own."""

    def __init__(self, request: web.Request, sound: SoundFormat, app: App) -> None:
        self._request = request
        self._sound = sound
        self._slow_reader_s = app.config.slow_reader_s
        self._encoder: Encoder = open_encoder(sound, app.model.sample_rate)
        self._response: web.StreamResponse | None = None
        self._started: wire.Started | None = None
        self._warning: wire.Warning | None = None

    async def take(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.Started():
                self._started = message
            case wire.Warning():
                self._warning = message
            case wire.Audio():
                await self._write(await asyncio.to_thread(self._encoder.encode, message.data))

    async def finish(self) -> web.StreamResponse:
        await self._write(await asyncio.to_thread(self._encoder.finish))
        assert self._response is not None
        await self._response.write_eof()
        return self._response

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        if self._response is None:
            return error_response(error)
        self._abort()  # the missing end of the chunks tells the client that this is not all
        return self._response

    async def _write(self, chunks: list[bytes]) -> None:
        if self._response is None:
            self._response = web.StreamResponse(headers=self._headers())
            await self._response.prepare(self._request)
        try:
            async with asyncio.timeout(self._slow_reader_s):
                for chunk in chunks:
                    await self._response.write(chunk)
        except TimeoutError:
            self._abort()
            raise PeerGone from None

    def _headers(self) -> dict[str, str]:
        assert self._started is not None
        headers = {
            "Content-Type": self._sound.media_type,
            "X-Sample-Rate": str(self._sound.sample_rate),
            "X-Channels": "1",
            "X-Seed": str(self._started.seed),
            ID_HEADER: self._started.id,
            "Cache-Control": "no-store",
        }
        if (bits := _BITS.get(self._sound.name)) is not None:
            headers["X-Bits"] = str(bits)
        if self._warning is not None:
            headers["X-Warning"] = _header(f"{self._warning.code}: {self._warning.message}")
        return headers

    def _abort(self) -> None:
        if self._request.transport is not None:
            self._request.transport.abort()


def _header(text: str) -> str:
    """As a header can hold it: on one line, in ASCII."""
    return " ".join(text.encode("ascii", "backslashreplace").decode().split())
