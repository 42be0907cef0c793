"""The body of a request: JSON, an urlencoded form, or a multipart form with files.

It is UTF-8 and never packed. What takes longer than a millisecond is parsed in another thread. Tens of megabytes are
never parsed in one piece, because that would hold the interpreter, and one body at a time: the loop's thread would wait
for the interpreter once for each other thread that works.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from aiohttp import BadContentDispositionHeader, BadContentDispositionParam, hdrs, web
from aiohttp.http import HttpProcessingError

from rtserver.config import ServerConfig
from rtserver.front.account import Holding
from rtserver.http.forms import PIECE_CHARS, check_charset, multipart, urlencoded
from rtserver.http.incoming import Incoming
from rtserver.http.json_recordings import cut_recordings
from rtserver.messages.values import too_many_values
from rtserver.session.start_request import RequestError
from rtserver.uploads.errors import UploadError

# More is parsed in another thread.
LARGE_BYTES = PIECE_CHARS

_BROKEN = (ValueError, LookupError, RuntimeError, HttpProcessingError, web.RequestPayloadError)
# They are warnings. They are raised only where warnings are errors; elsewhere such a part has no name, and is refused.
_BROKEN_PARTS = (BadContentDispositionHeader, BadContentDispositionParam)

# One thread for the bodies that hold recordings.
_LARGEST = ThreadPoolExecutor(1, "large-body")

T = TypeVar("T")


@dataclass(frozen=True)
class Body:
    """JSON as it came, or the fields of a form."""

    # The text of the JSON, in a large one without its recordings; None for a form.
    json: bytes | bytearray | None = None
    # The text fields of a form.
    fields: Mapping[str, str] = field(default_factory=dict)
    # The recordings that came as files of a form or in a large JSON, by what they are.
    files: Mapping[str, bytes] = field(default_factory=dict)

    @property
    def is_large(self) -> bool:
        """Whether it is to be read in another thread."""
        return len(self.json or b"") + sum(map(len, self.fields.values())) > LARGE_BYTES


@dataclass(frozen=True)
class BodyLimits:
    """What a body may be."""

    # Bytes of all of it.
    whole_bytes: int
    # Bytes of what is not a recording.
    message_bytes: int
    # Bytes of a recording.
    upload_bytes: int
    # Seconds that a small body may take.
    body_s: float
    # Characters of text in one request.
    text_chars: int

    @classmethod
    def of(cls, config: ServerConfig) -> BodyLimits:
        return cls(config.request_bytes, config.message_bytes, config.upload_bytes, config.body_s, config.text_chars)


@dataclass(frozen=True)
class RecordingFields:
    """The fields that may be recordings, and what recording each is."""

    # In a multipart form, as files.
    in_forms: Mapping[str, str]
    # In JSON, as base64.
    in_json: Mapping[str, str]


async def read_body(request: web.Request, limits: BodyLimits, recordings: RecordingFields, held: Holding) -> Body:
    """`held` counts the bytes of the body; release it when the body is not needed any more. Raises RequestError,
    UploadError, Exceeded, HTTPUnsupportedMediaType, ConnectionResetError."""
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() != "identity":
        found = request.headers[hdrs.CONTENT_ENCODING]
        raise web.HTTPUnsupportedMediaType(text=f"Content-Encoding: expected a plain body, found {found[:20]!r:.20}")
    try:
        check_charset(request.charset)
        body = await _read(request, Incoming(request, limits.body_s, held), limits, recordings)
        for text in (body.json or b"", *body.fields.values()):
            wrong = await _parsed(len(text), partial(too_many_values, text, limits.text_chars))
            if wrong is not None:
                raise RequestError("bad_message", wrong)
        return body
    except (RequestError, UploadError):
        raise
    # A boundary that is missing, a part's header that is none, text that is no UTF-8, a body that breaks off.
    except (*_BROKEN, *_BROKEN_PARTS) as error:
        what = f"expected a whole body of {request.content_type[:60]}, found {str(error)[:100]}"
        raise RequestError("bad_message", what) from error


async def _read(request: web.Request, incoming: Incoming, limits: BodyLimits, recordings: RecordingFields) -> Body:
    incoming.allow(limits.whole_bytes)
    match request.content_type:
        case "multipart/form-data":
            fields, files = await multipart(
                request.headers,
                incoming,
                recordings.in_forms,
                fields_bytes=limits.message_bytes,
                upload_bytes=limits.upload_bytes,
            )
            return Body(fields=fields, files=files)
        case "application/x-www-form-urlencoded":
            begun = await incoming.read()
            if begun.lstrip()[:1] == b"{":  # what `curl -d` calls a form
                return await _json(await incoming.rest(begun), limits, recordings.in_json)
            incoming.allow(limits.message_bytes)
            form = await incoming.rest(begun)
            return Body(fields=await _parsed(len(form), lambda: urlencoded(form)))
        case "application/json" | "application/octet-stream":
            return await _json(await incoming.rest(), limits, recordings.in_json)
        case other:
            what = f"Content-Type: expected application/json or a form, found {other[:60]}"
            raise RequestError("bad_message", what)


async def _json(body: bytearray, limits: BodyLimits, recordings: Mapping[str, str]) -> Body:
    if len(body) <= limits.message_bytes:
        return Body(body)

    def cut() -> tuple[bytes, dict[str, bytes]]:
        return cut_recordings(body, recordings, rest_bytes=limits.message_bytes, upload_bytes=limits.upload_bytes)

    rest, files = await asyncio.get_running_loop().run_in_executor(_LARGEST, cut)
    return Body(rest, files=files)


async def _parsed(size_bytes: int, parse: Callable[[], T]) -> T:
    return await asyncio.to_thread(parse) if size_bytes > LARGE_BYTES else parse()
