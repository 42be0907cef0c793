"""`POST /v1/text-to-speech/{voice}` and what is below it: a whole text, answered with sound as it is made."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import msgspec
from aiohttp import web

from rtserver.front.app import App
from rtserver.http.admitted import read_and_answer
from rtserver.http.body import BodyLimits
from rtserver.http.guard import Handler
from rtserver.http.json_body import json_body
from rtserver.http.oneshot import Answer, speak
from rtserver.http.sound import StreamedSound
from rtserver.messages import wire
from rtserver.session.limits import SessionLimits
from rtserver.session.start_request import NO_RECORDINGS, RequestError
from rtserver.wire.elevenlabs.dialect import DICTIONARIES_IGNORED
from rtserver.wire.elevenlabs.errors import REQUEST_ID_HEADER, http_error
from rtserver.wire.elevenlabs.messages import SpeechRequest
from rtserver.wire.elevenlabs.query import SpeechOffer
from rtserver.wire.elevenlabs.timed_sound import TimedLines, TimedWhole

_DECODER = msgspec.json.Decoder(SpeechRequest)


@dataclass(frozen=True)
class _Asked:
    """A request that can be tried."""

    start: wire.Start
    # What is not done of what was asked for.
    warnings: list[str] = field(default_factory=list)


MakeAnswer = Callable[[web.Request, float, list[str]], Answer]


def plain_sound(request: web.Request, slow_reader_s: float, warnings: list[str]) -> Answer:
    """Sound, and nothing else."""
    ids = (REQUEST_ID_HEADER,)
    return StreamedSound(request, slow_reader_s, refused=http_error, warnings=warnings, id_headers=ids)


class SpeechRoutes:
    """Each request is a context of a session of its own."""

    def __init__(self, app: App, offer: Callable[[], SpeechOffer]) -> None:
        self._app = app
        self._offer = offer
        self._limits = BodyLimits.of(app.config)

    def plain(self) -> Handler:
        """Answers with sound."""
        return self._handler(plain_sound, marks=False)

    def timed_whole(self) -> Handler:
        """Answers with one object."""
        return self._handler(TimedWhole, marks=True)

    def timed_lines(self) -> Handler:
        """Answers with an object for each piece."""
        return self._handler(TimedLines, marks=True)

    def _handler(self, make: MakeAnswer, *, marks: bool) -> Handler:
        async def handle(request: web.Request) -> web.StreamResponse:
            read = partial(self._read, marks=marks)
            return await read_and_answer(self._app, request, read, partial(self._spoken, make), http_error)

        return handle

    async def _spoken(self, make: MakeAnswer, request: web.Request, asked: _Asked) -> web.StreamResponse:
        answer = make(request, self._app.config.slow_reader_s, asked.warnings)
        return await speak(self._app, request, asked.start, NO_RECORDINGS, answer)

    async def _read(self, request: web.Request, *, marks: bool) -> _Asked:
        """Raises RequestError, Exceeded, ConnectionResetError."""
        body = await json_body(self._app, request, self._limits)
        try:
            asked = _DECODER.decode(body)
        except (ValueError, RecursionError) as error:
            raise RequestError("bad_message", str(error)[:200]) from error
        if not asked.text.strip():
            raise RequestError("bad_message", "text: expected something to say, found none")
        query = self._offer().asked(request.match_info["voice"], request.query, asked.language_code)
        settings = asked.voice_settings
        start = wire.Start(
            voice=query.voice,
            language=query.language,
            format=query.sound.name,
            sample_rate=query.sound.sample_rate,
            speed=1.0 if settings is None else settings.possible_speed,
            seed=asked.seed,
            marks=marks,
            # Clients want the file as soon as can be, and LiveKit waits 30 s for all of it.
            max_lead_s=SessionLimits.max_lead_s,
            text=asked.text,
            end=True,
        )
        return _Asked(start, [DICTIONARIES_IGNORED] if asked.pronunciation_dictionary_locators else [])
