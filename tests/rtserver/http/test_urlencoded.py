"""The fields of an urlencoded form, in one piece and in several."""

from __future__ import annotations

from random import Random
from urllib.parse import parse_qsl, quote_plus

import pytest

from rtserver.http import forms
from rtserver.http.forms import urlencoded

PIECE_CHARS = 32
CHARACTERS = "aB 1%+&=\n\0é你😀\ufffd"


@pytest.fixture
def in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values are decoded in many pieces."""
    monkeypatch.setattr(forms, "PIECE_CHARS", PIECE_CHARS)


def escaped(text: str, draw: Random) -> str:
    """Each character with or without an escape, as clients write it."""
    return "".join(c if draw.random() < 0.3 and c not in "%+&= \n" else quote_plus(c, safe="") for c in text)


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.usefixtures("in_pieces")
def test_a_value_in_pieces_is_the_same(seed: int) -> None:
    """No piece ends within an escaped character."""
    draw = Random(seed)
    text = "".join(draw.choices(CHARACTERS, k=draw.randrange(200)))
    assert urlencoded(f"text={escaped(text, draw)}&a=b".encode()) == {"text": text, "a": "b"}


@pytest.mark.parametrize("body", ["a", "a=", "=a", "a=b&&c=d=e", "a=1&a=2", "a=+%2B", "a=100% sure %zz %4", "", "&"])
def test_odd_forms_are_read_as_python_reads_them(body: str) -> None:
    """Fields without a value or a name, escapes that are none, names that come twice."""
    assert urlencoded(body.encode()) == dict(parse_qsl(body, keep_blank_values=True))


@pytest.mark.parametrize("bad", ["%80", "%80" * 30, "%E4%BD", "%FF", "%E4%BD%E4", "a" * 14 + "%8", "%C0%80"])
@pytest.mark.parametrize("before", range(0, 20, 3))
@pytest.mark.usefixtures("in_pieces")
def test_escapes_that_are_no_utf_8_are_refused_in_any_piece(bad: str, before: int) -> None:
    """A piece does not begin so that the rest of a character is taken for text."""
    body = f"text={'a' * before}{bad}{'a' * 20}".encode()
    if bad.endswith("%8"):  # the next character makes it a whole escape
        assert b"%8a" in body
    with pytest.raises(ValueError, match="no UTF-8"):
        urlencoded(body)


@pytest.mark.usefixtures("in_pieces")
def test_the_replacement_character_may_be_sent() -> None:
    """As itself, and as an escape: it is UTF-8."""
    sent = "\ufffd" + "a" * 12 + "%ef%BF%bd" * 9
    assert urlencoded(f"text={sent}".encode()) == {"text": "\ufffd" + "a" * 12 + "\ufffd" * 9}
