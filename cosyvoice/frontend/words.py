"""The words of a text, and the phonemes of each word. Pure.

The reader gives phonemes for a clause and not for each word. A number becomes several groups of phonemes, a sign often
none, and a Han character one syllable. So words and groups are paired in order, by the pairing with the lowest cost.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from cosyvoice.frontend.language import HAN, Language
from cosyvoice.frontend.plain import ENTITY, LINK, TAG

# A Han character with the punctuation after it, or a run of anything else without space.
_WORD = re.compile(rf"[{HAN}][^\w\s]*|[^\s{HAN}]+")
_HAN = re.compile(f"[{HAN}]")
_VOWELS = "aeiouyɤəɛɨʊɚɑɔ"
_TONES = "→↗↘↓"
_NUCLEUS = re.compile(f"[{_VOWELS}]+[{_TONES}]?")
_GLIDES = "jwɥ"
_STRESS = "ˈˌ"
_SPOKEN = re.compile(rf"[{_STRESS}]?[^\W\d_{_STRESS}][{_TONES}]?")
_SPOKEN_JOINT = re.compile(r"(?<=[^\W\d_])[./@](?=[^\W\d_])")  # of an address
_SPOKEN_SIGNS = "&%+=@$€£¥#°℃"
_NUMBER = re.compile(rf"[\d{_SPOKEN_SIGNS}]")
_PHONEMES_PER_LETTER, _PHONEMES_PER_CAPITAL, _PHONEMES_PER_DIGIT, _PHONEMES_PER_SIGN = 0.8, 1.2, 3.5, 3.0
# Letters and phonemes that can begin the same word have the same number.
_BEGINNINGS = {
    c: kind for kind, some in enumerate(
        ("aeiouAIOWYæɑɔəɛɜɪʊʌᵊᵻɐ", "b", "ckqxʧ", "d", "fp", "gɡʤ", "h", "l", "m", "n", "rɹ", "szʃʒ", "tTθð", "v", "w",
         "yj"),
    ) for c in some
}  # fmt: skip
_SYLLABLES_PER_DIGIT = 1.2
_NUMBER_WEIGHT = 0.5  # the length of a spoken number is less certain
_MOST_GROUPS = 12  # of one word; a long number has many
# A clause with more pairs of a word and a group is paired near its diagonal only, this many groups away from it.
_MANY_PAIRS, _BAND = 5000, 8
# Costs of a pair, in phonemes of difference. A Han character should be one syllable, in Mandarin. A word should be
# spoken, begin with its own sound and be one group; a sign should not be spoken.
_WRONG_SYLLABLES, _WRONG_LANGUAGE, _UNSPOKEN, _SPOKEN_SIGN = 4.0, 4.0, 3.0, 6.0
_WRONG_BEGINNING, _ANOTHER_GROUP = 3.0, 0.3


@dataclass(frozen=True)
class _Group:
    """The phonemes between two spaces; in Mandarin, one syllable of them."""

    # Place of its first phoneme in the string.
    start: int
    # One after the place of its last phoneme.
    end: int
    # Number of phonemes.
    phonemes: int
    # The first phoneme.
    begins_with: str
    # Mandarin has tones and English has stress; None: it has neither, as in short words.
    language: Language | None


def words_of(text: str) -> Iterator[re.Match[str]]:
    """The words of a text, each with its punctuation. A tag, the target of a link and a space that is written as an
    entity are none."""
    if "<" in text:
        text = TAG.sub(lambda tag: " " * len(tag[0]), text)
    if "](" in text:
        text = LINK.sub(_label_alone, text)
    if "&" in text:
        text = ENTITY.sub(lambda one: one[0] if html.unescape(one[0]).strip() else " " * len(one[0]), text)
    return _WORD.finditer(text)


def _label_alone(link: re.Match[str]) -> str:
    """A link with spaces in place of all but its label."""
    before, after = link.start(1) - link.start(), link.end() - link.end(1)
    return " " * before + link[1] + " " * after


def word_spans(text: str, phonemes: str) -> list[tuple[int, int]]:
    """Start and end of each word of `text` in its phoneme string, without the signs around it. A word that is not
    spoken is empty and lies where the next one begins."""
    words, groups = [word[0] for word in words_of(text)], list(_groups(phonemes))
    spans, at = [], 0
    for count in _counts(words, groups):
        start = groups[at].start if at < len(groups) else len(phonemes)
        spans.append((start, groups[at + count - 1].end if count else start))
        at += count
    return spans


def _groups(phonemes: str) -> Iterator[_Group]:
    for found in re.finditer(r"\S+", phonemes):
        spoken = [sound.span() for sound in _SPOKEN.finditer(phonemes, *found.span())]
        if not spoken:
            continue
        start, last = spoken[0][0], spoken[-1][1]
        nuclei = list(_NUCLEUS.finditer(phonemes, start, found.end()))
        language = _language(found[0])
        begins = [start]
        if language == "zh":
            begins += [_onset(phonemes, one.end(), two.start()) for one, two in pairwise(nuclei)]
        for begin, end in zip(begins, [*begins[1:], last]):
            sounds = [c for c in phonemes[begin:end] if c.isalpha() and c not in _STRESS]
            yield _Group(begin, end, len(sounds), sounds[0], language)


def _language(phonemes: str) -> Language | None:
    if any(tone in phonemes for tone in _TONES):
        return "zh"
    return "en" if any(stress in phonemes for stress in _STRESS) else None


def _onset(phonemes: str, start: int, end: int) -> int:
    """Where a syllable begins between two vowels. An n or ŋ there may belong to the syllable before."""
    between = phonemes[start:end]
    ends_before = between[:1] == "ŋ" or (between[:1] == "n" and len(between) > 1 and between[1] not in _GLIDES)
    return start + ends_before


def _counts(words: Sequence[str], groups: Sequence[_Group]) -> list[int]:
    """How many groups each word has."""
    if len(words) == len(groups) and all(c.isalpha() or not _length(c) for word in words for c in word):
        return [1] * len(words)
    kinds, sums = [_Word.of(word) for word in words], _Sums.of(groups)
    if len(words) * len(groups) > _MANY_PAIRS:
        return _paired(kinds, sums, _band(kinds, len(groups))) or _paired(kinds, sums, None) or [0] * len(words)
    return _paired(kinds, sums, None) or [0] * len(words)


def _band(words: Sequence[_Word], groups: int) -> list[range]:
    """About how many groups the words up to each one have together."""
    expected = [*accumulate(max(1.0, min(word.syllables, _MOST_GROUPS)) if word.has_number else 1.0 for word in words)]
    places = [round(one / expected[-1] * groups) for one in expected]
    return [range(max(0, place - _BAND), min(groups, place + _BAND) + 1) for place in places]


def _paired(words: Sequence[_Word], sums: _Sums, band: Sequence[range] | None) -> list[int] | None:
    """How many groups each word has, at the lowest cost. band: how many the words up to each one may have together;
    None: any number. None: no pairing is in the band."""
    groups = len(sums.beginnings)
    best = [0.0] + [float("inf")] * groups  # lowest cost, by the number of groups that the words so far have
    choices = []
    for at, word in enumerate(words):
        after, chosen = [float("inf")] * len(best), [0] * len(best)
        most = _MOST_GROUPS if word.has_number else min(2 + word.joints, _MOST_GROUPS)
        for end in range(len(best)) if band is None else band[at]:
            for count in range(min(end, most) + 1):
                if best[end - count] >= after[end]:
                    continue
                cost = best[end - count] + _cost(word, sums, end - count, end)
                if cost < after[end]:
                    after[end], chosen[end] = cost, count
        best = after
        choices.append(chosen)
    end = min(range(len(best)), key=lambda last: best[last] + (groups - last) * _WRONG_SYLLABLES)
    if best[end] == float("inf"):
        return None
    counts = []
    for chosen in reversed(choices):
        counts.append(chosen[end])
        end -= chosen[end]
    return counts[::-1]


@dataclass(frozen=True)
class _Word:
    """What the cost of a word depends on. A long clause has thousands of pairs to compare, so it is found once."""

    is_han: bool
    has_number: bool
    # Signs that part it: it is often spoken as two words for each.
    joints: int
    # About how many phonemes it has, and of its letters and digits.
    length: float
    syllables: float
    beginning: int | None

    @classmethod
    def of(cls, word: str) -> _Word:
        word = html.unescape(word) if "&" in word else word
        letter = next(filter(str.isalpha, word), "").lower()
        signs = len(_SPOKEN_JOINT.findall(word))
        return cls(
            _HAN.match(word) is not None,
            _NUMBER.search(word) is not None,
            word.count("-") + 2 * signs,
            sum(map(_length, word)) + signs * _PHONEMES_PER_SIGN,
            _SYLLABLES_PER_DIGIT * sum(map(str.isalnum, word)),
            _BEGINNINGS.get(letter),
        )


@dataclass(frozen=True)
class _Sums:
    """Over the groups before each place: a difference of two sums is that of the groups between."""

    phonemes: list[int]
    english: list[int]
    mandarin: list[int]
    # What each group begins with.
    beginnings: list[int | None]

    @classmethod
    def of(cls, groups: Sequence[_Group]) -> _Sums:
        return cls(
            [0, *accumulate(group.phonemes for group in groups)],
            [0, *accumulate(group.language == "en" for group in groups)],
            [0, *accumulate(group.language == "zh" for group in groups)],
            [_BEGINNINGS.get(group.begins_with) for group in groups],
        )


def _cost(word: _Word, sums: _Sums, start: int, end: int) -> float:
    """The cost of pairing a word with the groups from `start` to `end`."""
    count = end - start
    if word.is_han:
        return _WRONG_SYLLABLES * abs(count - 1) + _WRONG_LANGUAGE * (sums.english[end] - sums.english[start])
    if not word.length:
        return _SPOKEN_SIGN * count
    if not count:
        return word.length + _UNSPOKEN
    mandarin = sums.mandarin[end] - sums.mandarin[start]
    if word.has_number and mandarin:
        return abs(count - word.syllables)
    difference = abs(sums.phonemes[end] - sums.phonemes[start] - word.length)
    if word.has_number:
        return _NUMBER_WEIGHT * difference
    difference += _WRONG_BEGINNING * (word.beginning != sums.beginnings[start])
    return difference + _ANOTHER_GROUP * (count - 1) + _WRONG_LANGUAGE * mandarin


def _length(character: str) -> float:
    """About how many phonemes a character of a word has."""
    if character.isdigit():
        return _PHONEMES_PER_DIGIT
    if character.isalpha():
        return _PHONEMES_PER_CAPITAL if character.isupper() else _PHONEMES_PER_LETTER
    return _PHONEMES_PER_SIGN if character in _SPOKEN_SIGNS else 0.0
