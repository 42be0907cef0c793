"""Lives of clients on every entrance: each begins, sends some text, and at a random moment cancels or hangs up."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import io
import json
import os
import random
import socket
import struct
import wave
from dataclasses import dataclass, field

import msgpack

from bench.load.attacks.raw_socket import BINARY, HANG_UPS, TEXT, HangUp, RawSocket, frame, open_socket
from bench.load.turn import texts
from rtclient.pieces import llm_pieces
from rtserver.messages import wire

# The path and subprotocol of each kind of socket.
_SOCKETS: dict[str, tuple[str, tuple[str, ...]]] = {
    "json": ("/v1/speech/realtime", ()),
    "msgpack": ("/v1/speech/realtime", (wire.MSGPACK_SUBPROTOCOL,)),
    "shared path": ("/v1/realtime", (wire.JSON_SUBPROTOCOL,)),
    "recording": ("/v1/speech/realtime", ()),
    "reservation": ("/v1/speech/realtime?reserve=0.1", ()),
    "tts": ("/ws/v1/tts", ()),
}
# The path of each kind of request.
_REQUESTS = {"whole": "/v1/tts", "stream": "/v1/tts/stream", "upload": "/v1/tts/stream", "batch": "/v1/tts"}
ENTRANCES = (*_SOCKETS, *_REQUESTS)
_AFTER_CANCEL_S = 0.3


@dataclass
class Outcome:
    """The sums over all lives."""

    # By entrance.
    lives: dict[str, int] = field(default_factory=lambda: dict.fromkeys(ENTRANCES, 0))
    # By how they ended.
    ends: dict[str, int] = field(
        default_factory=lambda: dict.fromkeys(("cancel", *HANG_UPS, "mid-frame", "refused"), 0)
    )
    audio_frames: int = 0
    # Frames of sound that came after `cancelled`.
    late_frames: int = 0


class Lives:
    """Clients of one server. `longest_s`: the longest time from the start to the end of a life."""

    def __init__(self, port: int, chance: random.Random, longest_s: float, *, clones: bool) -> None:
        self._port = port
        self._chance = chance
        self._longest_s = longest_s
        self._entrances = [e for e in ENTRANCES if clones or e not in ("recording", "upload")]
        self.outcome = Outcome()

    async def live(self) -> None:
        """One life on a random entrance."""
        entrance = self._chance.choice(self._entrances)
        self.outcome.lives[entrance] += 1
        if entrance in _SOCKETS:
            await self._socket(entrance)
        else:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._request(entrance)

    # -- sockets -------------------------------------------------------------------------------------------------------

    async def _socket(self, entrance: str) -> None:
        hearing = _Hearing(self.outcome, packs=entrance == "msgpack")
        path, subprotocols = _SOCKETS[entrance]
        try:
            ws = await open_socket(self._port, path, subprotocols, on_frame=hearing.take)
        except OSError:
            self.outcome.ends["refused"] += 1
            return
        try:
            await self._life(ws, entrance, hearing)
        except BaseException:  # the bench is stopped
            ws.abort()
            raise

    async def _life(self, ws: RawSocket, entrance: str, hearing: _Hearing) -> None:
        chance, outcome = self._chance, self.outcome
        if not ws.is_open:
            outcome.ends["refused"] += 1
            await ws.hang_up("reset")
            return
        end_s = asyncio.get_running_loop().time() + chance.uniform(0, self._longest_s)
        await self._talk(ws, entrance, end_s)
        if entrance != "tts" and chance.random() < 0.4:
            hearing.cancels()
            await ws.write(_packed(entrance, {"type": "cancel"}))
            await asyncio.sleep(_AFTER_CANCEL_S)
            outcome.ends["cancel"] += 1
            await ws.hang_up("in_order")
            return
        how: HangUp = chance.choice(HANG_UPS)
        if how != "in_order" and chance.random() < 0.3:
            text = _packed(entrance, {"type": "text", "text": "and this is never whole "})
            await ws.write(text[: chance.randrange(1, len(text))])
            outcome.ends["mid-frame"] += 1
        outcome.ends[how] += 1
        await ws.hang_up(how)

    async def _talk(self, ws: RawSocket, entrance: str, end_s: float) -> None:
        """Sends a start and words until the end."""
        chance, loop = self._chance, asyncio.get_running_loop()
        text = _text(chance)
        if entrance == "tts":
            await ws.write(frame(json.dumps({"text": text, "language": "en"}).encode(), TEXT))
            await asyncio.sleep(max(0.0, end_s - loop.time()))
            return
        start: dict[str, object] = {"type": "start", "language": "en", "class": chance.choice(("realtime", "batch"))}
        if entrance == "recording":
            audio = base64.b64encode(recording(chance)).decode()
            start |= {"mode": "zero_shot", "prompt_text": "Good morning to you.", "prompt_audio": audio}
        await ws.write(_packed(entrance, start))
        for piece in llm_pieces(text):
            left_s = end_s - loop.time()
            if left_s <= 0:
                break
            await ws.write(_packed(entrance, {"type": "text", "text": piece}))
            await asyncio.sleep(min(left_s, chance.uniform(0, 0.05)))

    # -- requests ------------------------------------------------------------------------------------------------------

    async def _request(self, entrance: str) -> None:
        chance = self._chance
        content_type, body = "application/json", _body(chance, entrance)
        if entrance == "upload":
            content_type, body = "multipart/form-data; boundary=b", _form(_text(chance), recording(chance))
        head = (
            f"POST {_REQUESTS[entrance]} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        ).encode()
        data = head + body
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            if chance.random() < 0.2:
                writer.write(data[: chance.randrange(len(data))])
                self.outcome.ends["mid-frame"] += 1
            else:
                writer.write(data)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(chance.uniform(0, self._longest_s)):
                    while taken := await reader.read(1 << 16):
                        self.outcome.audio_frames += taken[:4] != b"HTTP"
            how = chance.choice(("reset", "half", "gone"))
            self.outcome.ends[how] += 1
            if how == "half":
                writer.write_eof()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self._longest_s):
                        await reader.read(1 << 16)
            elif how == "reset":
                with socket.socket(fileno=os.dup(writer.get_extra_info("socket").fileno())) as sock:
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        finally:
            writer.transport.abort()


class _Hearing:
    """Counts the sound of one socket, also what comes after `cancelled`."""

    def __init__(self, outcome: Outcome, *, packs: bool) -> None:
        self._outcome = outcome
        self._packs = packs
        self._awaits = False
        self._cancelled = False

    def cancels(self) -> None:
        """The client has cancelled all."""
        self._awaits = True

    def take(self, opcode: int, payload: bytes) -> None:
        if opcode == BINARY:
            kind = msgpack.unpackb(payload)["type"] if self._packs else "audio"
        else:
            kind = json.loads(payload).get("type") if opcode == TEXT else None
        if kind == "audio":
            self._outcome.audio_frames += 1
            self._outcome.late_frames += self._cancelled
        elif kind == "cancelled" and self._awaits:
            self._cancelled = True


def _packed(entrance: str, message: dict[str, object]) -> bytes:
    if entrance == "msgpack":
        return frame(msgpack.packb(message), BINARY)
    return frame(json.dumps(message).encode(), TEXT)


def _text(chance: random.Random) -> str:
    return " ".join(chance.sample(texts("english"), 3))


def _body(chance: random.Random, entrance: str) -> bytes:
    request = {"text": _text(chance), "language": "en"}
    return json.dumps(request | ({"class": "batch"} if entrance == "batch" else {})).encode()


def _form(text: str, sound: bytes) -> bytes:
    made = b""
    for name, value in (("text", text), ("mode", "zero_shot"), ("prompt_text", "Good morning to you.")):
        made += f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
    made += b'--b\r\nContent-Disposition: form-data; name="prompt_wav"; filename="a.wav"\r\n\r\n' + sound
    return made + b"\r\n--b--\r\n"


def recording(chance: random.Random) -> bytes:
    """A WAV file of 1.5 s that is no other's: it has to be prepared."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(chance.randbytes(48_000))
    return buffer.getvalue()
