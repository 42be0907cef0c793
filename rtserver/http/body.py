"""A request's body to what it asks for: JSON, an urlencoded form, or a multipart form with recordings as files."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import BodyPartReader, web
from aiohttp.http import HttpProcessingError

from rtserver.http.request import TtsRequest, from_form, from_json
from rtserver.session.start_request import Recordings, RequestError
from rtserver.uploads.recordings import RecordingReader
from rtserver.uploads.source import from_base64

# Form fields that may be files, by the names clients use, and the recording each stands for.
FILE_FIELDS = {
    "prompt_audio": "prompt",
    "prompt_wav": "prompt",
    "source_audio": "source",
    "source_wav": "source",
}
_FIELD_BYTES = 1 << 20  # of one text field of a form
_FIELDS = 64
_LARGE_BODY_BYTES = 256 << 10  # read off the event loop


class Body:
    """A request, and its recordings as they were sent."""

    def __init__(self, request: TtsRequest, files: dict[str, bytes]) -> None:
        self.request = request
        self._files = files

    async def recordings(self, reader: RecordingReader) -> Recordings:
        """Decoded. Raises UploadError."""
        prompt = await self._bytes("prompt", self.request.prompt_audio, self.request.prompt_wav_path, reader)
        source = await self._bytes("source", self.request.source_audio, self.request.source_wav_path, reader)
        return await reader.decode(prompt, source)

    async def _bytes(self, what: str, base64: str | None, path: str | None, reader: RecordingReader) -> bytes | None:
        if what in self._files:
            return self._files[what]
        if base64:
            return await asyncio.to_thread(from_base64, base64, reader.max_bytes)
        return await reader.file(path) if path else None


async def parsed(body: bytes | str) -> TtsRequest:
    """JSON; off the event loop where it is large. Raises RequestError."""
    return await asyncio.to_thread(from_json, body) if len(body) > _LARGE_BODY_BYTES else from_json(body)


async def read_body(request: web.Request, upload_bytes: int) -> Body:
    """Raises RequestError, HTTPRequestEntityTooLarge."""
    try:
        return await _read(request, upload_bytes)
    except RequestError:
        raise
    # A boundary that is missing, a part's header that is none, an unknown charset, text in another one than it says,
    # bytes that do not unpack.
    except (ValueError, LookupError, RuntimeError, HttpProcessingError, web.RequestPayloadError) as error:
        what = f"expected a whole body of {request.content_type[:60]}, found {str(error)[:100]}"
        raise RequestError("bad_message", what) from error


async def _read(request: web.Request, upload_bytes: int) -> Body:
    if request.content_type == "multipart/form-data":
        return await _multipart(request, upload_bytes)
    if request.content_type == "application/x-www-form-urlencoded":
        if (await request.read()).lstrip()[:1] == b"{":  # what `curl -d` calls a form
            return Body(await parsed(await request.read()), {})
        form = await request.post()
        if len(form) > _FIELDS:
            raise RequestError("bad_message", f"expected at most {_FIELDS} fields, found {len(form)}")
        return Body(from_form(dict(form)), {})
    if request.content_type not in ("application/json", "application/octet-stream", "text/plain"):
        raise RequestError(
            "bad_message", f"Content-Type: expected application/json or a form, found {request.content_type[:60]}"
        )
    return Body(await parsed(await request.read()), {})


async def _multipart(request: web.Request, upload_bytes: int) -> Body:
    fields: dict[str, Any] = {}
    files: dict[str, bytes] = {}
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise RequestError("bad_message", "expected form fields with names, found another part")
        if len(fields) + len(files) >= _FIELDS:
            raise RequestError("bad_message", f"expected at most {_FIELDS} fields, found more")
        what = FILE_FIELDS.get(part.name)
        if what is not None and (part.filename is not None or part.name.endswith("_wav")):
            if what in files:
                raise RequestError("bad_message", f"{part.name}: expected one file, found two")
            files[what] = await _read_part(part, upload_bytes)
        else:
            fields[part.name] = (await _read_part(part, _FIELD_BYTES)).decode("utf-8")
    for what in files:
        if fields.get(f"{what}_audio") or fields.get(f"{what}_wav_path"):
            raise RequestError("bad_message", f"{what}: expected one recording, found a file and a field")
    return Body(from_form(fields), files)


async def _read_part(part: BodyPartReader, largest: int) -> bytes:
    data = bytearray()
    while chunk := await part.read_chunk(1 << 16):
        data += chunk
        if len(data) > largest:
            raise RequestError("message_too_big", f"{part.name}: expected at most {largest} bytes, found more")
    return bytes(data)
