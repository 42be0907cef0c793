"""Floods: what a caller with a key can do to a server again and again. Each runs until it is cancelled."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import os
import socket
import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bench.load.attacks.raw_socket import CONTINUATION, PING, TEXT, RawSocket, frame, handshake, open_socket
from bench.load.turn import texts

NATIVE = "/v1/speech/realtime"
_BURST = 200  # frames in one write
_OPEN_AT_ONCE = 20


@dataclass
class Target:
    """Where a flood goes to."""

    port: int
    key: str
    # The sockets of the flood so far.
    sockets: list[RawSocket] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.key}"}

    async def socket(self, path: str = NATIVE, *, reads: bool = True) -> RawSocket:
        """Another socket of the flood; `reads`: whether it takes what comes."""
        made = await open_socket(self.port, path, headers=self.headers)
        self.sockets.append(made)
        if not reads and made.transport is not None and not made.transport.is_closing():
            made.transport.pause_reading()
        return made

    def abort(self) -> None:
        """The flood is over."""
        for made in self.sockets:
            made.abort()

    def post(self, path: str, content_type: str, length: int, *more: str) -> bytes:
        """The head of a request."""
        lines = (
            f"POST {path} HTTP/1.1", "Host: 127.0.0.1", f"Authorization: Bearer {self.key}",
            f"Content-Type: {content_type}", f"Content-Length: {length}", *more, "", "",
        )  # fmt: skip
        return "\r\n".join(lines).encode()


Flood = Callable[[Target], Awaitable[None]]


def message(kind: str, **fields: object) -> bytes:
    """A message of the native wire as a frame."""
    return frame(json.dumps({"type": kind, **fields}).encode(), TEXT)


async def nothing(target: Target) -> None:
    """No flood: the others are compared with it."""
    await asyncio.Event().wait()


async def pings(target: Target) -> None:
    """Four sockets ping without a pause, and take no answer."""
    await _repeat(target, 4, message("ping", id="x" * 100), reads=False)


async def errors(target: Target) -> None:
    """Four sockets send messages of no type without a pause, and take no answer."""
    await _repeat(target, 4, message("nothing"), reads=False)


async def answered_errors(target: Target) -> None:
    """Four sockets send messages of no type without a pause, and take the answers."""
    await _repeat(target, 4, message("nothing"))


async def textless_starts(target: Target) -> None:
    """Contexts of both classes are begun without text, 32 on each of 20 sockets, and again when they end."""

    async def fill() -> None:
        ws = await target.socket()
        while ws.is_open:
            for number in range(32):
                kind = "batch" if number % 2 else "realtime"
                await ws.write(message("start", context=f"c{number}", **{"class": kind}))
            await asyncio.sleep(2)

    await _for_ever(20, fill)


async def flushes(target: Target) -> None:
    """Four sockets flush a context without a pause."""
    await _repeat(target, 4, message("flush", id="f"), message("start", text="Hello there. "))


async def played(target: Target) -> None:
    """Four sockets report what they have heard without a pause."""
    begin = message("start", text=" ".join(texts("english")), end=True)
    await _repeat(target, 4, message("played", ms=1e12), begin)


async def half_open(target: Target) -> None:
    """900 connections send half a request, or nothing."""

    async def hold(number: int = 0) -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", target.port)
        writer.write(b"GET /v1/speech/realtime HTTP/1.1\r\nHost: localhost\r\n" if os.urandom(1)[0] % 2 else b"")
        try:
            await asyncio.sleep(3600)
        finally:
            writer.transport.abort()

    await _for_ever(900, hold)


async def slow_bodies(target: Target) -> None:
    """200 requests announce 50 MB and send a byte a second."""

    async def trickle() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        try:
            writer.write(target.post("/v1/tts", "application/json", 50_000_000))
            while not reader.at_eof():
                writer.write(b" ")
                await asyncio.sleep(1)
        finally:
            writer.transport.abort()

    await _for_ever(200, trickle)


async def big_forms(target: Target) -> None:
    """Two clients post forms with a field of 5 MB of percent escapes."""
    body = b"text=" + b"%41" * 1_700_000
    await _posts(target, 2, "/v1/tts", "application/x-www-form-urlencoded", body)


async def charsets(target: Target) -> None:
    """One client posts forms of 100 KB in punycode."""
    body = b"text=-" + b"a" * 100_000
    await _posts(target, 1, "/v1/tts", "application/x-www-form-urlencoded; charset=punycode", body)


async def base64_bodies(target: Target) -> None:
    """Four clients post JSON with 20 MB of base64 that is no recording."""
    audio = base64.b64encode(os.urandom(14_000_000)).decode()
    body = json.dumps({"text": "Hello.", "mode": "zero_shot", "prompt_audio": audio}).encode()
    await _posts(target, 4, "/v1/tts", "application/json", body)


async def reservations(target: Target) -> None:
    """300 sockets reserve a millionth of a place, and 30 of them speak."""
    begin = message("start", text=" ".join(texts("english")), end=True)

    async def reserve() -> None:
        ws = await target.socket(f"{NATIVE}?reserve=0.000001")
        if os.urandom(1)[0] < 26:
            await ws.write(begin)
        await ws.over.wait()
        await asyncio.sleep(0.2)

    await _for_ever(300, reserve)


async def reconnects(target: Target) -> None:
    """Eight clients connect, start, and reset the connection, without a pause."""
    begin = message("start", text="Hello there, how are you? ")

    async def reconnect() -> None:
        ws = await target.socket()
        await ws.write(begin)
        await ws.hang_up("reset")

    await _for_ever(8, reconnect)


async def trickling_readers(target: Target) -> None:
    """Thirty listeners of long texts take 1 KB a second of unbounded sound."""
    begin = message("start", text=" ".join(texts("english") * 3), end=True, max_lead_s=3600)

    async def trickle() -> None:
        loop = asyncio.get_running_loop()
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            await loop.sock_connect(sock, ("127.0.0.1", target.port))
            await loop.sock_sendall(sock, handshake(target.port, NATIVE, headers=target.headers))
            await loop.sock_recv(sock, 300)
            await loop.sock_sendall(sock, begin)
            taken = b"some"
            while taken:
                taken = await loop.sock_recv(sock, 512)
                await asyncio.sleep(0.5)

    await _for_ever(30, trickle)


async def preparations(target: Target) -> None:
    """Eight sockets start contexts with a new recording each time, and hang up at once or a little later."""

    async def prepare() -> None:
        ws = await target.socket()
        audio = base64.b64encode(_wave(os.urandom(48_000 * 5))).decode()
        await ws.write(message("start", mode="zero_shot", prompt_text="words", prompt_audio=audio, text="Hello. "))
        await asyncio.sleep(os.urandom(1)[0] / 500)
        await ws.hang_up("reset")

    await _for_ever(8, prepare)


async def fragments(target: Target) -> None:
    """Eight sockets begin a message and send empty fragments of it without a pause and without an end."""
    await _repeat(target, 8, frame(b"", CONTINUATION, final=False) * 200, frame(b"x", TEXT, final=False))


async def tiny_chunks(target: Target) -> None:
    """Eight clients post bodies in chunks of one byte."""
    head = target.post("/v1/tts", "application/json", 0).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    await _pours(target, 8, head, b"1\r\n \r\n" * 20_000)


async def pipelined(target: Target) -> None:
    """Eight clients send requests without a pause, and take no answer."""
    request = target.post("/v1/voices", "text/plain", 0).replace(b"POST", b"GET")
    await _pours(target, 8, b"", request * 1000)


async def large_heads(target: Target) -> None:
    """Eight clients send requests with as many and as long headers as there may be, and long queries."""
    fields = [f"X-{number}: {'y' * 200}" for number in range(100)]
    request = target.post("/v1/voices?" + "&".join(["a=%41"] * 1300), "text/plain", 0, *fields).replace(b"POST", b"GET")
    await _pours(target, 8, b"", request * 10)


async def many_values(target: Target) -> None:
    """Four sockets send messages of a megabyte of empty objects."""
    objects = ",".join(["{}"] * 340_000)
    data = frame(f'{{"type": "start", "lexicon": [{objects}]}}'.encode(), TEXT)
    await _repeat(target, 4, data, burst=1)


async def pings_before_a_key(target: Target) -> None:
    """Forty sockets without a key ping without a pause, where a key may come in the first message."""
    begin = handshake(target.port, "/v1/text-to-speech/default/stream-input")
    await _pours(target, 40, begin, frame(b"", PING) * 2000)


FLOODS: tuple[Flood, ...] = (
    nothing, pings, errors, answered_errors, textless_starts, flushes, played, half_open, slow_bodies, big_forms,
    charsets, base64_bodies, reservations, reconnects, trickling_readers, preparations,
    fragments, tiny_chunks, pipelined, large_heads, many_values, pings_before_a_key,
)  # fmt: skip


# -- what floods share -------------------------------------------------------------------------------------------------


async def _for_ever(side_by_side: int, once: Callable[[], Awaitable[None]]) -> None:
    """Does it again and again, so many at a time. Refusals and lost connections are what floods meet."""
    opening = asyncio.Semaphore(_OPEN_AT_ONCE)

    async def client() -> None:
        async with opening:
            await asyncio.sleep(0.02)
        while True:
            with contextlib.suppress(OSError, TimeoutError, RuntimeError):
                await once()
            await asyncio.sleep(0)

    async with asyncio.TaskGroup() as clients:
        for _ in range(side_by_side):
            clients.create_task(client())


async def _repeat(
    target: Target, sockets: int, data: bytes, begin: bytes = b"", *, reads: bool = True, burst: int = _BURST
) -> None:
    """Sends `begin` once and then `data` again and again, `burst` times at once, as fast as the server reads."""

    async def repeat() -> None:
        ws = await target.socket(reads=reads)
        await ws.write(begin)
        while ws.is_open and ws.transport is not None and not ws.transport.is_closing():
            await ws.write(data * burst)
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)

    await _for_ever(sockets, repeat)


async def _posts(target: Target, clients: int, path: str, content_type: str, body: bytes) -> None:
    """Posts a body again and again, and reads the answers."""

    async def post() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", target.port)
        try:
            writer.write(target.post(path, content_type, len(body), "Connection: close"))
            writer.write(body)
            await writer.drain()
            while await reader.read(1 << 16):
                pass
        finally:
            writer.transport.abort()

    await _for_ever(clients, post)


async def _pours(target: Target, clients: int, begin: bytes, data: bytes) -> None:
    """Connects, sends `begin`, and then `data` again and again until the server closes. No answer is read."""

    async def pour() -> None:
        _, writer = await asyncio.open_connection("127.0.0.1", target.port, limit=1)
        # What the machine holds between the two is parsed by the server, also after the client has gone.
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 16)
        try:
            writer.write(begin)
            while not writer.is_closing():
                writer.write(data)
                await writer.drain()
        finally:
            writer.transport.abort()

    await _for_ever(clients, pour)


def _wave(samples: bytes) -> bytes:
    """A WAV file of 16-bit mono at 24 kHz."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(24_000)
        file.writeframes(samples)
    return buffer.getvalue()
