"""Recordings cut out of JSON: with what remains they say the same as the whole."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.http.json_recordings import cut_recordings
from rtserver.session.start_request import RequestError
from rtserver.uploads.errors import UploadError
from rtserver.uploads.source import PIECE_CHARS

FIELDS = {"prompt_audio": "prompt", "source_audio": "source"}
LARGEST = 3 * PIECE_CHARS


def cut(body: str | bytes, rest_bytes: int = 1 << 20) -> tuple[Any, dict[str, bytes]]:
    data = body.encode() if isinstance(body, str) else body
    rest, files = cut_recordings(bytearray(data), FIELDS, rest_bytes=rest_bytes, upload_bytes=LARGEST)
    return json.loads(rest), files


TEXTS = st.text(max_size=20) | st.sampled_from(['"prompt_audio": "', '\\"source_audio":"', "\\", '"', 'x": null'])


@settings(max_examples=150, deadline=None)
@given(
    st.dictionaries(
        TEXTS | st.sampled_from(["text", "speed"]), TEXTS | st.floats(allow_nan=False) | st.none(), max_size=5
    ),
    st.dictionaries(st.sampled_from(list(FIELDS)), st.binary(min_size=1, max_size=50)),
    st.randoms(use_true_random=False),
    st.booleans(),
    st.sampled_from([None, 1]),
)
def test_what_is_cut_and_what_remains_are_the_whole(
    others: dict[str, Any], recordings: dict[str, bytes], random: Any, ascii: bool, indent: int | None
) -> None:
    """In any order of keys, with any spaces, and with texts that look like keys."""
    pairs = [*others.items(), *((key, base64.b64encode(data).decode()) for key, data in recordings.items())]
    random.shuffle(pairs)
    whole = dict(pairs)
    rest, files = cut(json.dumps(whole, ensure_ascii=ascii, indent=indent))
    assert rest == {key: None if key in recordings else value for key, value in whole.items()}
    assert files == {FIELDS[key]: data for key, data in recordings.items()}


@pytest.mark.parametrize("size", [PIECE_CHARS * 3 // 4 + n for n in (-4, -1, 0, 1, 2, 3, 70)] + [LARGEST])
@pytest.mark.parametrize("head", ["", "data:audio/wav;base64,"])
@pytest.mark.parametrize("escapes", [{}, {"/": "\\/"}, {"+": "\\u002B", "/": "\\u002f", "=": "\\u003d"}])
def test_a_recording_of_several_pieces_is_whole(size: int, head: str, escapes: dict[str, str]) -> None:
    """Wherever the pieces end, also amid the escapes that some programs write for the signs of base64."""
    data = bytes(i * i // 7 % 251 for i in range(size))
    text = head + base64.b64encode(data).decode()
    for sign, escape in escapes.items():
        text = text.replace(sign, escape)
    rest, files = cut(f'{{"prompt_audio" :\n "{text}", "text": "hi"}}')
    assert rest == {"prompt_audio": None, "text": "hi"} and files == {"prompt": data}


def test_an_empty_recording_is_none() -> None:
    """As in a small request."""
    assert cut('{"prompt_audio": "", "text": "hi"}') == ({"prompt_audio": None, "text": "hi"}, {})


@pytest.mark.parametrize(
    "where", ["{} ", '{{"text": "{}"}}', '{{"{}": 1}}', '{{"prompt_audio": "AAAA", "text": "{}"}}']
)
def test_much_beside_recordings_is_refused(where: str) -> None:
    """No JSON at all, a text, a key, a text after a recording. As much as may remain is taken."""
    body = where.format("x" * 1000)
    with pytest.raises(RequestError) as refused:
        cut(body, rest_bytes=1000)
    assert refused.value.code == "message_too_big"
    rest, _ = cut_recordings(body.encode(), FIELDS, rest_bytes=len(body), upload_bytes=LARGEST)
    assert b"x" * 1000 in rest


@pytest.mark.parametrize(
    "value",
    ["A", "AAA", "AA==AAAA", "AA A", "AA\\nAA", "AA\\\\A", 'AA\\"A', "\\u00", "AAA\\", "Ä" * 4, "data:audio/wav,AA"],
)
def test_what_is_no_base64_is_refused(value: str) -> None:
    """With the error of a small request."""
    with pytest.raises(UploadError, match=r"audio: expected (base64|a data: URL)"):
        cut(f'{{"prompt_audio": "{value}"}}')


def test_more_than_an_upload_is_refused() -> None:
    """The bound is exact."""
    with pytest.raises(UploadError, match="expected at most"):
        cut(json.dumps({"source_audio": base64.b64encode(bytes(LARGEST + 1)).decode()}))


@pytest.mark.parametrize(
    "body", ['{"prompt_audio": "AAAA', '{"prompt_audio": ', '{"prompt_audio": "AAAA"', '"prompt_audio": "AAAA"']
)
def test_json_that_is_none_stays_none(body: str) -> None:
    """It is left to the decoder, which says what is wrong."""
    with pytest.raises(json.JSONDecodeError):
        cut(body)
