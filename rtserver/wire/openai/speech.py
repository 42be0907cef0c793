"""`POST /v1/audio/speech`: a text, answered with sound as it is made."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aiohttp import web

from rtserver.front.app import App
from rtserver.http.admitted import read_and_answer
from rtserver.http.body import Body, BodyLimits, read_body
from rtserver.http.guard import caller_of
from rtserver.http.oneshot import speak
from rtserver.http.sound import StreamedSound
from rtserver.session.start_request import Recordings
from rtserver.wire.openai.errors import REQUEST_ID_HEADER, openai_error
from rtserver.wire.openai.events import SpeechEvents
from rtserver.wire.openai.request import RECORDINGS, Asked, asked, from_body
from rtserver.wire.opening import Opening
from rtserver.wire.prepared import prepared


class SpeechRoute:
    """Each request is a context of a session of its own."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._limits = BodyLimits.of(app.config)

    async def speech(self, request: web.Request) -> web.StreamResponse:
        return await read_and_answer(self._app, request, self._read, self._speak, openai_error)

    async def _read(self, request: web.Request) -> tuple[Asked, Recordings]:
        """What is asked for, without the recording as it came, and the decoded recording. Raises RequestError,
        UploadError, Exceeded, ConnectionResetError."""
        app = self._app
        with app.accounts.of(caller_of(request)).hold("body_bytes", 0) as held:
            body = await read_body(request, self._limits, RECORDINGS, held)
            found = await asyncio.to_thread(self._asked, body) if body.is_large else self._asked(body)
            start, recordings = await prepared(app, found.opening, caller_of(request))
        return replace(found, opening=Opening(start)), recordings

    def _asked(self, body: Body) -> Asked:
        """Raises RequestError, UploadError."""
        modes = () if self._app.engine is None else self._app.engine.info.modes
        return asked(from_body(body), body.files, modes=modes, upload_bytes=self._app.config.upload_bytes)

    async def _speak(self, request: web.Request, read: tuple[Asked, Recordings]) -> web.StreamResponse:
        found, recordings = read
        slow_s, warnings = self._app.config.slow_reader_s, found.warnings
        answer = (
            SpeechEvents(request, slow_s, warnings)
            if found.in_events
            else StreamedSound(
                request, slow_s, refused=openai_error, warnings=warnings, id_headers=(REQUEST_ID_HEADER,)
            )
        )
        return await speak(self._app, request, found.opening.start, recordings, answer)
