"""Batches of hostile frames: each batch is one socket of a running server, on any path, in any form."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import msgpack

from bench.load.attacks.raw_socket import BINARY, HANG_UPS, PING, TEXT, RawSocket, frame, open_socket
from bench.load.fuzzing.dialect_frames import CARTESIA, DASHSCOPE, ELEVENLABS, LIVEKIT
from bench.load.fuzzing.frames import Frame, as_json, damaged, draw_frame
from bench.load.fuzzing.protocol_frames import Protocol, Told
from bench.load.fuzzing.tts_frames import changed_request, good_request
from bench.load.fuzzing.turn_frames import AURA, FLUX, VLLM_OMNI
from rtserver.messages import wire

FRAMES = 250
ANSWER_S = 60.0
# The largest message that is drawn. Larger ones take the client too long.
_LIMIT_BYTES = 16 << 10
_OVER_TURNS = 50
_SERVER_TYPES = frozenset({*(t.__name__.lower() for t in wire.ServerMessage.__args__), "audio_chunk"})
# 1006 and 1005: there was no close frame. 1011 and all others are wrong.
_CLOSE_CODES = frozenset({1000, 1001, 1002, 1003, 1005, 1006, 1007, 1008, 1009, 1013})
Draw = Callable[[Random], Frame]


def in_json(rng: Random) -> Frame:
    """A frame of the native wire, most often JSON."""
    return draw_frame(rng, _LIMIT_BYTES, None if rng.random() < 0.05 else "json")[1]


def in_msgpack(rng: Random) -> Frame:
    """A frame of the native wire in msgpack; rarely JSON, which closes the socket."""
    return draw_frame(rng, _LIMIT_BYTES, "json" if rng.random() < 0.002 else "msgpack")[1]


def tts(rng: Random) -> Frame:
    """A frame for /ws/v1/tts, or one of another protocol."""
    chance = rng.random()
    if chance < 0.1:
        return draw_frame(rng, _LIMIT_BYTES, "json")[1]
    request = good_request(rng) if chance < 0.5 else changed_request(rng)
    text = as_json(request, rng.random() < 0.5)
    if chance > 0.8:
        return damaged(rng, text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogateescape")
    return text


@dataclass(frozen=True)
class Form:
    """A kind of socket. One of the paths is taken by chance."""

    paths: tuple[str, ...]
    draw: Draw
    subprotocols: tuple[str, ...] = ()
    # Reads what the server says. None: the native wire, or `/ws/v1/tts`.
    told: Told | None = None

    @classmethod
    def of(cls, protocol: Protocol, *paths: str) -> Form:
        """The sockets of a protocol in JSON."""
        return cls(paths, protocol.draw, told=protocol.told)


_ELEVENLABS = "/v1/text-to-speech/default"
FORMS: dict[str, Form] = {
    "json": Form(("/v1/speech/realtime",), in_json, (wire.JSON_SUBPROTOCOL,)),
    "msgpack": Form(("/v1/speech/realtime",), in_msgpack, (wire.MSGPACK_SUBPROTOCOL,)),
    "no subprotocol": Form(("/v1/speech/realtime",), in_json),
    "shared path": Form(("/v1/realtime",), in_json),
    "shared path, msgpack": Form(("/v1/realtime",), in_msgpack, (wire.MSGPACK_SUBPROTOCOL,)),
    "tts": Form(("/ws/v1/tts",), tts),
    "aura": Form.of(AURA, "/v1/speak", "/v1/speak?model=default&encoding=mulaw&sample_rate=8000"),
    "flux": Form.of(FLUX, "/v2/speak", "/v2/speak?encoding=linear16&speed=1.3"),
    "vllm-omni": Form.of(VLLM_OMNI, "/v1/audio/speech/stream"),
    "elevenlabs": Form.of(
        ELEVENLABS,
        f"{_ELEVENLABS}/stream-input?output_format=pcm_24000",
        f"{_ELEVENLABS}/stream-input?auto_mode=true&language_code=en&inactivity_timeout=180",
    ),
    "elevenlabs, many contexts": Form.of(
        ELEVENLABS,
        f"{_ELEVENLABS}/multi-stream-input?output_format=pcm_24000&sync_alignment=true",
        f"{_ELEVENLABS}/multi-stream-input?output_format=ulaw_8000&auto_mode=true",
    ),
    "cartesia": Form.of(CARTESIA, "/tts/websocket", "/tts/websocket?cartesia_version=2025-04-16"),
    "dashscope": Form.of(DASHSCOPE, "/api-ws/v1/inference", "/api-ws/v1/inference/"),
    "livekit": Form.of(LIVEKIT, "/tts", "/tts?model=cartesia/sonic"),
}
# How dialects name an error of the server.
_INTERNAL = frozenset({"internal", "internal_error", "InternalError"})


class SocketBatches:
    """`key`: sent by all sockets. `forms`: some of FORMS."""

    items_per_batch = FRAMES

    def __init__(self, port: int, seed: int, key: str | None, forms: tuple[str, ...] = tuple(FORMS)) -> None:
        self._port = port
        self._seed = seed
        self._headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        self._forms = forms

    async def run(self, batch: int, items: int) -> tuple[Counter[str], list[str]]:
        """Sends a batch's frames on one socket after the other: wrong ones may close it."""
        rng = Random(f"{self._seed} sockets {batch}")
        form = rng.choice(self._forms)
        answers: Counter[str] = Counter()
        problems: list[str] = []
        while items:
            items -= await self._socket(rng, form, items, answers, problems)
        return answers, problems

    async def _socket(self, rng: Random, form: str, items: int, answers: Counter[str], problems: list[str]) -> int:
        """Sends frames until the socket is closed. Returns how many, at least one."""
        path, subprotocols = rng.choice(FORMS[form].paths), FORMS[form].subprotocols
        heard = _Heard(form, answers, problems)
        try:
            socket = await open_socket(self._port, path, subprotocols, self._headers, heard.take)
        except (TimeoutError, OSError) as error:
            problems.append(f"{form}: no handshake: {error!r}")
            await asyncio.sleep(1)
            return 1
        try:
            return await self._frames(rng, form, items, socket, heard)
        except BaseException:  # the fuzzer is stopped
            socket.abort()
            raise

    async def _frames(self, rng: Random, form: str, items: int, socket: RawSocket, heard: _Heard) -> int:
        draw, answers, problems = FORMS[form].draw, heard.answers, heard.problems
        if not socket.is_open:
            answers[f"handshake {socket.answer[:12].decode(errors='replace')}"] += 1
            await asyncio.sleep(0.05)
            return 1
        sent = 0
        while sent < items and socket.is_open:
            sent += 1
            if rng.random() < 0.002:
                await socket.write(_broken_frame(rng, draw(rng)))
            else:
                await socket.write(_framed(rng, draw(rng)))
            if form == "tts" and sent % 10 == 0:
                await heard.over(sent, socket)
            if sent % 50 == 0 and not await socket.synchronised(ANSWER_S):
                problems.append(f"{form}: no pong within {ANSWER_S:.0f} s after {sent} frames")
                break
        if socket.is_open and not await socket.synchronised(ANSWER_S):
            problems.append(f"{form}: no pong within {ANSWER_S:.0f} s after the last frame")
        await self._end(rng, form, socket, answers, problems)
        return max(1, sent)

    async def _end(self, rng: Random, form: str, socket: RawSocket, answers: Counter[str], problems: list[str]) -> None:
        how = rng.choice(HANG_UPS)
        if not await socket.hang_up(how):
            problems.append(f"{form}: a socket hung up ({how}) was not closed by the server in time")
        if socket.close_code is not None:
            answers[f"closed {socket.close_code}"] += 1
            if socket.close_code not in _CLOSE_CODES:
                problems.append(f"{form}: closed with {socket.close_code}")


class _Heard:
    """Counts and checks what the server says on one socket."""

    def __init__(self, form: str, answers: Counter[str], problems: list[str]) -> None:
        self._form = form
        self.answers = answers
        self.problems = problems
        self._over = 0

    async def over(self, requests: int, socket: RawSocket) -> None:
        """Waits a little until so many requests are over: of /ws/v1/tts only some may wait."""
        for _ in range(_OVER_TURNS):
            if self._over >= requests or not socket.is_open:
                return
            await asyncio.sleep(0.01)

    def take(self, opcode: int, payload: bytes) -> None:
        if opcode == BINARY and (not self._form.endswith("msgpack") or payload[:1] < b"\x80"):
            self.answers["sound"] += 1
            return
        if opcode not in (TEXT, BINARY):
            return
        try:
            told = json.loads(payload) if opcode == TEXT else msgpack.unpackb(payload)
            self._check(told)
        except Exception as error:
            self.problems.append(f"{self._form}: {error!r:.200} in {payload[:200]!r}")

    def _check(self, told: dict[str, object]) -> None:
        """Raises where the message is none of the protocol."""
        if (read := FORMS[self._form].told) is not None:
            kind, failure = read(told)
            self.answers[failure or kind] += 1
            if failure in _INTERNAL:
                self.problems.append(f"{self._form}: the server answers {told!r:.300}")
            return
        error = told.get("error", told if told.get("type") == "error" else None)
        if isinstance(error, dict):
            code = str(error["code"])
            self.answers[code] += 1
            self._over += 1
            if code not in wire.CODES or code == "internal":
                self.problems.append(f"{self._form}: the server answers {error!r:.300}")
            return
        kind = "done" if told.get("done") is True else str(told["type"])
        self.answers[kind] += 1
        self._over += kind == "done"
        if kind not in _SERVER_TYPES:
            raise ValueError(f"unknown type {kind}")


def _framed(rng: Random, data: Frame) -> bytes:
    """As a WebSocket frame of its kind, at times as two fragments."""
    opcode = BINARY if isinstance(data, bytes) else TEXT
    payload = _bytes_of(rng, data)
    if rng.random() < 0.01 and len(payload) > 2:
        cut = rng.randrange(1, len(payload))
        return frame(payload[:cut], opcode, final=False) + frame(payload[cut:], 0)
    return frame(payload, opcode)


def _bytes_of(rng: Random, data: Frame) -> bytes:
    """Text is rarely bytes that are no UTF-8: they close the socket."""
    if isinstance(data, bytes):
        return data
    return data.encode("utf-8", "surrogatepass" if rng.random() < 0.02 else "replace")


def _broken_frame(rng: Random, data: Frame) -> bytes:
    """A frame that breaks the rules of WebSocket. Most often the server closes the socket."""
    payload = _bytes_of(rng, data)
    match rng.randrange(8):
        case 0:
            return frame(payload, TEXT, masked=False)
        case 1:
            return frame(payload, rng.choice((3, 5, 7, 11, 15)))
        case 2:
            return frame(payload[:200].ljust(126, b"x"), PING)
        case 3:
            return frame(b"\xff\xfe" + payload, TEXT)
        case 4:
            return bytes([0x81, 0xFF]) + rng.randbytes(8) + bytes(4)
        case 5:
            return bytes([0x81 | 0x70, 0x80]) + bytes(4)
        case 6:
            return frame(rng.choice((b"", b"\x03", b"\x03\xe8\xff", b"\x00\x00", b"\xff\xff")), 8)
        case _:
            return frame(payload, 0)
