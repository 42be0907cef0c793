"""`POST /v1/audio/speech`: a text, answered with sound as it is made."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from aiohttp import web

from rtserver.front.access import Refused
from rtserver.front.account import Exceeded
from rtserver.front.app import App
from rtserver.http.answers import client_error
from rtserver.http.body import Body, BodyLimits, read_body
from rtserver.http.guard import caller_of
from rtserver.http.oneshot import speak, unread
from rtserver.http.sound import StreamedSound
from rtserver.messages import wire
from rtserver.session.start_request import Recordings, RequestError
from rtserver.uploads.errors import UploadError
from rtserver.wire.openai.errors import REQUEST_ID_HEADER, openai_error
from rtserver.wire.openai.events import SpeechEvents
from rtserver.wire.openai.request import RECORDINGS, Asked, asked, from_body
from rtserver.wire.opening import Opening


class SpeechRoute:
    """Each request is a context of a session of its own."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._limits = BodyLimits.of(app.config)

    async def speech(self, request: web.Request) -> web.StreamResponse:
        app = self._app
        try:
            with app.enter(caller_of(request)):
                found, recordings = await self._read(request)
                if (refused := app.refusal()) is not None:  # it may have changed while the body was read
                    return openai_error(refused)
                start, slow_s = found.opening.start, app.config.slow_reader_s
                if found.in_events:
                    events = SpeechEvents(request, slow_s, found.warnings)
                    return await speak(app, request, start, recordings, events)
                sound = StreamedSound(
                    request, slow_s, refused=openai_error, warnings=found.warnings, id_headers=(REQUEST_ID_HEADER,)
                )
                return await speak(app, request, start, recordings, sound)
        except (RequestError, UploadError) as error:
            return self._refuse(client_error(error))
        except Exceeded as exceeded:
            return self._refuse(exceeded.error)
        except Refused as refusal:
            return openai_error(refusal.error)
        except ConnectionResetError:
            return unread()

    async def _read(self, request: web.Request) -> tuple[Asked, Recordings]:
        """What is asked for, without the recording as it came, and the decoded recording. Raises RequestError,
        UploadError, Exceeded, ConnectionResetError."""
        app = self._app
        with app.accounts.of(caller_of(request)).hold("body_bytes", 0) as held:
            body = await read_body(request, self._limits, RECORDINGS, held)
            found = await asyncio.to_thread(self._asked, body) if body.is_large else self._asked(body)
            recordings = await found.opening.recordings(app.recordings)
        return replace(found, opening=Opening(replace(found.opening.start, prompt_audio=None))), recordings

    def _asked(self, body: Body) -> Asked:
        """Raises RequestError, UploadError."""
        modes = () if self._app.engine is None else self._app.engine.info.modes
        return asked(from_body(body), body.files, modes=modes, upload_bytes=self._app.config.upload_bytes)

    def _refuse(self, error: wire.Error) -> web.Response:
        self._app.metrics.refused(error.code)
        return openai_error(error)
