"""`/ws/v1/tts`: the old server's socket. A JSON request in, sound out, `{"done": true}`; then the next request.

Sound comes in binary frames, or with `"encoding": "base64"` as {"type": "audio_chunk", "data": ...}. An error is
{"error": {...}}, after which the next request may come. A request that comes while one is spoken waits.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json

from aiohttp import ClientConnectionResetError, WSCloseCode, WSMsgType, web

from rtserver.audio.encoder import open_encoder
from rtserver.front.access import Credentials, Refused
from rtserver.front.app import App
from rtserver.http.answers import client_error, error_body, error_response, no_handshake
from rtserver.http.body import Body, parsed
from rtserver.http.oneshot import OneShot, OneShotError, PeerGone, unencoded
from rtserver.http.request import TtsRequest
from rtserver.http.tts import peer_is_there
from rtserver.messages import wire
from rtserver.messages.errors import error_message
from rtserver.session.caller import Caller
from rtserver.session.start_request import RequestError, sound_format
from rtserver.uploads.errors import UploadError

_HEARTBEAT_S = 20.0
_CLOSE_TIMEOUT_S = 2.0
MAX_WAITING = 16  # requests that came while one is spoken


class TtsSocketRoute:
    """Opens a socket, or says why not."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._sockets: set[_TtsSocket] = set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        app = self._app
        if (answer := no_handshake(request)) is not None:
            return answer
        try:
            caller = await app.access.identify(Credentials.of(request.headers, request.query), request.remote)
            app.access.require(caller, "speak")
        except Refused as error:
            return error_response(error.error)
        if (refused := app.refusal() or self._full()) is not None:
            return error_response(refused)
        largest = 3 * app.config.upload_bytes + app.config.message_bytes
        ws = web.WebSocketResponse(
            compress=False, heartbeat=_HEARTBEAT_S, max_msg_size=largest, timeout=_CLOSE_TIMEOUT_S
        )
        await ws.prepare(request)
        speaking = _TtsSocket(app, caller, request, ws, largest)
        self._sockets.add(speaking)
        try:
            await speaking.run()
        finally:
            self._sockets.discard(speaking)
        return ws

    async def close(self, _application: web.Application) -> None:
        """The server stops."""
        await asyncio.gather(*(socket.stop() for socket in self._sockets))

    def _full(self) -> wire.Error | None:
        if len(self._sockets) < self._app.config.max_sockets:
            return None
        self._app.metrics.refused("overloaded")
        reason = f"expected at most {self._app.config.max_sockets} sockets, and all are taken"
        return error_message("overloaded", reason)


class _TtsSocket:
    """One client: a task reads, so that a client that leaves is noticed; this one speaks."""

    def __init__(
        self, app: App, caller: Caller, request: web.Request, ws: web.WebSocketResponse, waiting_chars: int
    ) -> None:
        self._app = app
        self._caller = caller
        self._request = request
        self._ws = ws
        self._requests: asyncio.Queue[str | None] = asyncio.Queue()
        self._room_chars = waiting_chars  # for requests that wait
        self._gone = False

    async def run(self) -> None:
        reading = asyncio.create_task(self._read(), name="tts-socket-read")
        try:
            with contextlib.suppress(PeerGone, ClientConnectionResetError):
                while (text := await self._requests.get()) is not None and not self._gone:
                    self._room_chars += len(text)
                    await self._answer(text)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await self._ws.close()

    async def stop(self) -> None:
        """Closes because the server stops."""
        self._gone = True
        await self._ws.close(code=WSCloseCode.GOING_AWAY, message=b"the server stops")

    async def _read(self) -> None:
        try:
            async for message in self._ws:
                if message.type is not WSMsgType.TEXT:
                    self._gone = True
                    await self._ws.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"expected requests in text frames")
                    return
                if self._requests.qsize() >= MAX_WAITING or len(message.data) > self._room_chars:
                    self._app.metrics.refused("overloaded")
                    await self._fail(wire.Error("overloaded", f"expected at most {MAX_WAITING} waiting requests", True))
                    continue
                self._room_chars -= len(message.data)
                self._requests.put_nowait(message.data)
        finally:
            self._gone = True
            self._requests.put_nowait(None)

    async def _answer(self, text: str) -> None:
        try:
            await self._speak(await parsed(text))
        except (RequestError, UploadError) as error:
            self._app.metrics.refused(error.code)
            await self._fail(client_error(error))
        except OneShotError as error:
            await self._fail(error.error)

    async def _speak(self, request: TtsRequest) -> None:
        app = self._app
        start = request.start(sound="pcm_s16le")
        sound = sound_format(start, app.model.sample_rate, app.opus_problem)
        recordings = await Body(request, {}).recordings(app.recordings)
        if (refused := app.refusal()) is not None:
            raise OneShotError(refused)
        encoder = open_encoder(sound, app.model.sample_rate)
        with app.connection(self._caller) as connection:
            speech = OneShot(connection, self._peer_is_there).messages(unencoded(start), recordings)
            utterance, warnings = "", []
            async with contextlib.aclosing(speech):
                async for message in speech:
                    if isinstance(message, wire.Started):
                        utterance = message.id
                    elif isinstance(message, wire.Warning):
                        warnings.append({"code": message.code, "message": message.message})
                    elif isinstance(message, wire.Audio):
                        await self._sound(await asyncio.to_thread(encoder.encode, message.data), request)
                    elif isinstance(message, wire.Done):
                        await self._sound(await asyncio.to_thread(encoder.finish), request)
                        done = {"done": True, "sample_rate": sound.sample_rate, "audio_ms": message.audio_ms}
                        done["id"] = utterance
                        await self._send(json.dumps(done | {"warnings": warnings} if warnings else done))

    async def _sound(self, chunks: list[bytes], request: TtsRequest) -> None:
        for chunk in chunks:
            if request.encoding == "base64":
                await self._send(json.dumps({"type": "audio_chunk", "data": base64.b64encode(chunk).decode()}))
            else:
                await self._send(chunk)

    async def _fail(self, error: wire.Error) -> None:
        await self._send(json.dumps({"error": error_body(error)}))

    async def _send(self, frame: str | bytes) -> None:
        """Raises PeerGone for a client that takes nothing for too long."""
        try:
            async with asyncio.timeout(self._app.config.slow_reader_s):
                await (self._ws.send_str(frame) if isinstance(frame, str) else self._ws.send_bytes(frame))
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise PeerGone from None

    def _peer_is_there(self) -> bool:
        return not self._gone and peer_is_there(self._request)
