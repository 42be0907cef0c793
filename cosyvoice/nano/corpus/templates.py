"""Sentences of our own: templates whose slots are filled by a seeded random generator."""

from __future__ import annotations

import random
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

Slot = Sequence[str] | Callable[[random.Random], str]

_SLOT = re.compile(r"\{(\w+)\}")
_TRIES_A_SENTENCE = 200


def number(low: int, high: int) -> Slot:
    """A slot of numbers in digits."""
    return lambda generator: str(generator.randint(low, high))


def decimal(generator: random.Random) -> str:
    """A number with a point, in digits."""
    return f"{generator.randint(0, 99)}.{generator.randint(1, 99)}"


def fill(template: str, slots: Mapping[str, Slot], generator: random.Random) -> str:
    """`template` with every {slot} drawn anew; a drawn text may hold slots itself."""

    def drawn(match: re.Match[str]) -> str:
        slot = slots[match[1]]
        text = slot(generator) if callable(slot) else generator.choice(slot)
        return fill(text, slots, generator)

    return _SLOT.sub(drawn, template)


class Templates:
    """A TOML file of template lists and a table of slots, to which the code adds those that are drawn by rule."""

    def __init__(self, path: Path, drawn: Mapping[str, Slot]) -> None:
        self._lists = tomllib.loads(path.read_text(encoding="utf-8"))
        self._slots: dict[str, Slot] = {**self._lists.pop("slots"), **drawn}

    def sentences(self, name: str, seed: str) -> Iterator[str]:
        """Different sentences of a list, each from a template drawn at random, until no new one is found any more."""
        templates: list[str] = self._lists[name]
        generator = random.Random(seed)
        said: set[str] = set()
        tries = 0
        while tries < _TRIES_A_SENTENCE:
            sentence = fill(generator.choice(templates), self._slots, generator)
            sentence = sentence[0].upper() + sentence[1:]
            tries += 1
            if sentence not in said:
                said.add(sentence)
                tries = 0
                yield sentence
