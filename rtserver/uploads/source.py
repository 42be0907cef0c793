"""Bytes of a recording out of base64 in a request.

Base64 of tens of megabytes is decoded in pieces. One call of `binascii` for all of it would hold the interpreter, and
with it the sound of all other clients, for a tenth of a second, also in another thread. For the same reason the thread
sleeps shortly after each piece: another thread that waits for the interpreter would otherwise wait for Python's switch
interval, which is 5 ms.
"""

from __future__ import annotations

import binascii
from collections.abc import Iterable
from typing import cast

from rtserver.processes.interpreter import let_others_run
from rtserver.uploads.errors import UploadError

# Characters that are decoded in one call: a fifth of a millisecond.
PIECE_CHARS = 1 << 16
_BASE64 = b";base64"


def from_base64(text: str, max_bytes: int) -> bytes:
    """The bytes of strict base64 (padded, no spaces), bare or as a `data:` URL. Raises UploadError.

    Nothing is decoded of a text that holds more than `max_bytes`.
    """
    head_chars = text.find(",") + 1 if text[:5].lower() == "data:" else 0
    padding = len(text[-3:]) - len(text[-3:].rstrip("="))
    if (size := (len(text) - head_chars) // 4 * 3 - padding) > max_bytes:
        raise UploadError(f"audio: expected at most {max_bytes} bytes, found {size} in base64")
    starts = range(0, len(text), PIECE_CHARS)
    # What has no UTF-8 becomes "?", which is no base64 either.
    return from_pieces((text[at : at + PIECE_CHARS].encode(errors="replace") for at in starts), max_bytes)


def from_pieces(pieces: Iterable[bytes], max_bytes: int) -> bytes:
    """The same for a text in pieces. The first holds the whole head of a `data:` URL. Raises UploadError."""
    data, rest, ended = bytearray(), b"", False
    for number, piece in enumerate(pieces):
        if number:  # a text in one piece is decoded on the loop
            let_others_run()
        digits = rest + (_data_of_url(piece) if number == 0 and piece[:5].lower() == b"data:" else piece)
        whole = len(digits) - len(digits) % 4
        digits, rest = digits[:whole], digits[whole:]
        if digits:
            if ended:
                raise _not_base64("excess data after padding")
            decoded = _decoded(digits)
            ended = len(decoded) < whole // 4 * 3
            data += decoded
        if len(data) > max_bytes:
            raise UploadError(f"audio: expected at most {max_bytes} bytes, found more in base64")
    if rest:
        raise _not_base64("incorrect padding")
    if not data:
        raise UploadError("audio: expected base64, found nothing")
    return cast(bytes, data)  # it is read like bytes, and a copy would hold the interpreter once more


def _decoded(digits: bytes) -> bytes:
    padding = len(digits[-3:]) - len(digits[-3:].rstrip(b"="))
    try:
        if padding > 2:  # binascii takes some padding too much
            raise ValueError("incorrect padding")
        return binascii.a2b_base64(digits, strict_mode=True)
    except ValueError as error:
        raise _not_base64(str(error)[:80].lower()) from error


def _not_base64(why: str) -> UploadError:
    return UploadError(f"audio: expected base64, found text that is not ({why})")


def _data_of_url(url: bytes) -> bytes:
    head, comma, digits = url.partition(b",")
    if not comma or not head.lower().endswith(_BASE64):
        found = head[:40].decode(errors="replace")
        raise UploadError(f"audio: expected a data: URL of base64, as in data:audio/wav;base64,…, found {found!r}")
    return digits
