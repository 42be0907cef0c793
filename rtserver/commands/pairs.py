"""An option of a command that fills a table."""

from __future__ import annotations

import argparse
from typing import Any


class Pairs(argparse.Action):
    """An option for a table: NAME=VALUE, several times."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        name, equals, value = values.partition("=")
        if not equals:
            raise argparse.ArgumentError(self, f"expected NAME=VALUE, found {values!r}")
        setattr(namespace, self.dest, getattr(namespace, self.dest, {}) | {name: value})
