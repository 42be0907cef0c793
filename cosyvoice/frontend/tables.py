"""The tables of written signs and short forms (data/reading/*.toml). Read once."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from functools import cache
from typing import Any

from cosyvoice.frontend.language import Language
from cosyvoice.models import DATA


@cache
def table(language: Language, name: str) -> dict[str, Any]:
    """One table of a language: what is written -> how it is spoken."""
    return dict(_file(language)[name])


@cache
def _file(language: Language) -> dict[str, Any]:
    with (DATA / "reading" / f"{language}.toml").open("rb") as file:
        return tomllib.load(file)


def one_of(names: Iterable[str]) -> str:
    """A pattern for any of these names. The longest one that fits is found."""
    return "(?:" + "|".join(map(re.escape, sorted(names, key=len, reverse=True))) + ")"
