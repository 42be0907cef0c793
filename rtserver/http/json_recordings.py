"""Cuts the recordings out of a large JSON body, so that neither it nor they are decoded in one piece.

One call of a JSON decoder for 60 MB would hold the interpreter, and with it the sound of all other clients, for a tenth
of a second, also in another thread. So a recording is found by its key, and its base64 is decoded piece by piece. Then
`null` stands in its place. What remains is small. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from rtserver.processes.interpreter import let_others_run
from rtserver.session.start_request import RequestError
from rtserver.uploads.errors import UploadError
from rtserver.uploads.source import PIECE_CHARS, from_pieces

# The longest escape of JSON is \u and four digits.
_ESCAPE_CHARS = 6
# Bytes that are searched in one call: a tenth of a millisecond.
_SEARCH_BYTES = 1 << 20


def cut_recordings(
    body: bytes | bytearray, fields: Mapping[str, str], *, rest_bytes: int, upload_bytes: int
) -> tuple[bytes, dict[str, bytes]]:
    """What remains of the JSON, and the recordings. `fields` maps the keys that hold base64 to what the recordings are.
    Raises RequestError when more than `rest_bytes` remain, and UploadError for what is no base64, or holds more than
    `upload_bytes`.

    A key is found as bytes: `"prompt_audio"`, a colon, and the quote that begins a string. In JSON these bytes can be
    nothing else, because a quote within a string has a backslash before it.
    """
    keys = re.compile(rb'"(%s)"\s*:\s*"' % b"|".join(re.escape(key.encode()) for key in fields))
    rest, files, at = bytearray(), {}, 0
    while (key := keys.search(body, at, at + rest_bytes - len(rest) + 1)) is not None:
        begin = key.end()
        end = _end_of_string(body, begin)
        if end < 0:
            break
        what = fields[key[1].decode()]
        if end > begin:
            files[what] = from_pieces(_pieces(body, begin, end), upload_bytes)
        rest += body[at : begin - 1]
        rest += b"null"
        at = end + 1
    if len(body) - at > rest_bytes - len(rest):
        raise RequestError(
            "message_too_big", f"expected at most {rest_bytes} bytes of JSON beside its recordings, found more"
        )
    return bytes(rest + body[at:]), files


def _end_of_string(body: bytes | bytearray, begin: int) -> int:
    """Where the next quote is; -1 where there is none."""
    for at in range(begin, len(body), _SEARCH_BYTES):
        if at > begin:
            let_others_run()
        if (end := body.find(b'"', at, at + _SEARCH_BYTES)) >= 0:
            return end
    return -1


def _pieces(body: bytes | bytearray, begin: int, end: int) -> Iterator[bytes]:
    """The text of the string from `begin` to `end`. Raises UploadError for one that is no base64."""
    while begin < end:
        piece = bytes(body[begin : min(end, begin + PIECE_CHARS)])
        # An escape must not be cut.
        escape = piece.rfind(b"\\", len(piece) - _ESCAPE_CHARS + 1) if begin + len(piece) < end else -1
        if escape > 0:
            piece = piece[:escape]
        begin += len(piece)
        if b"\\" in piece:  # some programs write \/ or \u002B
            try:
                piece = msgspec.json.decode(b'"' + piece + b'"', type=str).encode()
            except ValueError as error:
                raise UploadError("audio: expected base64, found text that is not (an escape of JSON)") from error
        yield piece
