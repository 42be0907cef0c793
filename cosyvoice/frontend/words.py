"""The words of a text, and the phonemes of each word. Pure.

The reader gives phonemes for a clause and not for each word. A number becomes several groups of phonemes, a sign often
none, and a Han character one syllable. So words and groups are paired in order, by the pairing with the lowest cost.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from cosyvoice.frontend.language import HAN, Language

# A Han character with the punctuation after it, or a run of anything else without space.
_WORD = re.compile(rf"[{HAN}][^\w\s]*|[^\s{HAN}]+")
_HAN = re.compile(f"[{HAN}]")
_VOWELS = "aeiouyɤəɛɨʊɚɑɔ"
_TONES = "→↗↘↓"
_NUCLEUS = re.compile(f"[{_VOWELS}]+[{_TONES}]?")
_GLIDES = "jwɥ"
_STRESS = "ˈˌ"
_SPOKEN = re.compile(rf"[{_STRESS}]?[^\W\d_{_STRESS}][{_TONES}]?")
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
    """The words of a text, each with its punctuation."""
    return _WORD.finditer(text)


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
    best = [0.0] + [float("inf")] * len(groups)  # lowest cost, by the number of groups that the words so far have
    choices = []
    for word in words:
        after, chosen = [float("inf")] * len(best), [0] * len(best)
        most = _MOST_GROUPS if _NUMBER.search(word) else 2 + word.count("-")
        for end in range(len(best)):
            for count in range(min(end, most) + 1):
                if best[end - count] >= after[end]:
                    continue
                cost = best[end - count] + _cost(word, groups[end - count : end])
                if cost < after[end]:
                    after[end], chosen[end] = cost, count
        best = after
        choices.append(chosen)
    counts, end = [], min(range(len(best)), key=lambda last: best[last] + (len(groups) - last) * _WRONG_SYLLABLES)
    for chosen in reversed(choices):
        counts.append(chosen[end])
        end -= chosen[end]
    return counts[::-1]


def _cost(word: str, groups: Sequence[_Group]) -> float:
    """The cost of pairing a word with these groups."""
    if _HAN.match(word):
        return _WRONG_SYLLABLES * abs(len(groups) - 1) + _WRONG_LANGUAGE * sum(g.language == "en" for g in groups)
    length, mandarin = sum(map(_length, word)), sum(group.language == "zh" for group in groups)
    if not length:
        return _SPOKEN_SIGN * len(groups)
    if not groups:
        return length + _UNSPOKEN
    if _NUMBER.search(word) and mandarin:
        return abs(len(groups) - _SYLLABLES_PER_DIGIT * sum(map(str.isalnum, word)))
    difference = abs(sum(group.phonemes for group in groups) - length)
    if _NUMBER.search(word):
        return _NUMBER_WEIGHT * difference
    letter = next(filter(str.isalpha, word), "").lower()
    difference += _WRONG_BEGINNING * (_BEGINNINGS.get(letter) != _BEGINNINGS.get(groups[0].begins_with))
    return difference + _ANOTHER_GROUP * (len(groups) - 1) + _WRONG_LANGUAGE * mandarin


def _length(character: str) -> float:
    """About how many phonemes a character of a word has."""
    if character.isdigit():
        return _PHONEMES_PER_DIGIT
    if character.isalpha():
        return _PHONEMES_PER_CAPITAL if character.isupper() else _PHONEMES_PER_LETTER
    return _PHONEMES_PER_SIGN if character in _SPOKEN_SIGNS else 0.0
