"""Sound and the times of its characters in JSON, sent as they are made: a line for each piece, or one object."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod

import msgspec
from aiohttp import web

from rtserver.http.sound import sound_headers, warning_header, warning_text
from rtserver.http.streamed import StreamedAnswer
from rtserver.messages import wire
from rtserver.wire.elevenlabs.alignment import Alignment, TimedCharacters
from rtserver.wire.elevenlabs.errors import REQUEST_ID_HEADER, http_error

_NOTHING = TimedCharacters([], [], [])


class TimedSound(ABC):
    """What both answers share. `warnings` are told beside those of the session."""

    is_heard = True

    def __init__(self, request: web.Request, slow_reader_s: float, warnings: list[str]) -> None:
        self._answer = StreamedAnswer(request, slow_reader_s)
        self._warnings = warnings
        self._alignment = Alignment(restarts=False)
        self._headers: dict[str, str] = {}

    async def take(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.Started():
                self._headers = sound_headers(message) | {
                    "Content-Type": "application/json",
                    REQUEST_ID_HEADER: message.id,
                }
            case wire.Warning():
                self._warnings.append(warning_text(message))
            case wire.Mark():
                self._alignment.add(message)
            case wire.Audio():
                await self._take_sound(message.data)

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        return self._answer.break_off() if self._answer.has_begun else http_error(error)

    async def finish(self) -> web.StreamResponse:
        await self._end()
        return await self._answer.finish(self._headers)

    @abstractmethod
    async def _take_sound(self, data: bytes) -> None:
        """A piece of the sound."""

    @abstractmethod
    async def _end(self) -> None:
        """All sound has come."""

    async def _write(self, data: bytes) -> None:
        await self._answer.write(data, self._headers | warning_header(self._warnings))


class TimedLines(TimedSound):
    """An object on a line for each piece, with the characters that begin in it."""

    async def _take_sound(self, data: bytes) -> None:
        await self._line(data, self._alignment.take())

    async def _end(self) -> None:
        """The last words may have got their times only now."""
        if (last := self._alignment.take()) is not None:
            await self._line(b"", last)

    async def _line(self, data: bytes, heard: TimedCharacters | None) -> None:
        alignment = None if heard is None else heard.over_http()
        told = {"audio_base64": data, "alignment": alignment, "normalized_alignment": alignment}
        await self._write(msgspec.json.encode(told) + b"\n")


class TimedWhole(TimedSound):
    """One object. Its sound is sent while it is made, so nothing is kept but the times."""

    def __init__(self, request: web.Request, slow_reader_s: float, warnings: list[str]) -> None:
        super().__init__(request, slow_reader_s, warnings)
        self._left = b""  # less than three bytes: base64 has no padding between pieces

    async def _take_sound(self, data: bytes) -> None:
        head = b"" if self._answer.has_begun else b'{"audio_base64":"'
        data = self._left + data
        whole = len(data) // 3 * 3
        self._left = data[whole:]
        await self._write(head + base64.b64encode(data[:whole]))

    async def _end(self) -> None:
        head = b"" if self._answer.has_begun else b'{"audio_base64":"'
        alignment = (self._alignment.take() or _NOTHING).over_http()
        tail = msgspec.json.encode({"alignment": alignment, "normalized_alignment": alignment})
        await self._write(head + base64.b64encode(self._left) + b'",' + tail[1:])
