"""`POST /api/v1/services/audio/tts/SpeechSynthesizer`: a whole text. The answer has the address of a file, or sound in
server-sent events as it is made."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from aiohttp import web

from rtserver.audio.formats import SoundFormat
from rtserver.front.access import Refused
from rtserver.front.app import App
from rtserver.http.admitted import read_and_answer
from rtserver.http.body import BodyLimits
from rtserver.http.guard import caller_of
from rtserver.http.json_body import json_body
from rtserver.http.oneshot import Answer, speak
from rtserver.http.streamed import StreamedAnswer
from rtserver.messages import wire
from rtserver.session.limits import SessionLimits
from rtserver.session.start_request import NO_RECORDINGS, RequestError
from rtserver.wire.dashscope.errors import error_code, error_text, http_error
from rtserver.wire.dashscope.files import LIVES_S, MOST_BYTES, SoundFiles
from rtserver.wire.dashscope.messages import request_of
from rtserver.wire.dashscope.request import TaskOffer
from rtserver.wire.dashscope.sentences import Sentences

FILES_PATH = "/api/v1/services/audio/tts/files"


@dataclass(frozen=True)
class _Asked:
    start: wire.Start
    sentences: Sentences
    # Whether the sound comes in server-sent events.
    in_events: bool


class SpeechRoutes:
    """Each request is a context of a session of its own."""

    def __init__(self, app: App, offer: Callable[[], TaskOffer]) -> None:
        self._app = app
        self._offer = offer
        self._limits = BodyLimits.of(app.config)
        self._files = SoundFiles()
        self._most_bytes = min(app.config.answer_bytes, MOST_BYTES)

    async def speech(self, request: web.Request) -> web.StreamResponse:
        return await read_and_answer(self._app, request, self._read, self._speak, http_error)

    async def file(self, request: web.Request) -> web.Response:
        """A file that was spoken before. Who has its address may fetch it, because clients send no key with that."""
        file = self._files.get(request.match_info["name"].partition(".")[0], time.monotonic())
        if file is None:
            what = "file: expected one that was spoken in the last minutes, found none"
            return web.json_response({"code": "InvalidFile", "message": what}, status=404)
        return web.Response(body=file.data, headers={"Content-Type": file.sound.media_type})

    async def _read(self, request: web.Request) -> _Asked:
        """Raises RequestError, Exceeded, ConnectionResetError."""
        body = await json_body(self._app, request, self._limits)
        try:
            asked = request_of(body)
        except (ValueError, RecursionError) as error:
            raise RequestError("bad_message", str(error)[:300]) from error
        text, parameters = asked.input.text, asked.parameters or asked.input
        if not text.strip():
            raise RequestError("bad_message", "input.text: expected something to say, found none")
        in_events = request.headers.get("X-DashScope-SSE", "").lower() == "enable"
        start = replace(
            self._offer().start(parameters),
            # A client that takes events plays them as they come. One that takes a file waits for its end.
            max_lead_s=None if in_events else SessionLimits.max_lead_s,
            marks=in_events,
            text=text,
            end=True,
        )
        sentences = Sentences(tells_times=parameters.word_timestamp_enabled)
        sentences.add(text)
        return _Asked(start, sentences, in_events)

    async def _speak(self, request: web.Request, asked: _Asked) -> web.StreamResponse:
        config = self._app.config
        answer: Answer
        if asked.in_events:
            answer = _Events(request, config.slow_reader_s, asked.sentences)
            return await speak(self._app, request, asked.start, NO_RECORDINGS, answer)
        with self._app.accounts.of(caller_of(request)).hold("output_bytes", 0) as held:
            answer = _Address(request, self._files, asked.sentences, self._most_bytes, held.resize)
            return await speak(self._app, request, asked.start, NO_RECORDINGS, answer)


class _Events:
    """Server-sent events, each as the socket would tell it, with the sound in it."""

    is_heard = True

    def __init__(self, request: web.Request, slow_reader_s: float, sentences: Sentences) -> None:
        self._answer = StreamedAnswer(request, slow_reader_s)
        self._sentences = sentences
        self._id = ""
        self._number = 0
        self._headers = {"Content-Type": "text/event-stream", "Cache-Control": "no-store"}

    async def take(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.Started():
                self._id = self._headers["X-Request-Id"] = message.id
            case wire.Mark():
                for told in self._sentences.word(message):
                    await self._result(told)
            case wire.Audio(data=data) if data:
                *others, synthesis = self._sentences.sound()
                for told in others:
                    await self._result(told)
                await self._result(synthesis, data)
            case wire.Done():
                for told in self._sentences.end():
                    await self._result(told)
                output = {"finish_reason": "stop", "audio": {"data": "", "url": "", "id": self._id}}
                usage = {"characters": self._sentences.characters}
                await self._write("result", {"output": output, "usage": usage, "request_id": self._id})

    async def finish(self) -> web.StreamResponse:
        return await self._answer.finish(self._headers)

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        if not self._answer.has_begun:
            return http_error(error)
        told = {"code": error_code(error), "message": error_text(error), "request_id": self._id}
        await self._write("error", told)
        return await self._answer.finish(self._headers)

    async def _result(self, told: dict[str, Any], sound: bytes = b"") -> None:
        audio = {"data": base64.b64encode(sound).decode()}
        output = told["output"] | {"audio": audio, "finish_reason": "null"}
        await self._write("result", told | {"output": output, "request_id": self._id})

    async def _write(self, event: str, told: dict[str, Any]) -> None:
        self._number += 1
        status = "200" if event == "result" else "500"
        lines = f"id:{self._number}\nevent:{event}\n:HTTP_STATUS/{status}\ndata:{json.dumps(told)}\n\n"
        await self._answer.write(lines.encode(), self._headers)


class _Address:
    """JSON with the address of the whole sound."""

    is_heard = False

    def __init__(
        self,
        request: web.Request,
        files: SoundFiles,
        sentences: Sentences,
        most_bytes: int,
        count: Callable[[int], None],
    ) -> None:
        """count: of the bytes of the sound so far, in the client's account."""
        self._request = request
        self._files = files
        self._sentences = sentences
        self._most_bytes = most_bytes
        self._count = count
        self._data = bytearray()
        self._started: wire.Started | None = None

    async def take(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.Started():
                self._started = message
            case wire.Audio():
                self._data += message.data
                if len(self._data) > self._most_bytes:
                    what = f"expected a file of at most {self._most_bytes} bytes, found more: ask for events"
                    raise Refused(wire.Error("text_too_long", what))
                self._count(len(self._data))

    async def finish(self) -> web.StreamResponse:
        assert self._started is not None, "a session that is done has started"
        sound = SoundFormat(self._started.format, self._started.sample_rate)
        name = self._files.put(bytes(self._data), sound, time.monotonic())
        url = f"{self._request.scheme}://{self._request.host}{FILES_PATH}/{name}.{sound.extension}"
        audio = {"data": "", "url": url, "id": name, "expires_at": int(time.time() + LIVES_S)}
        output = {"finish_reason": "stop", "audio": audio}
        usage = {"characters": self._sentences.characters}
        return web.json_response({"request_id": self._started.id, "output": output, "usage": usage})

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        return http_error(error)
