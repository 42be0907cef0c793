"""Sound over HTTP that is sent as it is made, with what a client must know of it in headers."""

from __future__ import annotations

from collections.abc import Sequence

from aiohttp import web

from rtserver.audio.formats import SoundFormat
from rtserver.http.answers import ID_HEADER, error_response, header_text
from rtserver.http.guard import AnswerError
from rtserver.http.streamed import StreamedAnswer
from rtserver.messages import wire

_BITS = {"pcm_s16le": 16, "pcm_f32le": 32, "wav": 16, "ulaw": 8, "alaw": 8}


class StreamedSound:
    """Chunked sound. `refused` words an error before the first sound. `warnings` are told beside those of the
    session. `id_headers` are more headers for the utterance's id."""

    is_heard = True

    def __init__(
        self,
        request: web.Request,
        slow_reader_s: float,
        *,
        refused: AnswerError = error_response,
        warnings: Sequence[str] = (),
        id_headers: Sequence[str] = (),
    ) -> None:
        self._answer = StreamedAnswer(request, slow_reader_s)
        self._refused = refused
        self._warnings = list(warnings)
        self._id_headers = id_headers
        self._headers: dict[str, str] = {}

    async def take(self, message: wire.ServerMessage) -> None:
        match message:
            case wire.Started():
                self._headers = sound_headers(message) | dict.fromkeys(self._id_headers, message.id)
            case wire.Warning():
                self._warnings.append(warning_text(message))
            case wire.Audio():
                await self._answer.write(message.data, self._headers | warning_header(self._warnings))

    async def finish(self) -> web.StreamResponse:
        return await self._answer.finish(self._headers | warning_header(self._warnings))

    async def fail(self, error: wire.Error) -> web.StreamResponse:
        return self._answer.break_off() if self._answer.has_begun else self._refused(error)


def sound_headers(started: wire.Started) -> dict[str, str]:
    """What sound it is, and which utterance."""
    headers = {
        "Content-Type": SoundFormat(started.format, started.sample_rate).media_type,
        "X-Sample-Rate": str(started.sample_rate),
        "X-Channels": "1",
        "X-Seed": str(started.seed),
        ID_HEADER: started.id,
        "Cache-Control": "no-store",
    }
    bits = _BITS.get(started.format)
    return headers if bits is None else headers | {"X-Bits": str(bits)}


def warning_text(warning: wire.Warning) -> str:
    """As it is told in a header."""
    return f"{warning.code}: {warning.message}"


def warning_header(warnings: Sequence[str]) -> dict[str, str]:
    """The header with the warnings; no header for none."""
    return {"X-Warning": "; ".join(map(header_text, warnings))} if warnings else {}
