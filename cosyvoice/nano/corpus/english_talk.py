"""English as agents and people speak it: replies, questions, numbers, dates, money, lists."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator
from pathlib import Path

from cosyvoice.nano.corpus.templates import Templates, decimal, number

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def _clock(generator: random.Random) -> str:
    hour = generator.randint(1, 12)
    exact = f"{hour}:{generator.randint(10, 59)}"
    return generator.choice([exact, f"{hour} o'clock", f"{hour} p.m.", f"half past {hour}"])


def _date(generator: random.Random) -> str:
    month, day = generator.choice(_MONTHS), generator.randint(1, 28)
    return generator.choice([f"{month} {day}", f"{month} {day}, {generator.randint(1950, 2035)}"])


def _price(generator: random.Random) -> str:
    whole = generator.randint(1, 2000)
    cents = f"${whole}.{generator.randint(10, 99)}"
    return generator.choice([f"${whole}", cents, f"{whole} dollars", f"{whole} euros"])


def _code(generator: random.Random) -> str:
    return ", ".join(str(generator.randint(0, 9)) for _ in range(4))


def _letters(generator: random.Random) -> str:
    return ", ".join(generator.choice(string.ascii_uppercase) for _ in range(3))


_TEMPLATES = Templates(
    Path(__file__).with_suffix(".toml"),
    {
        "n": number(2, 99),
        "small": number(2, 12),
        "hundreds": number(100, 999),
        "thousands": number(1000, 99999),
        "percent": number(1, 100),
        "clock": _clock,
        "date": _date,
        "price": _price,
        "code": _code,
        "letters": _letters,
        "decimal": decimal,
    },
)


def replies(seed: str) -> Iterator[str]:
    """Answers of a word or two."""
    return _TEMPLATES.sentences("replies", seed)


def talk(seed: str) -> Iterator[str]:
    """What agents and people say to each other."""
    return _TEMPLATES.sentences("talk", seed)
