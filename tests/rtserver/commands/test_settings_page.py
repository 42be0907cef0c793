"""docs/settings.md."""

from __future__ import annotations

import argparse
import re
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

from rtserver.commands.cli import build_parser
from rtserver.commands.serve_arguments import NO_SETTINGS
from rtserver.config import ServerConfig

_PAGE = Path(__file__).parents[3] / "docs/settings.md"
_ROW = re.compile(r"\| `(\w+)` \| (?:`--([\w-]+)`)? ?\| (`.*?`|none) \| .+ \|")


def test_the_page_lists_every_setting() -> None:
    """Each field of ServerConfig has one row, in the same order, with its default."""
    defaults = {name: _value(default) for name, _, default in _rows()}
    assert list(defaults) == [field.name for field in fields(ServerConfig)]
    assert ServerConfig(**defaults) == ServerConfig()


def test_the_page_names_the_option_of_every_setting() -> None:
    """A setting's option is the parser's; a setting without one has none there either."""
    assert {name: option for name, option, _ in _rows() if option} == dict(_options())


def _rows() -> Iterator[tuple[str, str, str]]:
    for line in _PAGE.read_text().splitlines():
        if row := _ROW.fullmatch(line):
            yield row[1], row[2] or "", row[3]


def _value(default: str) -> Any:
    return None if default == "none" else tomllib.loads(f"value = {default.strip('`')}")["value"]


def _options() -> Iterator[tuple[str, str]]:
    """The settings that `rtserver serve` has an option for, with its long name."""
    commands = next(a for a in build_parser()._actions if isinstance(a, argparse._SubParsersAction))
    for action in commands.choices["serve"]._actions:
        if action.dest != "help" and action.dest not in NO_SETTINGS:
            yield action.dest, action.option_strings[-1].removeprefix("--")
