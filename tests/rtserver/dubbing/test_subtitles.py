"""Reading subtitle files with what real ones hold."""

from __future__ import annotations

import codecs

import pytest

from rtserver.dubbing.cues import Cue, DubbingError
from rtserver.dubbing.subtitles import decoded, read_cues

ONE = "00:00:01,000 --> 00:00:02,500"
TWO = "00:00:03,000 --> 00:00:04,000"


def said(cues: list[Cue]) -> list[list[str]]:
    return [[text.text for text in cue.texts] for cue in cues]


def test_subrip_is_read() -> None:
    """Times in seconds, the line of the times, and all lines of the text."""
    one, two = read_cues(f"1\n{ONE}\nHello,\nworld.\n\n2\n{TWO}\nYes.\n", "a.srt")
    assert (one.number, one.file_line, one.start_s, one.end_s) == (1, 2, 1.0, 2.5)
    assert (two.number, two.file_line, two.start_s, two.end_s) == (2, 7, 3.0, 4.0)
    assert said([one, two]) == [["Hello,", "world."], ["Yes."]]


@pytest.mark.parametrize(
    "text",
    [
        f"{ONE}\nHello\n\n{TWO}\nYes 5\n",  # no numbers
        f"1\n{ONE}\nHello\n2\n{TWO}\nYes 5\n",  # no empty line
        f"\n\n7\n{ONE}\nHello\n\n\n\n9\n{TWO}\nYes 5",  # other numbers, many empty lines, no end of line
        f"1\n{ONE} X1:10 X2:20 Y1:30 Y2:40\n{{\\an8}}Hello\n\n2\n{TWO}  \n<i>Yes</i> 5\n",
        "1\n0:0:1.0 --> 0:00:02.5\nHello\n\n2\n00:03-->00:04\nYes 5",
    ],
)
def test_subrip_of_careless_writers_is_read(text: str) -> None:
    """Numbers, empty lines, positions and hours may be missing or differ."""
    cues = read_cues(text, "a.srt")
    assert said(cues) == [["Hello"], ["Yes 5"]]
    assert [(cue.start_s, cue.end_s) for cue in cues] == [(1.0, 2.5), (3.0, 4.0)]


def test_an_empty_line_and_a_number_may_be_text_of_subrip() -> None:
    """A number is the next cue's only directly before its times."""
    text = f"1\n{ONE}\n3\n\nmore\n\n2\n{TWO}\n42\n"
    assert said(read_cues(text, "a.srt")) == [["3", "more"], ["42"]]


def test_cues_may_overlap_and_be_empty() -> None:
    """Both are kept as they are."""
    text = "1\n00:01,000 --> 00:05,000\nA\n\n2\n00:02,000 --> 00:03,000\n\n3\n00:00,000 --> 00:09,000\nC\n"
    assert said(read_cues(text, "a.srt")) == [["A"], [], ["C"]]


def test_webvtt_is_read() -> None:
    """Without notes, styles, regions, names of cues and settings."""
    text = """WEBVTT - a film
Kind: captions

NOTE one
two --> three

STYLE
::cue { color: red }

REGION
id:a

first
00:01.000 --> 00:02.500 line:0 align:start
<v.loud Anna>Hi <00:01.500><c.red>there</c> &amp; you</v>

00:00:03.000 --> 00:00:04.000
Yes.
"""
    cues = read_cues(text, "a.vtt")
    assert said(cues) == [["Hi there & you"], ["Yes."]]
    assert [cue.file_line for cue in cues] == [14, 17]
    assert cues[0].texts[0].speaker == "Anna"


def test_webvtt_without_an_empty_line_is_read() -> None:
    """After the header and between cues."""
    text = "WEBVTT\n00:01.000 --> 00:02.000\nA\n00:02.000 --> 00:03.000\nB\n"
    assert said(read_cues(text, "a.vtt")) == [["A"], ["B"]]


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (f"1\n{ONE}\nA\n\n2\n00:00:03;000 --> 00:00:04,000\nB\n", "a.srt", "a.srt:6: expected times like .*found '00"),
        (f"1\n{ONE}\nA\n\n2\n00:00:03,000 -> 00:00:04,000\nB\n", "a.srt", "a.srt:6: expected times like"),
        (f"1\n{ONE}\nA\n\n2\nOO:00:03,0 --> 00:00:04,000\nB\n", "a.srt", "a.srt:6: expected times like"),
        (f"1\n{ONE}\nA\n\n2\n00:00:03,000 --> \nB\n", "a.srt", "a.srt:6: expected times like"),
        ("1\n00:00:03,000 --> 00:00:02,000\nB\n", "a.srt", "a.srt:2: expected an end after the start"),
        ("1\n00:00:03,000 --> 00:00:03,000\nB\n", "a.srt", "a.srt:2: expected an end after the start"),
        ("1\n00:61:03,000 --> 00:62:03,000\nB\n", "a.srt", "a.srt:2: expected minutes and seconds of at most 59"),
        ("1\n00:00:03,000 --> 99:00:03,000\nB\n", "a.srt", "a.srt:2: expected times of at most 12 hours"),
        (f"Hello\n{ONE}\nB\n", "a.srt", "a.srt:1: expected the number or the times of a cue, found 'Hello'"),
        ("", "a.srt", "a.srt: expected times like .* found none in 1 lines"),
        ("WEBVTT\n", "a.vtt", "a.vtt: expected times like .* found none in 2 lines"),
        (f"1\n{ONE}\nB\n", "a.vtt", "a.vtt:1: expected WEBVTT, found '1'"),
        ("WEBVTT\n\nHello\nthere\n", "a.vtt", "a.vtt:3: expected times like .*found 'Hello'"),
        ("WEBVTT\n\n00:01.000 --> 00:0x.000\nA\n", "a.vtt", "a.vtt:3: expected times like"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_its_line(text: str, name: str, message: str) -> None:
    """No cue is left out silently."""
    with pytest.raises(DubbingError, match=message):
        read_cues(text, name)


@pytest.mark.parametrize(
    "data",
    [
        "A\nÄ\n".encode(),
        codecs.BOM_UTF8 + "A\r\nÄ\r\n".encode(),
        "A\rÄ\r".encode(),
        codecs.BOM_UTF16_LE + "A\r\nÄ\n".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "A\nÄ\n".encode("utf-16-be"),
    ],
)
def test_marks_and_ends_of_lines_do_not_matter(data: bytes) -> None:
    """UTF-8 and UTF-16 with byte order marks, and the ends of lines of all systems."""
    assert decoded(data, "a.srt") == "A\nÄ\n"


def test_another_encoding_must_be_named() -> None:
    """The error names the line and the byte."""
    data = "A\nÄ\n".encode("cp1252")
    with pytest.raises(DubbingError, match=r"a.srt:2: expected text in utf-8, found the byte 0xc4; --encoding names"):
        decoded(data, "a.srt")
    assert decoded(data, "a.srt", "cp1252") == "A\nÄ\n"
    with pytest.raises(DubbingError, match="--encoding: expected an encoding that Python knows, found 'klingon'"):
        decoded(data, "a.srt", "klingon")
