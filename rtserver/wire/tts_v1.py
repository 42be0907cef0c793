"""`/ws/v1/tts`: the old server's socket. A JSON request in, sound out, `{"done": true}`; then the next request.

Sound comes in binary frames, or with `"encoding": "base64"` as {"type": "audio_chunk", "data": ...}. An error is
{"error": {...}}, after which the next request may come. A request that comes while one is spoken waits.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from typing import Any

from aiohttp import ClientConnectionResetError, WSCloseCode, WSMsgType, web

from rtserver.app import App
from rtserver.audio.encoder import open_encoder
from rtserver.http.answers import error_response
from rtserver.http.body import Body
from rtserver.http.oneshot import OneShot, OneShotError, PeerGone, unencoded
from rtserver.http.request import TtsRequest, from_json
from rtserver.http.tts import peer_is_there
from rtserver.messages import wire
from rtserver.starting import RequestError, sound_format
from rtserver.uploads.errors import UploadError

_HEARTBEAT_S = 20.0
_WAITING = 16  # requests that came while one is spoken


class TtsSocketRoute:
    """Opens a socket, or says why not."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def serve(self, request: web.Request) -> web.StreamResponse:
        app = self._app
        if not app.access.allows(request):
            return error_response(wire.Error("unauthorized", "expected a known key: Authorization, X-API-Key, api_key"))
        if (refused := app.refusal()) is not None:
            return error_response(refused)
        largest = 3 * app.config.upload_bytes + app.config.message_bytes
        ws = web.WebSocketResponse(compress=False, heartbeat=_HEARTBEAT_S, max_msg_size=largest)
        await ws.prepare(request)
        await _TtsSocket(app, request, ws).run()
        return ws


class _TtsSocket:
    """One client: a task reads, so that a client that leaves is noticed; this one speaks."""

    def __init__(self, app: App, request: web.Request, ws: web.WebSocketResponse) -> None:
        self._app = app
        self._request = request
        self._ws = ws
        self._requests: asyncio.Queue[str | None] = asyncio.Queue()
        self._gone = False

    async def run(self) -> None:
        reading = asyncio.create_task(self._read(), name="tts-socket-read")
        try:
            with contextlib.suppress(PeerGone, ClientConnectionResetError):
                while (text := await self._requests.get()) is not None:
                    await self._answer(text)
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            await self._ws.close()

    async def _read(self) -> None:
        async for message in self._ws:
            if message.type is not WSMsgType.TEXT:
                await self._ws.close(code=WSCloseCode.UNSUPPORTED_DATA, message=b"expected requests in text frames")
                break
            if self._requests.qsize() >= _WAITING:
                await self._send(
                    _error(wire.Error("overloaded", f"expected at most {_WAITING} waiting requests", True))
                )
                continue
            self._requests.put_nowait(message.data)
        self._gone = True
        self._requests.put_nowait(None)

    async def _answer(self, text: str) -> None:
        try:
            await self._speak(from_json(text))
        except (RequestError, UploadError) as error:
            await self._send(_error(wire.Error(error.code, str(error), error.code == "overloaded")))
        except OneShotError as error:
            await self._send(_error(error.error))

    async def _speak(self, request: TtsRequest) -> None:
        app = self._app
        start = request.start(sound="pcm_s16le")
        sound = sound_format(start, app.model.sample_rate)
        if (refused := app.refusal()) is not None:
            raise OneShotError(refused)
        recordings = await Body(request, {}).recordings(app.recordings)
        encoder = open_encoder(sound, app.model.sample_rate)
        with app.connection("t") as connection:
            speech = OneShot(connection, self._peer_is_there).messages(unencoded(start), recordings)
            async with contextlib.aclosing(speech):
                async for message in speech:
                    if isinstance(message, wire.Audio):
                        await self._sound(await asyncio.to_thread(encoder.encode, message.data), request)
                    elif isinstance(message, wire.Done):
                        await self._sound(await asyncio.to_thread(encoder.finish), request)
                        await self._send({"done": True, "sample_rate": sound.sample_rate, "audio_ms": message.audio_ms})

    async def _sound(self, chunks: list[bytes], request: TtsRequest) -> None:
        try:
            async with asyncio.timeout(self._app.config.slow_reader_s):
                for chunk in chunks:
                    if request.encoding == "base64":
                        await self._send({"type": "audio_chunk", "data": base64.b64encode(chunk).decode()})
                    else:
                        await self._ws.send_bytes(chunk)
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
            raise PeerGone from None

    async def _send(self, message: dict[str, Any]) -> None:
        await self._ws.send_str(json.dumps(message, ensure_ascii=False))

    def _peer_is_there(self) -> bool:
        return not self._gone and peer_is_there(self._request)


def _error(error: wire.Error) -> dict[str, Any]:
    return {"error": {"code": error.code, "message": error.message, "retryable": error.retryable}}
