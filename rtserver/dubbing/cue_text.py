"""What is said of the text of a cue. Pure."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence

from rtserver.dubbing.cues import CueText

# {\an8}: a position, which some programs write into SRT files.
_OVERRIDE = re.compile(r"\{\\[^{}]*\}")
_VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s+([^<>]*)>", re.IGNORECASE)
# The reading of a word in another script is not said beside the word.
_RUBY_TEXT = re.compile(r"<rt>.*?(?:</rt>|(?=</ruby>)|$)", re.IGNORECASE | re.DOTALL)
# The tags of both formats. Others, as <break time="1s"/>, are the server's markup.
_TAG = re.compile(r"</?(?:[bius]|[cv]|font|ruby|rp)(?:[.\s][^<>]*)?>|<\d[\d:.]*>", re.IGNORECASE)
# Marks of direction and other characters without a sound, which the server would refuse or tell as left out.
_SILENT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_DASH = re.compile(r"^[-‐‑–—−]\s*(?=[^\s\d])")
_DESCRIPTION = re.compile(r"^(\[[^\]]*\]|\([^)]*\)|（[^）]*）|【[^】]*】|［[^］]*］)$", re.DOTALL)
_SUNG = re.compile(r"^[♪♫♩♬].*[♪♫♩♬]$|^[♪♫♩♬][^\n]*$", re.DOTALL)


def spoken_texts(lines: Sequence[str]) -> tuple[CueText, ...]:
    """The lines of a cue without tags, positions, empty lines, and lines that describe a sound ("[door slams]",
    "♪ music ♪"), which nobody says."""
    raw = _RUBY_TEXT.sub("", _OVERRIDE.sub("", "\n".join(lines).replace(r"\N", "\n").replace(r"\h", " ")))
    texts: list[CueText] = []
    for speaker, begins_turn, text in _by_voice_tag(raw):
        said = _plain(text)
        if is_description(said):
            continue
        for line in said.split("\n"):
            words = " ".join(line.split())
            spoken = _DASH.sub("", words)
            if spoken and not is_description(spoken):
                texts.append(CueText(spoken, speaker, begins_turn or spoken != words))
                begins_turn = False
    return tuple(texts)


def is_description(text: str) -> bool:
    """Whether a text describes a sound, or is sung: it stands in brackets or between notes, or is one line that begins
    with a note."""
    stripped = text.strip()
    return bool(_DESCRIPTION.match(stripped) or _SUNG.match(stripped))


def _by_voice_tag(raw: str) -> Iterator[tuple[str | None, bool, str]]:
    """Speaker, whether a `<v>` tag names it here, and text."""
    pieces = _VOICE.split(raw)
    yield None, False, pieces[0]
    for name, text in zip(pieces[1::2], pieces[2::2]):
        yield _plain(name).strip() or None, True, text


def _plain(text: str) -> str:
    return _SILENT.sub("", html.unescape(_TAG.sub("", text)))
