"""`POST /tts/bytes` and `/tts/sse`: a whole text, answered with sound as it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from aiohttp import web

from rtserver.front.access import Credentials
from rtserver.front.app import App
from rtserver.http.admitted import read_and_answer
from rtserver.http.body import BodyLimits
from rtserver.http.json_body import json_body
from rtserver.http.oneshot import Answer, speak
from rtserver.http.sound import StreamedSound
from rtserver.http.streamed import StreamedAnswer
from rtserver.messages import wire
from rtserver.session.limits import SessionLimits
from rtserver.session.start_request import NO_RECORDINGS, RequestError
from rtserver.wire.cartesia.dialect import credentials_of
from rtserver.wire.cartesia.errors import REQUEST_ID_HEADER, http_error
from rtserver.wire.cartesia.events import chunk, done, failed, timestamps
from rtserver.wire.cartesia.messages import generation_of
from rtserver.wire.cartesia.request import SpeechOffer
from rtserver.wire.dialect import Handshake


def credentials_in(request: web.Request) -> Credentials:
    """Where Cartesia's clients put their key."""
    return credentials_of(Handshake(request.headers, request.query, request.match_info))


@dataclass(frozen=True)
class _Asked:
    start: wire.Start
    # The name that the events carry, if the client gave one.
    context_id: str | None
    # Whether the sound comes in server-sent events.
    in_events: bool


class SpeechRoutes:
    """Each request is a context of a session of its own."""

    def __init__(self, app: App, offer: Callable[[], SpeechOffer]) -> None:
        self._app = app
        self._offer = offer
        self._limits = BodyLimits.of(app.config)

    async def speech(self, request: web.Request) -> web.StreamResponse:
        return await read_and_answer(self._app, request, self._read, self._speak, http_error)

    async def _read(self, request: web.Request) -> _Asked:
        """Raises RequestError, Exceeded, ConnectionResetError."""
        body = await json_body(self._app, request, self._limits)
        try:
            generation = generation_of(body)
        except (ValueError, RecursionError) as error:
            raise RequestError("bad_message", str(error)[:300]) from error
        if generation.is_blank:
            raise RequestError("bad_message", "transcript: expected something to say, found none")
        in_events = request.path.endswith("/sse")
        start = replace(
            self._offer().start(generation, files=not in_events),
            # A client that takes events plays them as they come. One that takes a file waits for its end.
            max_lead_s=None if in_events else SessionLimits.max_lead_s,
            text=generation.transcript,
            end=True,
        )
        return _Asked(start, generation.context_id, in_events)

    async def _speak(self, request: web.Request, asked: _Asked) -> web.StreamResponse:
        slow_s = self._app.config.slow_reader_s
        answer: Answer = (
            _Events(request, slow_s, asked.context_id)
            if asked.in_events
            else StreamedSound(request, slow_s, refused=http_error, id_headers=(REQUEST_ID_HEADER,))
        )
        return await speak(self._app, request, asked.start, NO_RECORDINGS, answer)


class _Events:
    """Server-sent events with the messages of the socket."""

    is_heard = True

    def __init__(self, request: web.Request, slow_reader_s: float, context_id: str | None) -> None:
        self._answer = StreamedAnswer(request, slow_reader_s)
        self._context = context_id
        self._words: list[wire.Mark] = []
        self._headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}

    async def take(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.Started():
                self._headers[REQUEST_ID_HEADER] = message.id
            case wire.Mark():
                self._words.append(message)
            case wire.Audio():
                await self._tell_words()
                await self._write("chunk", chunk(self._context, message.data, 1))
            case wire.Done():
                await self._tell_words()
                await self._write("done", done(self._context))

    async def finish(self) -> web.StreamResponse:
        return await self._answer.finish(self._headers)

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        if not self._answer.has_begun:
            return http_error(error)
        await self._write("error", failed(error, self._context))
        return await self._answer.finish(self._headers)

    async def _tell_words(self) -> None:
        words, self._words = self._words, []
        if words:
            await self._write("timestamps", timestamps(self._context, words, 1))

    async def _write(self, kind: str, data: str) -> None:
        await self._answer.write(f"event: {kind}\ndata: {data}\n\n".encode(), self._headers)
