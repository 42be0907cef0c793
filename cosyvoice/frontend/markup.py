"""Markup in user text: `[breath]`, `<strong>`, CMU phones `[AA1]`, pinyin `[zh][ōng]`. Control tokens are removed.

The documented markup is every entry of data/special_tokens_v3.json that does not have the form `<|...|>`. Control
tokens in a text have no effect, because the tokenizer never parses them. They are removed here so that they are not
read out.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass

from cosyvoice.frontend.special_tokens import MARKUP

_SIGN = re.compile(r"(\[[^\[\]\s]{1,15}\]|</?\w{1,8}>)")
# Anything like <|name|>, also with similar characters; then the halves that remain of broken ones.
_CONTROL = re.compile(r"[<＜﹤][|｜∣ǀ¦][^<>|＜＞﹤﹥｜∣ǀ¦]{0,64}[|｜∣ǀ¦][>＞﹥]|[<＜﹤][|｜∣ǀ¦]|[|｜∣ǀ¦][>＞﹥]")


@dataclass(frozen=True)
class Sign:
    """A markup token by its name in the vocabulary, such as `[breath]`."""

    name: str


def parse_markup(text: str, supported: Set[str]) -> list[str | Sign]:
    """Cuts cleaned text into stretches to speak and `supported` signs, in order. Two stretches are never neighbours.

    Documented markup that the checkpoint does not support becomes a space. Any other text in brackets is ordinary text.
    """
    parts: list[str | Sign] = []
    stretch = ""
    for part in _SIGN.split(_CONTROL.sub(" ", text)):
        if part not in MARKUP:
            stretch += part
        elif part not in supported:
            stretch += " "
        else:
            parts += [stretch, Sign(part)]
            stretch = ""
    return [part for part in [*parts, stretch] if part != ""]
