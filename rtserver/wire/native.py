"""The native wire, version 1, over aiohttp: `GET /v1/realtime`. See docs/protocol.md.

Two tasks a socket: this one reads, the other sends. Reading never waits for sending, so a cancel is heard while the
client is slow to take sound.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from dataclasses import dataclass

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from rtserver.audio.formats import SoundFormat
from rtserver.audio.framed import SoundFrames
from rtserver.front.connection import Connection
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.outbox import Closing
from rtserver.session.start_request import NO_RECORDINGS
from rtserver.uploads.errors import UploadError
from rtserver.uploads.recordings import RecordingReader
from rtserver.wire.patience import Patience
from rtserver.wire.socket_frames import PING, PONG, audio_frames, control_frame

_LOG = logging.getLogger(__name__)

PING_INTERVAL_S = 20.0
# A peer that has sent nothing, not even a pong, for three pings is gone.
DEAD_AFTER_S = 3 * PING_INTERVAL_S
# What the kernel may hold of a socket's sound: enough for the network, little for a listener that does not read.
SEND_BUFFER_BYTES = 256 << 10
# Sound that waits goes out in pieces of at most this: a write for each frame costs more than the frame does.
BURST_BYTES = 128 << 10
# Pings and pongs are left out while more than this waits in the transport: a client that reads nothing needs none.
CONTROL_BELOW_BYTES = 64 << 10
# A frame beyond this many limits of a message closes the socket (1009) once its length is read: putting together some
# megabytes would hold up everybody's sound for milliseconds.
LARGEST_FRAME_LIMITS = 2
_CLOSE_GRACE_S = 5.0
_SLOW_CLOSE_GRACE_S = 1.0  # for one that reads nothing anyway


@dataclass(frozen=True)
class NativeLimits:
    """message_bytes: larger messages are answered with message_too_big, unread.
    slow_reader_s: how long a client may take nothing of what waits for it."""

    message_bytes: int
    slow_reader_s: float = 30.0


class NativeSocket:
    """One client on the native wire. `serve` returns when the socket is closed, with all its work ended."""

    def __init__(self, connection: Connection, recordings: RecordingReader, limits: NativeLimits) -> None:
        self.connection = connection
        self._recordings = recordings
        # By context, where its sound is not the engine's own: its stream, and what makes the frames.
        self._frames: dict[str | None, tuple[int, SoundFrames]] = {}
        self._limits = limits
        # Pings are answered here: aiohttp's own heartbeat drops a peer that is silent for half the interval.
        self._ws = web.WebSocketResponse(
            protocols=(wire.JSON_SUBPROTOCOL, wire.MSGPACK_SUBPROTOCOL),
            compress=False,
            autoping=False,
            writer_limit=0,  # every send waits while the transport is full
            max_msg_size=LARGEST_FRAME_LIMITS * limits.message_bytes,
        )
        self._msgpack = False
        self._heard_from_s = time.monotonic()
        self._transport: asyncio.Transport | None = None
        self._aborted = False

    async def serve(self, request: web.Request) -> web.WebSocketResponse:
        """Speaks the wire until the socket closes."""
        await self._ws.prepare(request)
        self._transport = request.transport
        _bound_send_buffer(request.transport)
        self._msgpack = self._ws.ws_protocol == wire.MSGPACK_SUBPROTOCOL
        self.connection.on_waiting = self._send_sound
        self.connection.opened()
        tasks = [
            asyncio.create_task(self._send_items(), name="socket-send"),
            asyncio.create_task(self._ping(), name="socket-ping"),
        ]
        try:
            async for message in self._ws:
                self._heard_from_s = time.monotonic()
                if not await self._take(message):
                    break
        finally:
            self.connection.close()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if not self._ws.closed and not self._aborted:
                await self._close(WSCloseCode.OK, "")
        return self._ws

    # -- in ---------------------------------------------------------------------------------------------------------

    async def _take(self, message: WSMessage) -> bool:
        """One frame; False when the socket is over."""
        if message.type is WSMsgType.PING:
            self._control(PONG, message.data)
        elif message.type in (WSMsgType.TEXT, WSMsgType.BINARY):
            if (message.type is WSMsgType.BINARY) != self._msgpack:
                kind = "binary" if self._msgpack else "text"
                await self._close(WSCloseCode.UNSUPPORTED_DATA, f"{self._ws.ws_protocol or 'JSON'} takes {kind} frames")
                return False
            await self._message(message.data)
        return message.type is not WSMsgType.ERROR

    async def _message(self, data: str | bytes) -> None:
        size_bytes = len(data)
        if isinstance(data, str) and size_bytes <= self._limits.message_bytes:  # characters: bytes may be more
            size_bytes = len(data.encode(errors="surrogatepass"))
        if size_bytes > self._limits.message_bytes:
            self.connection.do(lambda session, now_s: session.too_big(size_bytes, now_s))
            return
        try:
            decoded = wire.CLIENT.from_msgpack(data) if isinstance(data, bytes) else wire.CLIENT.from_json(data)
        except MessageError as error:
            # Bound as an argument: a closure over it would be a cycle that keeps the frame until the next collection.
            self.connection.do(lambda session, now_s, error=error: session.malformed(error, now_s))  # type: ignore[misc]
            return
        recordings = NO_RECORDINGS
        if isinstance(decoded, wire.Start):
            # What comes behind it on this socket waits, so that text cannot overtake its start.
            try:
                recordings = await self._recordings.decode(decoded.prompt_audio, decoded.source_audio)
            except UploadError as error:
                code, text = error.code, str(error)
                self.connection.do(lambda session, now_s: session.unusable(decoded, code, text, now_s))
                return
        self.connection.receive(decoded, recordings)

    # -- out --------------------------------------------------------------------------------------------------------

    async def _send_items(self) -> None:
        """Sends what the session says; closes the socket of a client that does not take it."""
        with contextlib.suppress(ConnectionError):
            try:
                async with Patience(self._limits.slow_reader_s) as patience:
                    while not isinstance(item := await self.connection.next_item(), Closing):
                        patience.begin()
                        for message in await self._encoded(item):
                            await self._send(message)
                        patience.end()
                        self._send_sound()
                await self._close(item.close_code, item.reason)
            except TimeoutError:
                self.connection.do(lambda session, now_s: session.slow_reader(now_s))
                await self._close(
                    WSCloseCode.POLICY_VIOLATION, "slow_reader: what was sent is not read", _SLOW_CLOSE_GRACE_S
                )

    def _send_sound(self) -> None:
        """Sends what sound is next, if it needs no encoding and the client has taken all before it: a write for what
        waits together, and no task has to wake."""
        connection, transport = self.connection, self._transport
        while (frame := connection.next_sound) is not None:
            if self._msgpack or frame.context in self._frames:
                return
            if transport is None or transport.get_write_buffer_size() or not self._open:
                return
            transport.write(audio_frames(connection.take_sound(BURST_BYTES)))

    @property
    def _open(self) -> bool:
        """Whether frames may be written between those of aiohttp's."""
        return self._transport is not None and not self._transport.is_closing() and not self._ws.closed

    async def _encoded(self, item: wire.ServerMessage) -> list[wire.ServerMessage]:
        """The same with its sound in the form that the client asked for."""
        match item:
            case wire.Started():
                sound = SoundFormat(item.format, item.sample_rate)
                if sound != SoundFormat("pcm_s16le", self.connection.session.info.sample_rate):
                    native_rate = self.connection.session.info.sample_rate
                    self._frames[item.context] = item.stream, SoundFrames(sound, native_rate)
            case wire.Audio() if item.context in self._frames:
                stream, frames = self._frames[item.context]
                made = await asyncio.to_thread(frames.feed, item.data)
                return [wire.Audio(item.context, f.seq, f.start_ms, f.data, stream) for f in made]
            case wire.Done() if item.context in self._frames:
                stream, frames = self._frames.pop(item.context)
                made = await asyncio.to_thread(frames.finish)
                return [*(wire.Audio(item.context, f.seq, f.start_ms, f.data, stream) for f in made), item]
            case wire.Cancelled():
                self._frames.pop(item.context, None)
            case wire.Error() if item.code != "context_exists":  # then the context goes on
                self._frames.pop(item.context, None)
        return [item]

    def _control(self, opcode: int, payload: bytes = b"") -> None:
        """A ping or pong, which holds up nobody: with a client that is slow to take sound, reading would otherwise wait
        to answer its ping."""
        transport = self._transport
        if transport is not None and self._open and transport.get_write_buffer_size() < CONTROL_BELOW_BYTES:
            transport.write(control_frame(opcode, payload))

    async def _send(self, item: wire.ServerMessage) -> None:
        if self._msgpack:
            await self._ws.send_bytes(wire.SERVER.to_msgpack(wire.without_stream(item)))
        elif isinstance(item, wire.Audio):
            await self._ws.send_bytes(wire.pack_audio(item))
        else:
            await self._ws.send_str(wire.SERVER.to_json(item))

    async def _ping(self) -> None:
        while True:
            await asyncio.sleep(PING_INTERVAL_S)
            if time.monotonic() - self._heard_from_s > DEAD_AFTER_S:
                _LOG.info("a peer has answered no ping for %.0f s: its socket is dropped", DEAD_AFTER_S)
                self._abort()
                return
            self._control(PING)

    async def _close(self, code: int, reason: str, grace_s: float = _CLOSE_GRACE_S) -> None:
        """Closes in order; a peer that does not take part in it is dropped: one that reads nothing would otherwise keep
        its transport, which still has something to send, for ever."""
        drop = asyncio.get_running_loop().call_later(grace_s, self._abort)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(grace_s):
                await self._ws.close(code=code, message=reason.encode()[:120])
        if self._transport is None or not self._transport.get_write_buffer_size():
            drop.cancel()

    def _abort(self) -> None:
        self._aborted = True
        if self._transport is not None:
            self._transport.abort()


def _bound_send_buffer(transport: asyncio.Transport | None) -> None:
    sock: socket.socket | None = None if transport is None else transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
