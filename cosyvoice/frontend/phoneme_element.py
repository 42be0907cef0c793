"""SSML's `<phoneme>`: text that is spoken with the given phones. Pure.

An element arrives whole (`speech_tags.ELEMENT`). Its phones are CMU phones, pinyin, or IPA of English, which becomes
CMU phones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from cosyvoice.errors import TextError
from cosyvoice.frontend.lexicon_entry import LexiconEntry
from cosyvoice.frontend.pronunciation import check_cmu, check_pinyin
from cosyvoice.frontend.speech_tags import LONGEST_CONTENT, attributes_of

_ELEMENT = re.compile(rf"<phoneme(\s[^<>\n]{{0,120}})?>([^<>\n]{{0,{LONGEST_CONTENT}}})</phoneme>")
_CMU, _PINYIN = ("cmu", "arpabet", "x-arpabet", "x-cmu"), ("pinyin", "x-pinyin")
_VOWELS = {
    "eɪ": "EY", "aɪ": "AY", "oʊ": "OW", "əʊ": "OW", "aʊ": "AW", "ɔɪ": "OY", "ɜɹ": "ER", "ɜr": "ER", "əɹ": "ER",
    "ər": "ER",
    "ɝ": "ER", "ɚ": "ER", "ɜ": "ER", "ɑ": "AA", "ɒ": "AA", "æ": "AE", "a": "AE", "ʌ": "AH", "ə": "AH", "ɐ": "AH",
    "ɔ": "AO",
    "o": "OW", "ɛ": "EH", "e": "EH", "ɪ": "IH", "ᵻ": "IH", "i": "IY", "ʊ": "UH", "u": "UW",
}  # fmt: skip
_CONSONANTS = {
    "t͡ʃ": "CH", "tʃ": "CH", "ʧ": "CH", "d͡ʒ": "JH", "dʒ": "JH", "ʤ": "JH", "b": "B", "d": "D", "ð": "DH", "f": "F",
    "ɡ": "G", "g": "G", "h": "HH", "k": "K", "l": "L", "ɫ": "L", "m": "M", "n": "N", "ŋ": "NG", "p": "P", "ɹ": "R",
    "r": "R", "s": "S", "ʃ": "SH", "t": "T", "ɾ": "T", "θ": "TH", "v": "V", "w": "W", "j": "Y", "z": "Z", "ʒ": "ZH",
}  # fmt: skip
_SOUND = re.compile("|".join(sorted(map(re.escape, [*_VOWELS, *_CONSONANTS]), key=len, reverse=True)))
_STRESSES = {"ˈ": "1", "'": "1", "ˌ": "2"}


@dataclass(frozen=True)
class PhonemeElement:
    """An element in a text."""

    # Place of its first character.
    start: int
    # As it was written.
    text: str
    # What is read where its phones cannot be spoken.
    content: str
    # Its phones. None: `problem` says why there are none.
    entry: LexiconEntry | None
    problem: str = ""


def phoneme_elements(text: str) -> Iterator[PhonemeElement]:
    """Those of a text, in order."""
    for found in _ELEMENT.finditer(text) if "<phoneme" in text else ():
        attributes, content = dict(attributes_of(found[1] or "")), found[2].strip()
        try:
            entry = _entry(attributes.get("alphabet", "ipa").lower(), attributes.get("ph", ""), content)
        except TextError as error:
            yield PhonemeElement(found.start(), found[0], content, None, f"{error}: its text is read")
        else:
            yield PhonemeElement(found.start(), found[0], content, entry)


def _entry(alphabet: str, phones: str, content: str) -> LexiconEntry:
    """Raises TextError."""
    if alphabet in _CMU:
        phones = phones.upper().replace("-", " ")
        check_cmu(phones)
        return LexiconEntry(content, cmu=phones)
    if alphabet in _PINYIN:
        check_pinyin(phones)
        return LexiconEntry(content, pinyin=phones)
    if alphabet == "ipa":
        return LexiconEntry(content, cmu=cmu_of_ipa(phones))
    raise TextError(f"alphabet: expected cmu, x-arpabet, pinyin or ipa, found {alphabet!r:.20}")


def cmu_of_ipa(text: str) -> str:
    """CMU phones of English IPA. The stress mark before a syllable belongs to its vowel. Raises TextError."""
    phones: list[str] = []
    stress, at = "0", 0
    while at < len(text):
        sound = _SOUND.match(text, at)
        if sound is None:
            if text[at] not in "ːˑ. /[]\u0361\u200d" and text[at] not in _STRESSES:
                raise TextError(f"expected IPA of English sounds, found {text[at]!r}")
            stress = _STRESSES.get(text[at], stress)
            at += 1
            continue
        vowel = _VOWELS.get(sound[0])
        phones.append(_CONSONANTS[sound[0]] if vowel is None else vowel + stress)
        stress = stress if vowel is None else "0"
        at = sound.end()
    if not phones:
        raise TextError("expected phones in ph, found none")
    return " ".join(phones)
