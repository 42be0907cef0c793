"""Numbers of the command line, checked: types for argparse."""

from __future__ import annotations

import argparse

from cosyvoice.config import MAX_SPEED, MIN_SPEED


def speed(text: str) -> float:
    """A speed that the server can speak with."""
    try:
        found = float(text)
    except ValueError:
        found = float("nan")
    if not MIN_SPEED <= found <= MAX_SPEED:
        raise argparse.ArgumentTypeError(f"expected {MIN_SPEED} to {MAX_SPEED}, found {text!r}")
    return found


def seed(text: str) -> int:
    """A seed of the server."""
    try:
        found = int(text)
    except ValueError:
        found = -1
    if not 0 <= found < 1 << 32:
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 to {(1 << 32) - 1}, found {text!r}")
    return found


def count(text: str) -> int:
    """How many of something: at least one."""
    try:
        found = int(text)
    except ValueError:
        found = 0
    if found < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number of at least 1, found {text!r}")
    return found
