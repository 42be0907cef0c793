"""Where a stream of text can be cut. The text alone decides.

`find_boundary` gives the first place to cut, or None while more text is needed to decide. A decision depends on a
limited number of characters to the right. So a text is cut at the same places, whatever the pieces in which it arrives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cosyvoice.frontend.language import HAN, is_cjk

BoundaryKind = Literal["sentence", "clause", "word"]
ClosingMark = Literal["", ",", "."]
CutWords = Callable[[str], Sequence[str]]

HAN_WIDTH = 3  # a Han character lasts about as long as three Latin letters
LONGEST_STRETCH = 4  # times the width limit, in characters: a text without a place to cut is cut there
_CLOSERS = "\"'”’」』)）】》〉\\]}"
_MARKS = "。！？!?….．，、；：,;:—"
_MARK_RUN = re.compile(rf"[{_MARKS}][{_MARKS}{_CLOSERS}]*|\n\s*")
_FULL_WIDTH = re.compile("[。！？…．，、；：—]")
_SENTENCE_MARK = re.compile("[。！？!?．]")
_PAUSE_MARK = re.compile("[，、；：,;:—…]")
_DOTTED_WORD = re.compile(r"[A-Za-z.]+$")
_TOKEN = re.compile(rf"(?P<space>\s+)|(?P<han>[{HAN}]+)|[^\s{HAN}]+")
_ABBREVIATIONS = """
mr mrs ms dr prof st jr sr vs etc approx dept est fig no vol inc ltd co corp gen col sgt capt lt cmdr rev hon gov sen
rep mt ft ave blvd rd jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri al cf ph op pp ed
eds min max tel ext univ assn bros mfg
"""
_KNOWN_ABBREVIATIONS = frozenset(_ABBREVIATIONS.split())


@dataclass(frozen=True)
class TextBoundary:
    """A place where a text is cut."""

    # The cut is before this index of the text.
    end: int
    kind: BoundaryKind
    # The punctuation mark to add when the part before the cut does not end in one.
    closing: ClosingMark = ""


def find_boundary(
    text: str, final: bool, max_width: int, cut_words: CutWords | None = None, longest: int | None = None
) -> TextBoundary | None:
    """The first place to cut `text`. None when more text is needed to decide.

    text: everything since the last cut.
    final: no more text comes. Then the result is None only for an empty text.
    max_width: a stretch that is wider than this, in Latin letters, is cut between two words.
    cut_words: Mandarin word segmentation for such a cut. Without it every Han character counts as a word.
    longest: in characters; default: `LONGEST_STRETCH` times `max_width`.

    A number, a word, an abbreviation, an address or a date is not cut, unless there is no other place in `longest`
    characters.
    """
    longest = LONGEST_STRETCH * max_width if longest is None else longest
    overlong = len(text) >= longest
    if overlong:  # the decision must not depend on text after this
        text, final = text[:longest], False
    limit = _width_limit(text, max_width)
    runs = list(_MARK_RUN.finditer(text))
    found = _at_marks(text, [run for run in runs if run.start() < limit], final)
    if found is None and limit < len(text):
        words = list(_word_boundaries(text[: limit + 1], cut_words))
        if words:
            return TextBoundary(words[-1], "word")
        first_word = next((at for at in _word_boundaries(text, None) if at > limit), len(text))
        found = _at_marks(text, [run for run in runs if limit <= run.start() < first_word], final)
        if found is None and first_word < len(text):
            return TextBoundary(first_word, "word")
    if isinstance(found, TextBoundary):
        return found
    if overlong:
        return _last_resort(text)
    return TextBoundary(len(text), "sentence", ".") if final and text else None


def last_word_boundary(text: str, cut_words: CutWords | None = None) -> TextBoundary | None:
    """The last place between two words of `text` that is certain, whatever text follows. None when there is none."""
    ends = list(_word_boundaries(text, cut_words))
    return TextBoundary(ends[-1], "word") if ends else None


def _at_marks(text: str, runs: list[re.Match[str]], final: bool) -> TextBoundary | Literal["wait"] | None:
    """The boundary after the first of `runs` that ends a clause. "wait" when a run before it cannot be judged yet."""
    for run in runs:
        verdict = _judge(text, run, final)
        if verdict == "cut":
            return _boundary(run)
        if verdict == "wait":
            return "wait"
    return None


def _width_limit(text: str, max_width: int) -> int:
    """The index of the first character beyond `max_width`, or len(text). Space at the start has no width."""
    width = 0
    for index, character in enumerate(text):
        if width or not character.isspace():
            width += HAN_WIDTH if is_cjk(character) else 1
        if width > max_width:
            return index
    return len(text)


def _judge(text: str, run: re.Match[str], final: bool) -> Literal["cut", "no", "wait"]:
    """Whether a run of punctuation marks, with the closing quotation marks and brackets after it, ends a clause."""
    marks, start, end = run.group(), run.start(), run.end()
    before, after = text[start - 1 : start] if start else "", text[end : end + 1]
    if not after and not final:
        return "wait"
    if "\n" in marks:
        return "cut"
    if before.isdigit() and len(marks) == 1 and marks not in ".。!！?？":  # 10,000 and 3:45; also "May 5, 2024"
        rest = text[end:].lstrip()
        if not rest and not final:
            return "wait"
        if rest[:1].isdigit():
            return "no"
    if _FULL_WIDTH.search(marks):
        return "no" if before.isdigit() and after.isdigit() else "cut"
    if not after or after.isspace() or is_cjk(after):
        return "no" if marks == "." and _is_abbreviation(text[:start]) else "cut"
    return "cut" if re.search("[!?]", marks) and not after.isalnum() else "no"  # not in x?y=1, example.com, 10,000


def _is_abbreviation(text: str) -> bool:
    """Whether a dot after `text` belongs to its last word (Dr. U.S. J. e.g.), or to a list number at its start."""
    if text.strip().isdigit():
        return True
    match = _DOTTED_WORD.search(text[-12:])
    if not match:
        return False
    word = match.group()
    if "." in word:
        return all(len(part) <= 2 for part in word.split("."))
    return word.lower() in _KNOWN_ABBREVIATIONS or (len(word) == 1 and word.isupper() and word != "I")


def _boundary(run: re.Match[str]) -> TextBoundary:
    marks = run.group()
    if "\n" in marks:
        return (
            TextBoundary(run.end(), "sentence", ".")
            if marks.count("\n") > 1
            else TextBoundary(run.end(), "clause", ",")
        )
    ends = _SENTENCE_MARK.search(marks) or ("." in marks and ".." not in marks and not _PAUSE_MARK.search(marks))
    return TextBoundary(run.end(), "sentence" if ends else "clause")


def _word_boundaries(text: str, cut_words: CutWords | None) -> Iterator[int]:
    """Places between words of `text`, in order. None next to a number, a currency sign or the dot of an
    abbreviation."""
    for token in _TOKEN.finditer(text):
        start, end = token.span()
        before, after = text[start - 1 : start] if start else "", text[end : end + 1]
        if token["space"]:
            if before and after and not _is_numeric(before) and before != "." and not _is_numeric(after):
                yield start
        elif token["han"]:
            if before.isalpha():
                yield start
            words = token[0] if cut_words is None else cut_words(token[0])
            at = start
            for word in list(words)[:-1]:  # the last word may continue after the end of `text`
                at += len(word)
                yield at
            if after.isalpha():
                yield end


def _is_numeric(character: str) -> bool:
    return character.isdigit() or character in "$£€¥%#+-~"


def _last_resort(text: str) -> TextBoundary:
    """The cut of a text that has no place to cut: its last space, or its end."""
    end = len(text.rstrip())
    space = max(text.rfind(" ", 1, end), 0)
    return TextBoundary(space or len(text), "word")
