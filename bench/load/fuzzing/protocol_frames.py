"""Frames of a protocol in JSON: correct messages, and the same changed in many ways, drawn at random."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from bench.load.fuzzing.frames import Odd, Pairs, as_json, changed_items, damaged, odd_value
from rtserver.messages import wire

TEXTS = ("Yes. ", "no ", "三点一刻。", "😀", " ", "", "1/2", "é" * 70)
# Draws the value of a field.
Value = Callable[[Random], object]
# The fields of an object, with their values; the value of an object is its fields. `!` at the end of a name: the field
# is always there.
Fields = Mapping[str, "Value | Fields"]
# What a message of the server is, and its error's code if it is an error. Raises for none of the protocol.
Told = Callable[[Mapping[str, Any]], tuple[str, str | None]]


def one_of(*values: object) -> Value:
    """One of these values."""
    return lambda rng: rng.choice(values)


@dataclass(frozen=True)
class Protocol:
    """What the messages of one protocol are."""

    # The fields of each message, by a name for it.
    messages: Mapping[str, Fields]
    # These names, by how often the messages are sent.
    usual: Sequence[str]
    # Reads what the server says.
    told: Told

    def draw(self, rng: Random) -> str:
        """A message, most often a correct one."""
        chance = rng.random()
        message = drawn(rng, self.messages[rng.choice(self.usual)])
        if chance < 0.6:
            return as_json(message, rng.random() < 0.5)
        shape: object = _changed(rng, message, self._names)
        if chance > 0.97:
            shape = rng.choice(([shape], odd_value(rng), Odd("[" * 2000, b""), Odd('{"type":' * 900, b"")))
        text = as_json(shape, rng.random() < 0.5)
        if chance > 0.85:
            return damaged(rng, text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogateescape")
        return text

    @property
    def _names(self) -> Sequence[str]:
        return [name for fields in self.messages.values() for name in _names(fields)]


def types(*known: str) -> Told:
    """Of a protocol whose messages have a type, and whose errors have a code."""

    def told(message: Mapping[str, Any]) -> tuple[str, str | None]:
        kind = str(message["type"])
        if kind not in known:
            raise ValueError(f"unknown type {kind}")
        if kind.lower() != "error":
            return kind, None
        # Deepgram's clients find the server's own code in the description.
        code = str(message["code"] if kind == "error" else message["description"]).partition(":")[0]
        if code not in wire.CODES:
            raise ValueError(f"unknown code {code}")
        return kind, code

    return told


def drawn(rng: Random, fields: Fields) -> Pairs:
    """A correct object."""
    items: list[tuple[object, object]] = []
    for name, value in fields.items():
        if name.endswith("!") or rng.random() < 0.7:
            items.append((name.removesuffix("!"), value(rng) if callable(value) else drawn(rng, value)))
    return Pairs(items)


def _changed(rng: Random, message: Pairs, names: Sequence[str]) -> Pairs:
    """Other values or keys, in the message or in an object within it."""
    items = list(message.items)
    inner = [(at, value) for at, (_, value) in enumerate(items) if isinstance(value, Pairs)]
    if not inner or rng.random() < 0.4:
        return changed_items(rng, items, names)
    at, value = rng.choice(inner)
    items[at] = (items[at][0], _changed(rng, value, names))
    return Pairs(items)


def _names(fields: Fields) -> list[str]:
    own = [name.removesuffix("!") for name in fields]
    return own + [name for value in fields.values() if not callable(value) for name in _names(value)]
