"""Mandarin as agents and people speak it: replies, questions, numbers, dates, money, lists, English words inside."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

from cosyvoice.nano.corpus.templates import Slot, Templates, decimal, number

_DIGITS = "一二三四五六七八九"


def _digit_run(length: int) -> Slot:
    return lambda generator: "".join(generator.choice(_DIGITS) for _ in range(length))


def _date(generator: random.Random) -> str:
    return f"{generator.randint(1, 12)}月{generator.randint(1, 28)}{generator.choice('日号')}"


def _clock(generator: random.Random) -> str:
    minutes = generator.choice(["", "半", "一刻", f"{generator.randint(10, 59)}分", "整"])
    return f"{generator.choice(['早上', '上午', '中午', '下午', '晚上', ''])}{generator.randint(1, 12)}点{minutes}"


def _price(generator: random.Random) -> str:
    yuan = f"{generator.randint(2, 9999)}元"
    colloquial = f"{generator.randint(1, 99)}块{generator.randint(1, 9)}"
    return generator.choice([yuan, colloquial, f"￥{generator.randint(10, 999)}.{generator.randint(1, 9)}0"])


_TEMPLATES = Templates(
    Path(__file__).with_suffix(".toml"),
    {
        "n": number(2, 99),
        "small": number(1, 12),
        "hundreds": number(100, 999),
        "thousands": number(1000, 99999),
        "percent": number(1, 100),
        "year": number(1980, 2035),
        "code": _digit_run(4),
        "phone": _digit_run(8),
        "date": _date,
        "clock": _clock,
        "price": _price,
        "decimal": decimal,
    },
)


def replies(seed: str) -> Iterator[str]:
    """Answers of a word or two."""
    return _TEMPLATES.sentences("replies", seed)


def talk(seed: str) -> Iterator[str]:
    """What agents and people say to each other."""
    return _TEMPLATES.sentences("talk", seed)


def mixed(seed: str) -> Iterator[str]:
    """Mandarin with English words inside."""
    return _TEMPLATES.sentences("mixed", seed)
