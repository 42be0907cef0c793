"""Bytes out of base64 fields."""

from __future__ import annotations

import base64

import pytest

from rtserver.uploads.errors import UploadError
from rtserver.uploads.source import PIECE_CHARS, from_base64

DATA = bytes(range(256))


def text(data: bytes) -> str:
    return base64.b64encode(data).decode()


@pytest.mark.parametrize("size", [1, 2, 3, 4, 255, 256])
def test_base64_gives_its_bytes(size: int) -> None:
    """Bare or in a data: URL, with either amount of padding."""
    data = DATA[:size]
    assert from_base64(text(data), size) == data
    assert from_base64("data:audio/wav;base64," + text(data), size) == data
    assert from_base64("DATA:audio/webm;codecs=opus;BASE64," + text(data), size) == data


@pytest.mark.parametrize("size", [1, 2, 3, 4, 255, 256])
def test_base64_of_one_byte_too_many_is_refused(size: int) -> None:
    """The bound is exact, and the message tells both sizes."""
    with pytest.raises(UploadError, match=f"expected at most {size - 1} bytes, found {size} in base64") as refusal:
        from_base64(text(DATA[:size]), size - 1)
    assert refusal.value.code == "bad_audio"


def test_what_is_too_large_is_not_decoded() -> None:
    """A large text that is not even base64 is refused for its size."""
    with pytest.raises(UploadError, match="expected at most 1000 bytes, found 3000000 in base64"):
        from_base64("!" * 4_000_000, 1000)


@pytest.mark.parametrize(
    "bad",
    [
        "AAA",  # no padding
        "AA==AA==",  # padding amid it
        "AAAA=",
        "AAAA====",
        "A===",
        "====",
        "=AAA",
        "AAAA\n",
        "AA AA",
        "AA-_",  # the alphabet of URLs
        "AAAÄ",
        "\ud800AAA",
        "data:audio/wav;base64,AA A",
    ],
)
def test_what_is_not_strict_base64_is_refused(bad: str) -> None:
    """Without guesses at what was meant."""
    with pytest.raises(UploadError, match="expected base64, found text that is not"):
        from_base64(bad, 1000)


@pytest.mark.parametrize("empty", ["", "data:audio/wav;base64,"])
def test_nothing_is_refused(empty: str) -> None:
    """An empty field is no recording."""
    with pytest.raises(UploadError, match="expected base64, found nothing"):
        from_base64(empty, 1000)


@pytest.mark.parametrize("url", ["data:audio/wav,AAAA", "data:", "data:;base64", "data:audio/wav;base64 AAAA"])
def test_a_data_url_without_base64_is_refused(url: str) -> None:
    """Other encodings of data: URLs are not read."""
    with pytest.raises(UploadError, match="expected a data: URL of base64"):
        from_base64(url, 1000)


@pytest.mark.parametrize(("pieces", "rests"), [(1, 0), (3, 2)])
def test_others_run_between_the_pieces(pieces: int, rests: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text in one piece is decoded at once, as it may be on the loop."""
    rested: list[None] = []
    monkeypatch.setattr("rtserver.uploads.source.let_others_run", lambda: rested.append(None))
    data = bytes(PIECE_CHARS * 3 // 4 * pieces)
    assert from_base64(base64.b64encode(data).decode(), len(data)) == data
    assert len(rested) == rests
