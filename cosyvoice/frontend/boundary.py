"""Where a stream of text can be cut. The text alone decides.

`find_boundary` gives the first place to cut, or None while more text is needed to decide. A decision depends on a
limited number of characters to the right. So a text is cut at the same places, whatever the pieces in which it arrives.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from cosyvoice.frontend.addresses import OBJECTS, is_address
from cosyvoice.frontend.language import HAN, is_cjk
from cosyvoice.frontend.lexicon import Lexicon
from cosyvoice.frontend.plain import atoms, open_atom
from cosyvoice.frontend.tables import table

BoundaryKind = Literal["sentence", "clause", "word"]
ClosingMark = Literal["", ",", "."]
CutWords = Callable[[str], Sequence[str]]

HAN_WIDTH = 3  # a Han character lasts about as long as three Latin letters
# Characters after which a text is cut that has no place to cut: numbers that follow each other or one word; an address;
# a link or a tag.
LONGEST_NUMBERS = 72
LONGEST_ADDRESS = 210
LONGEST_LINK = 360
_CLOSERS = "\"'”’」』)）】》〉\\]}*_`"
_MARKS = "。！？!?….．，、；：,;:—"
# A tag of HTML that ends a line or a block counts as a line break.
_BREAK = r"<(?:/(?:div|li|h[1-6]|tr|td|th)|(?:br|hr)(?:\s[^<>\n]{0,80})?)\s?/?>"
_MARK_RUN = re.compile(rf"[{_MARKS}][{_MARKS}{_CLOSERS}]*|\n\s*|{_BREAK}\s*", re.IGNORECASE)
_ADDRESS_SIGN = re.compile(r"://|www\.|[@/\\=]")
_NO_TOKEN = re.compile(r'[\s<>"()\x80-\U0010ffff]')
_LONGEST_TOKEN = 80  # characters that are looked at to tell an address from two sentences without a space
_FULL_WIDTH = re.compile("[。！？…．，、；：—]")
_SENTENCE_MARK = re.compile("[。！？!?．]")
_PAUSE_MARK = re.compile("[，、；：,;:—…]")
_GAP = re.compile(r"(?<=\S)(?=\s+\S)|[，、；：]")
_CLOSING_MARKUP = re.compile(r"(?:</[A-Za-z]{1,10}>|\*{1,3}|`|~~)+$")
_NUMERAL = re.compile(r"\d|[IVX]+(?![A-Za-z])")
_MEASURE = re.compile(r"\d[\s-]?(?:min|max|mins|hrs?|secs?|yrs?|oz|lbs?|ft|tsp|tbsp|mi|in)$")
_DOTTED_WORD = re.compile(r"[A-Za-z.]+$")
_TOKEN = re.compile(rf"(?P<space>\s+)|(?P<han>[{HAN}]+)|[^\s{HAN}]+")
_ABBREVIATIONS = """
mr mrs ms dr prof st jr sr vs etc approx dept est fig no vol inc ltd co corp gen col sgt capt lt cmdr rev hon gov sen
rep mt ft ave blvd rd jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thurs fri al cf ph op pp ed
eds ref rm min max tel ext univ assn bros mfg apt bldg hwy ln ch sec eq incl excl misc qty maj adm cpl pvt supt atty
messrs ste rte rs mme mlle bzw inkl exkl zzgl ggf evtl ca std mio mrd vgl pág págs núm
"""
_KNOWN_ABBREVIATIONS = frozenset(_ABBREVIATIONS.split())
# These are one only before a number, and those only before a small letter.
_NUMBERED = "art arts para paras sect p nr str abs kap bd pos tab rte c cl n ep eps vols figs secs eqs"
_MEASURES = """
c sq cu fl oz lb lbs hr hrs mins secs yr yrs mos wk wks tbsp tbsps tsp gal qt pt pts doz avg est govt intl cont attn
appt ea viz ft in resp sog vs etc mg kg ml cm mm km mi
"""
# Short forms that are English words too.
_ALSO_WORDS = "dir div ex inst prob temp ch col gen"
_SHORT_FORMS = frozenset(map(str.lower, table("en", "abbreviations"))) - frozenset(_ALSO_WORDS.split())
_BEFORE_NUMBER = frozenset(_NUMBERED.split()) | _SHORT_FORMS | frozenset(["ex", "temp"])
_BEFORE_SMALL = frozenset(_MEASURES.split()) | _SHORT_FORMS
# German dates have the dot of an ordinal: am 3. Oktober.
_AFTER_ORDINAL = (
    "Januar", "Februar", "März", "April", "Mai", "Juni", "Juli", "August", "September", "Oktober", "November",
    "Dezember", "Jahrhundert", "Klasse", "Platz", "Stock", "und ", "bis ", "oder ",
)  # fmt: skip


@dataclass(frozen=True)
class TextBoundary:
    """A place where a text is cut."""

    # The cut is before this index of the text.
    end: int
    kind: BoundaryKind
    # The punctuation mark to add when the part before the cut does not end in one.
    closing: ClosingMark = ""


def find_boundary(
    text: str,
    final: bool,
    max_width: int,
    cut_words: CutWords | None = None,
    *,
    markup: bool = True,
    lexicon: Lexicon | None = None,
) -> TextBoundary | None:
    """The first place to cut `text`. None when more text is needed to decide.

    text: everything since the last cut.
    final: no more text comes. Then the result is None only for an empty text.
    max_width: a stretch that is wider than this, in Latin letters, is cut between two words.
    cut_words: Mandarin word segmentation for such a cut. Without it every Han character counts as a word.
    markup: whether tags, links, formulas and entities are not cut. False: they are plain text.
    lexicon: its words and phrases are not cut.

    A number, a word, an abbreviation, an address or a date is not cut, unless there is no other place in
    `LONGEST_NUMBERS`, `LONGEST_ADDRESS` or `LONGEST_LINK` characters.
    """
    # A decision must not depend on the text after these lengths.
    for length in (LONGEST_NUMBERS, LONGEST_ADDRESS, LONGEST_LINK):
        start = text[:length]
        whole, certain = _uncut(start, final and len(start) < length, markup, lexicon)
        found = _first(start, final and len(start) < length, max_width, cut_words, markup, whole, certain)
        places = _word_boundaries(start, None) if found is None and length == LONGEST_NUMBERS == certain else iter(())
        if any(not _inside(at, whole) for at in places):
            continue  # it has a place between two words, where it is cut if no better one comes
        if found is None and len(start) == length:
            found = _last_resort(start) if length == LONGEST_LINK else _emergency(start, whole, certain)
        if found is not None or len(start) < length:
            return found
    return None


def _first(
    text: str,
    final: bool,
    max_width: int,
    cut_words: CutWords | None,
    markup: bool,
    whole: Sequence[tuple[int, int]],
    certain: int,
) -> TextBoundary | None:
    """The first place to cut a text that has one. whole, certain: of `_uncut`."""
    limit = _width_limit(text, max_width)
    runs = [run for run in _MARK_RUN.finditer(text) if "<" in run[0] or not _inside(run.start(), whole)]
    if "![" in text:  # the sign of a picture is a part of its link
        pictures = {start for start, _ in whole}
        runs = [run for run in runs if run.start() not in pictures or run[0][0] != "!"]
    if not markup:
        runs = [run for run in runs if "<" not in run[0]]
    found = _at_marks(text, [run for run in runs if run.start() < limit], final, certain)
    if found is None and certain <= limit and certain < len(text):
        return None
    if found is None and limit < len(text):
        words = [at for at in _word_boundaries(text[: limit + 1], cut_words) if not _inside(at, whole)]
        if words:
            return TextBoundary(words[-1], "word")
        places = (at for at in _word_boundaries(text, None) if at > limit and not _inside(at, whole))
        first_word = next(places, len(text))
        if first_word > certain:
            found = _at_marks(text, [run for run in runs if limit <= run.start()], final, certain)
            return found if isinstance(found, TextBoundary) else None
        found = _at_marks(text, [run for run in runs if limit <= run.start() < first_word], final, certain)
        if found is None and first_word < len(text):
            return TextBoundary(first_word, "word")
    if isinstance(found, TextBoundary):
        return found
    return TextBoundary(len(text), "sentence", ".") if final and text else None


def last_word_boundary(
    text: str, cut_words: CutWords | None = None, *, markup: bool = True, lexicon: Lexicon | None = None
) -> TextBoundary | None:
    """The last place between two words of `text` that is certain, whatever text follows. None when there is none."""
    whole, certain = _uncut(text, False, markup, lexicon)
    ends = [at for at in _word_boundaries(text, cut_words) if not _inside(at, whole) and at <= certain]
    return TextBoundary(ends[-1], "word") if ends else None


def _uncut(text: str, final: bool, markup: bool, lexicon: Lexicon | None) -> tuple[list[tuple[int, int]], int]:
    """The stretches that are not cut, and from where on nothing is certain."""
    whole = list(atoms(text)) if markup else []
    unclear = open_atom(text) if markup and not final else None
    certain = len(text) if unclear is None else unclear
    if lexicon:
        words, unclear = lexicon.spans(text, final)
        whole += words
        certain = certain if unclear is None else min(certain, unclear)
    return whole, certain


def _inside(at: int, whole: Sequence[tuple[int, int]]) -> bool:
    """Whether a cut at this place would divide a tag, a link, a formula or an entity."""
    return any(start < at < end for start, end in whole)


def _at_marks(text: str, runs: list[re.Match[str]], final: bool, certain: int) -> TextBoundary | Literal["wait"] | None:
    """The boundary after the first of `runs` that ends a clause. "wait" when a run before it cannot be judged yet."""
    for run in runs:
        if run.start() >= certain and not final:
            return "wait"
        verdict = _judge(text, run, final)
        if verdict == "cut":
            return _boundary(run)
        if verdict == "wait":
            return "wait"
    return None


def width_of(text: str) -> int:
    """In Latin letters, of which a Han character counts as three. Space around the text has no width."""
    return sum(HAN_WIDTH if is_cjk(character) else 1 for character in text.strip())


def _width_limit(text: str, max_width: int) -> int:
    """The index of the first character beyond `max_width`, or len(text). Space at the start has no width."""
    if text.isascii():
        return min(len(text), len(text) - len(text.lstrip()) + max_width)
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
    if "\n" in marks or marks[0] == "<":
        return "cut"
    if before.isdigit() and len(marks) == 1 and marks not in ".。!！?？":  # 10,000 and 3:45; also "May 5, 2024"
        rest = text[end:].lstrip()
        if not rest and not final:
            return "wait"
        if rest[:1].isdigit():
            return "no"
    if not marks.strip("—") and before in "年月日号" and after.isdigit():  # 701年—762年
        return "no"
    if _FULL_WIDTH.search(marks):
        return "no" if before.isdigit() and after.isdigit() else "cut"
    if marks == "!" and after == "=":
        return "no"
    if marks == "!" and before.isdigit() and after.isspace():  # 5! = 120
        rest = text[end:].lstrip()
        if not rest and not final:
            return "wait"
        if rest[:1] == "=":
            return "no"
    if not after or after.isspace() or is_cjk(after) or after == "<":
        return "cut" if marks != "." else _judge_dot(text, start, final)
    if re.search("[!?]", marks) and not after.isalnum():
        return "cut"  # not in x?y=1, example.com, 10,000
    return _judge_glued(text, run, final)


def _judge_dot(text: str, start: int, final: bool) -> Literal["cut", "no", "wait"]:
    """Whether a full stop with a space after it ends a sentence: not in an abbreviation, nor in a German date."""
    following = text[start + 1 :].lstrip()
    if _MEASURE.search(text[max(0, start - 12) : start]):  # 15 min. Cook the rice
        if not following and not final:
            return "wait"
        if following[:1].isupper():
            return "cut"
    if _is_abbreviation(text[:start]):
        return "no"
    match = _DOTTED_WORD.search(text[max(0, start - 12) : start])
    word = "" if match is None else match.group().lower()
    if word in _BEFORE_NUMBER or word in _BEFORE_SMALL:
        if not final and not following.strip("IVX"):  # nothing, or a numeral that may go on
            return "wait"
        next_one = following[:1]
        return (
            "no"
            if (_NUMERAL.match(following) and word in _BEFORE_NUMBER) or (next_one.islower() and word in _BEFORE_SMALL)
            else "cut"
        )
    if text[start - 1 : start].isdigit():
        if not final and any(name.startswith(following) for name in _AFTER_ORDINAL):
            return "wait"
        return "no" if following.startswith(_AFTER_ORDINAL) else "cut"
    return "cut"


def _judge_glued(text: str, run: re.Match[str], final: bool) -> Literal["cut", "no", "wait"]:
    """Whether a mark between two words without a space ends a sentence ("ready.What"): not in an address or a name."""
    marks, start, end = run.group(), run.start(), run.end()
    if marks[0] not in ".!?" or not text[end].isascii() or not text[end].isalpha() or not start:
        return "no"
    after = _NO_TOKEN.split(text[end : end + _LONGEST_TOKEN], 1)[0]
    head = _CLOSING_MARKUP.sub("", text[max(0, start - _LONGEST_TOKEN) : start])  # **Ann**.OK and <b>Ann</b>.OK
    after_markup = len(head) < min(start, _LONGEST_TOKEN)
    token = _NO_TOKEN.split(head)[-1]
    if end + len(after) == len(text) and len(after) < _LONGEST_TOKEN and not final:
        return "wait"
    before = token.lstrip("'*_[")
    last, following = re.split(r"[.!?]", before)[-1], re.split(r"[.!?,;:]", after)[0]
    if _ADDRESS_SIGN.search(before) and not after_markup:
        return "no"
    if _ADDRESS_SIGN.search(following) or (not after_markup and is_address(f"{token}{marks}{after}")):
        return "cut" if re.fullmatch("[A-Z][a-z]+", following) and before.isalpha() else "no"
    if "!" in marks or "?" in marks:
        return "cut"
    if text[end + len(following) : end + len(following) + 1] == "(" or (last in OBJECTS and following[:1].islower()):
        return "no"  # items.reduce(...), document.title
    if len(marks) > 1 or not last or _is_abbreviation(head) or (len(last) < 2 and last.isalpha()):
        return "no"
    if following[:1].isupper():
        return "cut" if (len(following) > 1 and following[1:].islower()) or following in ("I", "A", "OK") else "no"
    return "cut" if last.isalpha() and last[1:].islower() and len(last) > 2 and len(following) > 2 else "no"


def _is_abbreviation(text: str) -> bool:
    """Whether a dot after `text` belongs to its last word (Dr. U.S. J. e.g.), or to a list number at its start."""
    if text.strip().isdigit():
        return True
    match = _DOTTED_WORD.search(text[-12:])
    if not match:
        return False
    word = match.group().lstrip(".")
    if "." in word:
        return all(len(part) <= 2 for part in word.split("."))
    return word.lower() in _KNOWN_ABBREVIATIONS or (len(word) == 1 and word.isupper() and word != "I")


def _boundary(run: re.Match[str]) -> TextBoundary:
    marks = run.group()
    if marks[0] == "<":
        return TextBoundary(run.end(), "clause", ",")
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
    return character.isdigit() or character in "$£€¥%#+-~&|=<>@≈±≥≤≠→×÷/*"


def _emergency(text: str, whole: Sequence[tuple[int, int]], certain: int) -> TextBoundary | None:
    """The last space or full-width pause of a text that has no better place to cut, such as a list of numbers, or the
    end of a word. None where a tag, a link or an address begins that may be longer."""
    gaps = [gap.end() for gap in _GAP.finditer(text, 1, certain) if not _inside(gap.end(), whole)]
    if gaps:
        return TextBoundary(gaps[-1], "word")
    is_longer = not certain or (len(text) < LONGEST_ADDRESS and is_address(text[:certain].strip()))
    return None if is_longer else TextBoundary(certain, "word")


def _last_resort(text: str) -> TextBoundary:
    """The cut of a text that has no place to cut: its last space, or its end."""
    end = len(text.rstrip())
    space = max(text.rfind(" ", 1, end), 0)
    return TextBoundary(space or len(text), "word")
