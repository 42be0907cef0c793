"""Pronunciations that a person writes: CMU phones ("S IY1 K W AH0 L") and pinyin ("chong2 qing4"). Pure.

A released checkpoint gets them as its own markup (`[S][IY1]`), the embedded voice as IPA. `pinyin_ipa` needs misaki.
"""

from __future__ import annotations

import re

from cosyvoice.errors import TextError
from cosyvoice.frontend.special_tokens import MARKUP

_VOWELS = {
    "AA": "ɑ", "AE": "æ", "AH": "ʌ", "AO": "ɔ", "AW": "W", "AY": "I", "EH": "ɛ", "ER": "ɜɹ", "EY": "A", "IH": "ɪ",
    "IY": "i", "OW": "O", "OY": "Y", "UH": "ʊ", "UW": "u",
}  # fmt: skip
_CONSONANTS = {
    "B": "b", "CH": "ʧ", "D": "d", "DH": "ð", "F": "f", "G": "ɡ", "HH": "h", "JH": "ʤ", "K": "k", "L": "l", "M": "m",
    "N": "n", "NG": "ŋ", "P": "p", "R": "ɹ", "S": "s", "SH": "ʃ", "T": "t", "TH": "θ", "V": "v", "W": "w", "Y": "j",
    "Z": "z", "ZH": "ʒ",
}  # fmt: skip
_UNSTRESSED = {"AH": "ə", "ER": "əɹ"}
_STRESS = {"": "", "0": "", "1": "ˈ", "2": "ˌ"}
_PHONE = re.compile(r"([A-Z]{1,2})([012]?)")

_SYLLABLE = re.compile(r"(zh|ch|sh|[bpmfdtnlgkhjqxrzcsyw])?([aeiouv]{1,3}(?:ng|n|r)?)([1-5])")
# The vowel of a final that has the tone mark: a or e, else the o of ou, else the last one.
_MARKED = (re.compile("[ae]"), re.compile("o(?=u)"), re.compile("[iouv](?=[^iouv]*$)"))
_TONE_MARKS = {"a": "āáǎàa", "e": "ēéěèe", "i": "īíǐìi", "o": "ōóǒòo", "u": "ūúǔùu", "v": "ǖǘǚǜü"}
_LONGEST_SYLLABLE = 7


def check_cmu(text: str) -> None:
    """Raises TextError."""
    for phone in text.split() or [""]:
        match = _PHONE.fullmatch(phone)
        if match is None or not (match[1] in _VOWELS or (match[1] in _CONSONANTS and not match[2])):
            raise TextError(f"expected CMU phones such as HH AH0 L OW1, found {phone!r:.20}")


def check_pinyin(text: str) -> None:
    """Raises TextError. Knows the form of a syllable, and not whether Mandarin has it."""
    for syllable in text.split() or [""]:
        if _SYLLABLE.fullmatch(_plain(syllable)) is None:
            raise TextError(f"expected pinyin with tone numbers such as chong2 qing4, found {syllable!r:.20}")


def cmu_ipa(text: str) -> str:
    """The phonemes of one word in the embedded voice's alphabet: the stress mark stands before its vowel."""
    return "".join(map(_phone_ipa, text.split()))


def _phone_ipa(phone: str) -> str:
    name, stress = phone.rstrip("012"), phone[-1] if phone[-1].isdigit() else ""
    if name in _CONSONANTS:
        return _CONSONANTS[name]
    vowel = _UNSTRESSED.get(name, _VOWELS[name]) if stress in ("", "0") else _VOWELS[name]
    return _STRESS[stress] + vowel


def pinyin_ipa(text: str) -> str | None:
    """The phonemes of the syllables together. None: Mandarin has no such syllable. Imports misaki."""
    from misaki.zh import ZHG2P

    try:
        return "".join(ZHG2P.py2ipa(_plain(syllable)).replace(chr(815), "") for syllable in text.split())
    except ValueError:
        return None


def cmu_signs(text: str) -> list[str]:
    """The markup of a released checkpoint."""
    return [f"[{phone}]" for phone in text.split()]


def pinyin_signs(text: str) -> list[str] | None:
    """The markup of a released checkpoint: initials and finals. None: it has no token for a part of it."""
    signs: list[str] = []
    for syllable in text.split():
        match = _SYLLABLE.fullmatch(_plain(syllable))
        if match is None:
            return None
        signs += [f"[{match[1]}]"] if match[1] else []
        signs.append(f"[{_with_tone(match[2], int(match[3]))}]")
    return signs if MARKUP.issuperset(signs) else None


def _plain(syllable: str) -> str:
    """With v for ü, and the number 5 for a neutral tone."""
    plain = syllable[: _LONGEST_SYLLABLE + 1].lower().replace("u:", "v").replace("ü", "v")
    return plain if plain[-1:].isdigit() else plain + "5"


def _with_tone(final: str, tone: int) -> str:
    if "v" in final and final != "v":  # [uè] and [vè]: the dots are not written over other finals
        final = final if final == "ve" else final.replace("v", "u")
    vowel = next(found for marked in _MARKED if (found := marked.search(final)))
    return final[: vowel.start()] + _TONE_MARKS[vowel[0]][tone - 1] + final[vowel.end() :]
