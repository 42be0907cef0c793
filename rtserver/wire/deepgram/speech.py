"""`POST /v1/speak` and `/v2/speak`: a whole text, answered with sound as it is made."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from aiohttp import web

from rtserver.front.access import Credentials
from rtserver.front.app import App
from rtserver.http.admitted import read_and_answer
from rtserver.http.answers import header_text
from rtserver.http.body import BodyLimits
from rtserver.http.json_body import json_body
from rtserver.http.oneshot import speak
from rtserver.http.sound import warning_text
from rtserver.http.streamed import StreamedAnswer
from rtserver.messages import wire
from rtserver.session.limits import SessionLimits
from rtserver.session.start_request import NO_RECORDINGS, RequestError
from rtserver.wire.deepgram.errors import http_error
from rtserver.wire.deepgram.model_ids import model_id
from rtserver.wire.deepgram.query import SpeakOffer, SpeakQuery
from rtserver.wire.deepgram.turns import credentials_of
from rtserver.wire.dialect import Handshake

# As Deepgram names them, where that is not how they are named here.
_MEDIA_TYPES = {"pcm_s16le": "audio/l16", "ulaw": "audio/mulaw", "alaw": "audio/alaw"}


class _Text(msgspec.Struct):
    text: str


_DECODER = msgspec.json.Decoder(_Text)


def credentials_in(request: web.Request) -> Credentials:
    """Where Deepgram's clients put their key."""
    return credentials_of(Handshake(request.headers, request.query, request.match_info))


class SpeakRoutes:
    """Aura and Flux alike."""

    def __init__(self, app: App, offer: Callable[[], SpeakOffer]) -> None:
        self._app = app
        self._offer = offer
        self._limits = BodyLimits.of(app.config)

    async def speak(self, request: web.Request) -> web.StreamResponse:
        return await read_and_answer(self._app, request, self._read, self._spoken, http_error)

    async def _read(self, request: web.Request) -> tuple[SpeakQuery, str]:
        """Raises RequestError, Exceeded, ConnectionResetError."""
        query = self._offer().in_a_file(request.query)
        return query, await self._text(request)

    async def _spoken(self, request: web.Request, read: tuple[SpeakQuery, str]) -> web.StreamResponse:
        query, text = read
        start = wire.Start(
            voice=query.model,
            language=query.language,
            format=query.sound.name,
            sample_rate=query.sound.sample_rate,
            speed=query.speed,
            marks=False,
            # Nobody listens yet: clients want the file as soon as can be, and LiveKit waits 30 s for all of it.
            max_lead_s=SessionLimits.max_lead_s,
            text=text,
            end=True,
        )
        answer = _Spoken(request, query, len(text), self._app.config.slow_reader_s)
        return await speak(self._app, request, start, NO_RECORDINGS, answer)

    async def _text(self, request: web.Request) -> str:
        """Raises RequestError, Exceeded, ConnectionResetError."""
        body = await json_body(self._app, request, self._limits)
        try:
            text = _DECODER.decode(body).text
        except (ValueError, RecursionError) as error:
            raise RequestError("bad_message", str(error)[:200]) from error
        if not text.strip():
            raise RequestError("bad_message", "text: expected something to say, found none")
        return text


class _Spoken:
    """Chunked sound."""

    is_heard = False

    def __init__(self, request: web.Request, query: SpeakQuery, characters: int, slow_reader_s: float) -> None:
        self._answer = StreamedAnswer(request, slow_reader_s)
        self._warnings: list[str] = []
        sound = query.sound
        media_type = _MEDIA_TYPES.get(sound.name, sound.media_type)
        self._headers = {
            "Content-Type": f"{media_type};rate={sound.sample_rate}" if sound.name == "pcm_s16le" else media_type,
            "dg-model-name": header_text(query.model),
            "dg-model-uuid": model_id(query.model),
            "dg-char-count": str(characters),
        }

    async def take(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.Started():
                self._headers["dg-request-id"] = message.id
            case wire.Warning():
                self._warnings.append(header_text(warning_text(message)))
                self._headers["dg-warnings"] = "; ".join(self._warnings)
            case wire.Audio():
                await self._answer.write(message.data, self._headers)

    async def finish(self) -> web.StreamResponse:
        return await self._answer.finish(self._headers)

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        return self._answer.break_off() if self._answer.has_begun else http_error(error)
