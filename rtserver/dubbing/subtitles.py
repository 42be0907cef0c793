"""Reads subtitle files: SubRip (.srt) and WebVTT (.vtt). Pure.

The parser is our own because the known ones (pysubs2, webvtt-py, srt) leave out a cue whose times they cannot read, or
cannot say in which line it is. A cue that is missing in a track of an hour is hard to notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rtserver.dubbing.cue_text import spoken_texts
from rtserver.dubbing.cues import Cue, DubbingError

# A longer track has a time that was mistyped.
MAX_TRACK_S = 12 * 3600.0
_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_TIME = r"(?:(\d{1,4}):)?(\d{1,2}):(\d{1,2})(?:[,.](\d{1,3}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?")
# A time with hours and more than seconds at the beginning of a line.
_TIME_FIRST = re.compile(r"\s*\d+:\d+:\d+\s*[,.;:]\s*\d")
_EXPECTED = "expected times like 00:01:02,500 --> 00:01:04,000"
_NO_CUE = ("NOTE", "STYLE", "REGION")


def decoded(data: bytes, name: str, encoding: str | None = None) -> str:
    """The text of a file: UTF-8, with or without a byte order mark, or UTF-16 with one. Raises DubbingError."""
    if encoding is None:
        encoding = next((known for mark, known in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text = data.decode(encoding)
    except LookupError:
        raise DubbingError(f"--encoding: expected an encoding that Python knows, found {encoding!r}") from None
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        found = data[error.start : error.start + 1].hex()
        raise DubbingError(
            f"{name}:{line}: expected text in {encoding}, found the byte 0x{found}; --encoding names another"
        ) from None
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read_cues(text: str, name: str) -> list[Cue]:
    """The cues of a file in its order. `name`: of the file, for errors, and to know WebVTT. Raises DubbingError."""
    lines = text.split("\n")
    if re.match(r"WEBVTT(?:[ \t]|$)", lines[0]):
        found = _vtt_cues(lines, name)
    elif name.lower().endswith(".vtt"):
        raise DubbingError(f"{name}:1: expected WEBVTT, found {lines[0][:60]!r}")
    else:
        found = _srt_cues(lines, name)
    cues = []
    for number, (at, body) in enumerate(found, 1):
        start_s, end_s = _times(lines[at], at, name)
        cues.append(Cue(number, at + 1, start_s, end_s, spoken_texts(body)))
    if not cues:
        raise DubbingError(f"{name}: {_EXPECTED}, found none in {len(lines)} lines")
    return cues


def _srt_cues(lines: Sequence[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """The index of each cue's times, and its text. The text ends at the next cue, because it may hold empty lines."""
    starts = [at for at, line in enumerate(lines) if _meant_as_times(line)]
    for at in range(starts[0] if starts else len(lines)):
        if lines[at].strip() and not lines[at].strip().isdecimal():
            raise DubbingError(f"{name}:{at + 1}: expected the number or the times of a cue, found {lines[at][:60]!r}")
    for number, (start, end) in enumerate(zip(starts, [*starts[1:], len(lines)]), 1):
        body = list(lines[start + 1 : end])
        last = body[-1].strip() if body and end < len(lines) else ""
        # The next cue's number: after an empty line, or where that is missing, the number that is due.
        if last.isdecimal() and (len(body) == 1 or not body[-2].strip() or int(last) == number + 1):
            del body[-1]
        yield start, body


def _vtt_cues(lines: Sequence[str], name: str) -> Iterator[tuple[int, list[str]]]:
    """The index of each cue's times, and its text, which ends at an empty line."""
    for number, block in enumerate(_blocks(lines)):
        starts = [place for place, (_, line) in enumerate(block) if _meant_as_times(line)]
        if (number == 0 and not starts) or block[0][1].split()[0] in _NO_CUE:
            continue
        if not starts or starts[0] > 1:  # one line before the times may be the cue's name
            raise DubbingError(f"{name}:{block[0][0] + 1}: {_EXPECTED}, found {block[0][1][:60]!r}")
        for start, end in zip(starts, [*starts[1:], len(block)]):
            yield block[start][0], [line for _, line in block[start + 1 : end]]


def _blocks(lines: Sequence[str]) -> Iterator[list[tuple[int, str]]]:
    """Lines without an empty one between, each with its index. The first block is the header."""
    block: list[tuple[int, str]] = []
    for at, line in enumerate([*lines, ""]):
        if line.strip():
            block.append((at, line))
        elif block:
            yield block
            block = []


def _meant_as_times(line: str) -> bool:
    """Whether a line gives the times of a cue, perhaps wrong ones: they must not become text of the cue before."""
    head, arrow, _ = line.partition("-->")
    return bool(arrow and ":" in head and re.search(r"\d", head)) or _TIME_FIRST.match(line) is not None


def _times(line: str, at: int, name: str) -> tuple[float, float]:
    where = f"{name}:{at + 1}"
    match = _TIMING.fullmatch(line)
    if match is None:
        raise DubbingError(f"{where}: {_EXPECTED}, found {line.strip()[:60]!r}")
    start_s, end_s = (_seconds(match.groups()[i : i + 4], where) for i in (0, 4))
    if end_s <= start_s:
        raise DubbingError(f"{where}: expected an end after the start, found {line.strip()[:60]!r}")
    if end_s > MAX_TRACK_S:
        hours = MAX_TRACK_S / 3600
        raise DubbingError(f"{where}: expected times of at most {hours:g} hours, found {line.strip()[:60]!r}")
    return start_s, end_s


def _seconds(groups: Sequence[str | None], where: str) -> float:
    hours, minutes, seconds, fraction = (group or "0" for group in groups)
    if int(minutes) > 59 or int(seconds) > 59:
        raise DubbingError(f"{where}: expected minutes and seconds of at most 59, found {minutes}:{seconds}")
    # Whole milliseconds: sums of binary fractions would make slots differ that are equal in the file.
    ms = ((int(hours) * 60 + int(minutes)) * 60 + int(seconds)) * 1000 + int(fraction.ljust(3, "0"))
    return ms / 1000
