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


def parse_markup(text: str, supported: Set[str], dropped: list[str]) -> list[str | Sign]:
    """Cuts cleaned text into stretches to speak and `supported` signs, in order. Two stretches are never neighbours.

    Documented markup that the checkpoint does not support becomes a space, and is added to `dropped`, as are control
    tokens. Any other text in brackets is ordinary text.
    """
    dropped += [control for control in _CONTROL.findall(text) if len(control) > 2]
    parts: list[str | Sign] = []
    stretch = ""
    pieces = _SIGN.split(_CONTROL.sub(" ", text))
    for at, part in enumerate(pieces):
        if part not in MARKUP or (_is_letter(part) and not _beside_phone(pieces, at)):
            stretch += part
        elif part not in supported:
            stretch += " "
            dropped.append(part)
        else:
            parts += [stretch, Sign(part)]
            stretch = ""
    return [part for part in [*parts, stretch] if part != ""]


def _is_letter(name: str) -> bool:
    """Whether markup looks like plain letters in brackets: `[S]`, `[b]`. It acts only beside another phone."""
    return name[0] == "[" and len(name) <= 4 and name[1:-1].isascii() and name[1:-1].isalpha()


def _beside_phone(pieces: list[str], at: int) -> bool:
    """Whether a phone is written directly before or after this one: `[S][EH1]`."""
    before = at > 1 and pieces[at - 1] == "" and _is_phone(pieces[at - 2])
    return before or (at + 2 < len(pieces) and pieces[at + 1] == "" and _is_phone(pieces[at + 2]))


def _is_phone(name: str) -> bool:
    return name in MARKUP and name[0] == "[" and len(name) <= 6
