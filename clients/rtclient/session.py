"""One connection to the server, for any number of speeches at the same time."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit, urlunsplit

import websockets
from websockets.asyncio.client import ClientConnection

from rtclient.errors import ClientError, ConnectionLost, ServerError
from rtclient.messages import Info, build, decode, encode
from rtclient.speech import Speech

Encoding = Literal["msgpack", "json"]
_SUBPROTOCOLS = {"msgpack": "rt.v1.msgpack", "json": "rt.v1.json"}
_PATH = "/v1/speech/realtime"


@contextlib.asynccontextmanager
async def connect(
    url: str,
    *,
    api_key: str | None = None,
    encoding: Encoding = "msgpack",
    open_timeout_s: float = 10.0,
    reserve: float | None = None,
) -> AsyncIterator[Session]:
    """A session with the server at `url` (http, https, ws or wss; the path may be left out). After the `async with`
    block all its speeches are cancelled and the connection is closed.

    reserve: the share of the time (0 to 1) in which this conversation speaks. The server then keeps a place for it: its
    speeches, one at a time, are not refused with `overloaded`. If there is no place, `connect` is refused with it.

    Raises ServerError when the server refuses, ConnectionLost when there is no server.
    """
    if encoding not in _SUBPROTOCOLS:
        raise ValueError(f"encoding: expected one of {', '.join(_SUBPROTOCOLS)}, found {encoding!r}")
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    try:
        ws = await websockets.connect(
            websocket_url(url, reserve),
            subprotocols=[websockets.Subprotocol(_SUBPROTOCOLS[encoding])],
            additional_headers=headers,
            compression=None,  # compression does not make sound smaller, and takes time
            max_size=None,
            open_timeout=open_timeout_s,
        )
    except websockets.InvalidStatus as error:
        raise _refusal(error) from error
    except (OSError, TimeoutError, websockets.WebSocketException) as error:
        raise ConnectionLost(f"{url}: no connection: {error or type(error).__name__}") from error
    session = Session(ws, packed=encoding == "msgpack")
    try:
        await session._greet(open_timeout_s)
        yield session
    finally:
        await session._close()


def websocket_url(url: str, reserve: float | None = None) -> str:
    """`url` with a WebSocket scheme, the default path and `reserve`. Raises ValueError for another scheme."""
    parts = urlsplit(url if "://" in url else f"ws://{url}")
    schemes = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
    if parts.scheme not in schemes or not parts.netloc:
        raise ValueError(f"expected an address like ws://127.0.0.1:8790, found {url!r}")
    path = parts.path if parts.path not in ("", "/") else _PATH
    query = parts.query
    if reserve is not None:
        query = f"{query}&reserve={reserve}".lstrip("&")
    return urlunsplit((schemes[parts.scheme], parts.netloc, path, query, ""))


class Session:
    """Made by `connect`. `info` is the server's first message."""

    info: Info

    def __init__(self, ws: ClientConnection, *, packed: bool) -> None:
        self._ws = ws
        self._packed = packed
        self._names = itertools.count(1)
        self._speeches: dict[str, Speech] = {}
        self._streams: dict[int, Speech] = {}
        self._pongs: dict[str, asyncio.Future[None]] = {}
        self._reader: asyncio.Task[None] | None = None
        self._lost: ClientError | None = None
        self.errors: list[ServerError] = []  # errors of the server that belong to no speech

    @property
    def lost(self) -> ClientError | None:
        """Why the connection is over. None while it is open."""
        return self._lost

    def speak(
        self,
        text: str | AsyncIterable[str] | Iterable[str] | None = None,
        *,
        voice: str = "default",
        language: str = "auto",
        speed: float = 1.0,
        sample_rate: int | None = None,
        seed: int | None = None,
        marks: bool = True,
        service_class: Literal["realtime", "batch"] = "realtime",
        max_lead_s: float | None = None,
        target_s: float | None = None,
        mode: str = "sft",
        instruct_text: str = "",
        prompt_audio: bytes | None = None,
        prompt_text: str = "",
        source_audio: bytes | None = None,
        markup: bool = True,
        lexicon: Sequence[Mapping[str, Any]] = (),
        context: str | None = None,
    ) -> Speech:
        """Speaks a whole text, or text in pieces while they come. None: `Speech.send` sends the text. Returns at once.

        prompt_audio: a recording (the bytes of a wav, flac, mp3, ogg or m4a file) whose voice is used.
        prompt_text: what `prompt_audio` says.
        source_audio: a recording that mode `vc` says again, without text.
        sample_rate: of the sound, in Hz; None: the model's.
        seed: the same seed gives the same speech again.
        max_lead_s: how many seconds of sound may be sent ahead of the listener.
        target_s: how long the speech of a whole text should last. `Done.speed` is the speed that was chosen for it.
        markup: whether tags and brackets in the text are markup; else they are plain text.
        lexicon: how some words are spoken: `{"word": "SQL", "say": "sequel"}`, or `cmu` or `pinyin` in place of `say`.
        service_class: `batch` speeches wait for all realtime ones.

        Raises ClientError for a `context` name that is in use.
        """
        name = context or f"c{next(self._names)}"
        if name in self._speeches:
            raise ClientError(f"context {name!r} is in use on this session")
        start = {
            "voice": voice,
            "language": language,
            "speed": speed,
            "sample_rate": sample_rate,
            "seed": seed,
            "marks": marks,
            "class": service_class,
            "max_lead_s": max_lead_s,
            "target_s": target_s,
            "mode": mode,
            "instruct_text": instruct_text or None,
            "prompt_audio": prompt_audio,
            "prompt_text": prompt_text or None,
            "source_audio": source_audio,
            "markup": None if markup else False,
            "lexicon": list(lexicon) or None,
        }
        speech = Speech(self, name, start, text)
        if self._lost is not None:
            speech._fail(self._lost)
        else:
            self._speeches[name] = speech
        return speech

    async def ping(self) -> None:
        """Returns when the server has answered. Raises ConnectionLost."""
        name = str(next(self._names))
        self._pongs[name] = pong = asyncio.get_running_loop().create_future()
        try:
            await self.send("ping", id=name)
            await pong
        finally:
            self._pongs.pop(name, None)

    async def send(self, kind: str, **fields: Any) -> None:
        """Sends one message of the wire. Raises ConnectionLost."""
        if self._lost is not None:
            raise self._lost
        try:
            await self._ws.send(encode({"type": kind, **fields}, packed=self._packed))
        except websockets.ConnectionClosed as error:
            raise self._lose(error) from error

    # -- in ---------------------------------------------------------------------------------------------------------

    async def _greet(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                message = decode(await self._ws.recv(), packed=self._packed)
                if message["type"] == "error":
                    raise _server_error(message)
            self.info = build(Info, message)
        except (websockets.ConnectionClosed, TimeoutError, ValueError) as error:
            raise ConnectionLost(f"expected the server's greeting: {error or type(error).__name__}") from error
        self._reader = asyncio.create_task(self._read(), name="rtclient-read")

    async def _read(self) -> None:
        try:
            async for data in self._ws:
                self._take(decode(data, packed=self._packed))
            self._lose(None)
        except websockets.ConnectionClosed as error:
            self._lose(error)
        except ValueError as error:
            self._lost = ClientError(f"the server sent what this client does not understand: {error}")
            self._fail_all(self._lost)

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "pong":
            pong = self._pongs.get(message.get("id", ""))
            if pong is not None and not pong.done():
                pong.set_result(None)
            return
        name = message.get("context")
        speech = (
            self._streams.get(message["stream"]) if kind == "audio" and name is None else self._speeches.get(name or "")
        )
        if speech is None:
            if kind == "error":
                self.errors.append(_server_error(message))
            return
        if kind == "started" and isinstance(message.get("stream"), int):
            self._streams[message["stream"]] = speech
        if kind == "error":
            speech._fail(_server_error(message))
        else:
            speech._take(kind, message)

    def _forget(self, speech: Speech) -> None:
        """Removes a speech that is over."""
        if self._speeches.get(speech.context) is speech:
            del self._speeches[speech.context]
        if speech.started is not None:
            self._streams.pop(speech.started.stream, None)

    # -- ends -------------------------------------------------------------------------------------------------------

    def _lose(self, error: websockets.ConnectionClosed | None) -> ClientError:
        if self._lost is None:
            close = self._ws.close_code, self._ws.close_reason
            why = f"closed with {close[0]} {close[1]}".strip() if close[0] is not None else "closed"
            last = self.errors[-1] if self.errors else None
            self._lost = ConnectionLost(f"the connection is lost: {last or error or why}", close[0])
            self._fail_all(self._lost)
        return self._lost

    def _fail_all(self, error: ClientError) -> None:
        for speech in list(self._speeches.values()):
            speech._fail(error)
        for pong in self._pongs.values():
            if not pong.done():
                pong.set_exception(error)

    async def _close(self) -> None:
        if self._lost is None:
            self._lost = ConnectionLost("the session is closed")
        speeches = list(self._speeches.values())
        self._fail_all(self._lost)
        await self._ws.close()
        tasks = [task for task in (self._reader, *(s._feeding for s in speeches)) if task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _server_error(message: dict[str, Any]) -> ServerError:
    code, text = str(message.get("code", "internal")), str(message.get("message", ""))
    return ServerError(code, text, bool(message.get("retryable")), message.get("retry_after_ms"))


def _refusal(error: websockets.InvalidStatus) -> ClientError:
    """The error for an HTTP answer that came instead of a WebSocket."""
    response = error.response
    try:
        said = json.loads(response.body or b"{}")["error"]
    except (ValueError, KeyError, TypeError):
        return ConnectionLost(f"expected a WebSocket, found HTTP {response.status_code}")
    retry_after_s = response.headers.get("Retry-After", "")
    retry_after_ms = int(retry_after_s) * 1000 if retry_after_s.isdigit() else None
    return ServerError(
        said.get("code", "internal"), said.get("message", ""), response.status_code == 503, retry_after_ms
    )
