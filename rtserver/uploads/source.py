"""Bytes of a recording out of the text fields of a request."""

from __future__ import annotations

import binascii

from rtserver.uploads.errors import UploadError

_BASE64 = ";base64"


def from_base64(text: str, max_bytes: int) -> bytes:
    """The bytes of strict base64 (padded, no spaces), bare or as a `data:` URL. Raises UploadError.

    Nothing is decoded of a text that holds more than `max_bytes`.
    """
    digits = _data_of_url(text) if text[:5].lower() == "data:" else text
    padding = len(digits[-3:]) - len(digits[-3:].rstrip("="))
    size = len(digits) // 4 * 3 - padding
    if size > max_bytes:
        raise UploadError(f"audio: expected at most {max_bytes} bytes, found {size} in base64")
    try:
        if len(digits) % 4 or padding > 2:  # binascii takes some padding too much
            raise ValueError("incorrect padding")
        data = binascii.a2b_base64(digits, strict_mode=True)
    except ValueError as error:  # binascii.Error is one, characters beyond ASCII are another
        raise UploadError(f"audio: expected base64, found text that is not ({str(error)[:80].lower()})") from error
    if not data:
        raise UploadError("audio: expected base64, found nothing")
    return data


def _data_of_url(url: str) -> str:
    head, comma, digits = url.partition(",")
    if not comma or not head.lower().endswith(_BASE64):
        raise UploadError(f"audio: expected a data: URL of base64, as in data:audio/wav;base64,…, found {head[:40]!r}")
    return digits
