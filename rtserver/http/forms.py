"""Forms, urlencoded and multipart. All text is UTF-8: a client never chooses a codec, and nothing is unpacked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import cast

from aiohttp import BodyPartReader, MultipartReader, StreamReader, hdrs, web
from yarl import query_to_pairs

from rtserver.http.incoming import Incoming
from rtserver.processes.interpreter import let_others_run
from rtserver.session.start_request import RequestError

MAX_FIELDS = 64
_READ_BYTES = 1 << 16
# The charset of `name*=utf-8''...`; and `name*0=`, whose pieces could hide another charset.
_CHARSET_OF_PARAMETER = re.compile(r"\*\s*=\s*([^']*)'")
_NUMBERED_PARAMETER = re.compile(r"\*\d+\*?\s*=")
_REPLACEMENT = "\ufffd"
_ESCAPED_REPLACEMENT = re.compile("%EF%BF%BD", re.IGNORECASE)
# Characters that are decoded in one call: a third of a millisecond. A form that is parsed on the loop is no larger.
PIECE_CHARS = 1 << 15
# The longest escape of one character: four bytes of UTF-8. The first hexadecimal digit of the bytes after its first.
_ESCAPED_CHARS = 12
_CONTINUES = "89ABab"
_PLAIN_ENCODINGS = ("", "7bit", "8bit", "binary")


def check_charset(charset: str | None) -> None:
    """Raises RequestError for any charset but UTF-8. Some codecs of Python take minutes for what comes in a second."""
    if charset is not None and charset.strip(" \"'").lower() not in ("utf-8", "utf8"):
        raise RequestError("bad_message", f"charset: expected utf-8, found {charset[:20]!r:.20}")


def urlencoded(body: bytes | bytearray) -> dict[str, str]:
    """The fields of an urlencoded form. Raises RequestError, and ValueError for what is no UTF-8."""
    if body.count(b"&") >= MAX_FIELDS:
        raise too_many_fields()
    fields = {}
    for pair in body.decode().rstrip().split("&"):
        if pair:
            name, _, value = pair.partition("=")
            fields[_unescaped(name)] = _unescaped(value)
    return fields


def _unescaped(text: str) -> str:
    """The text without its escapes. Raises ValueError for escapes that are no UTF-8."""
    decoded, at = [], 0
    while at < len(text):
        if at:  # never on the loop
            let_others_run()
        end = _before_character(text, at + PIECE_CHARS)
        piece = text[at:end]
        # A hundred times as fast as `urllib.parse`. It puts U+FFFD where escapes are no UTF-8.
        [(_, plain)] = query_to_pairs(f"={piece}")
        if plain.count(_REPLACEMENT) > piece.count(_REPLACEMENT) + len(_ESCAPED_REPLACEMENT.findall(piece)):
            raise ValueError("escapes that are no UTF-8")
        decoded.append(plain)
        at = end
    return "".join(decoded)


def _before_character(text: str, at: int) -> int:
    """The last place up to `at` that does not cut an escaped character."""
    if at >= len(text):
        return len(text)
    last = escape = text.rfind("%", at - _ESCAPED_CHARS, at)
    if last < 0:
        return at
    while escape >= 0 and text[escape + 1] in _CONTINUES:
        escape = text.rfind("%", last - _ESCAPED_CHARS, escape)
    return escape if escape >= 0 else last  # what has no first byte is no UTF-8 wherever it is cut


async def multipart(
    headers: Mapping[str, str], body: Incoming, file_fields: Mapping[str, str], *, fields_bytes: int, upload_bytes: int
) -> tuple[dict[str, str], dict[str, bytes]]:
    """The text fields of a multipart form, of `fields_bytes` together, and its files, of `upload_bytes` each.
    `file_fields` maps the names of the fields that may be files to what the files are. Raises RequestError,
    HTTPUnsupportedMediaType, ValueError, HttpProcessingError."""
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}
    async for part in _Parts(headers, cast(StreamReader, body)):
        if not isinstance(part, BodyPartReader) or part.name is None:
            raise RequestError("bad_message", "expected form fields with names, found another part")
        if len(fields) + len(files) >= MAX_FIELDS:
            raise too_many_fields()
        what = file_fields.get(part.name)
        if what is not None and (part.filename is not None or part.name.endswith("_wav")):
            if what in files:
                raise RequestError("bad_message", f"{part.name}: expected one file, found two")
            files[what] = cast(bytes, await _read_part(part, upload_bytes))  # a copy of it would hold the loop
        else:
            value = (await _read_part(part, fields_bytes)).decode()
            fields_bytes -= len(value)
            fields[part.name] = value
    return fields, files


def too_many_fields() -> RequestError:
    """The error for a form with more than MAX_FIELDS."""
    return RequestError("bad_message", f"expected at most {MAX_FIELDS} fields, found more")


class _Parts(MultipartReader):
    """Checks the headers of each part before anything in them is decoded."""

    async def fetch_next_part(self) -> MultipartReader | BodyPartReader:
        part = await super().fetch_next_part()
        _check_part(part.headers)
        return part


def _check_part(headers: Mapping[str, str]) -> None:
    encodings = (headers.get(hdrs.CONTENT_ENCODING, ""), headers.get(hdrs.CONTENT_TRANSFER_ENCODING, ""))
    for encoding in encodings:
        if encoding.strip().lower() not in _PLAIN_ENCODINGS:
            text = f"a part's encoding: expected the bytes as they are, found {encoding[:20]!r:.20}"
            raise web.HTTPUnsupportedMediaType(text=text)
    disposition = headers.get(hdrs.CONTENT_DISPOSITION, "")
    if _NUMBERED_PARAMETER.search(disposition) is not None:
        raise RequestError("bad_message", "Content-Disposition: expected whole parameters, found numbered pieces")
    for charset in _CHARSET_OF_PARAMETER.findall(disposition):
        check_charset(charset)
    if "_charset_" in disposition:
        raise RequestError("bad_message", "expected fields in UTF-8, found _charset_")
    _, *parameters = headers.get(hdrs.CONTENT_TYPE, "").lower().split(";")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "charset":
            check_charset(value)


async def _read_part(part: BodyPartReader, largest_bytes: int) -> bytearray:
    data = bytearray()
    while chunk := await part.read_chunk(_READ_BYTES):
        data += chunk
        if len(data) > largest_bytes:
            raise RequestError("message_too_big", f"{part.name}: expected at most {largest_bytes} bytes, found more")
    return data
