"""Mandarin words (jieba) and phonemes (misaki). Each loads when it is first needed, which takes about a second."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from functools import cache, lru_cache

_PINYIN = re.compile("[a-zêü]+[1-5]")
_jieba_lock = threading.Lock()


@cache
def _segmenter() -> Callable[[str], list[str]]:
    import jieba

    jieba.setLogLevel(logging.WARNING)  # otherwise it reports on stderr that it loads its dictionary
    with _jieba_lock:
        jieba.initialize()
    return lambda text: list(jieba.cut(text))


def load_words() -> None:
    """Loads the dictionary of words, which takes about a second."""
    _segmenter()


def cut_words(text: str) -> list[str]:
    """Mandarin text cut into words."""
    return _segmenter()(text)


class MandarinG2P:
    """Han text with Chinese punctuation -> IPA with tone arrows, words separated by spaces."""

    def __init__(self) -> None:
        _segmenter()
        from misaki.zh import ZHG2P

        self._g2p = ZHG2P()

    def __call__(self, text: str) -> str:
        phonemes, _ = self._g2p(text)
        return str(phonemes)


@lru_cache(maxsize=30_000)
def is_readable(character: str) -> bool:
    """Whether the G2P can read a Han character. It knows U+4E00..U+9FFF, but some of these have no pinyin."""
    if not "\u4e00" <= character <= "\u9fff":
        return False
    from pypinyin import Style, lazy_pinyin

    (pinyin,) = lazy_pinyin(character, style=Style.TONE3, neutral_tone_with_five=True)
    return bool(_PINYIN.fullmatch(pinyin))
