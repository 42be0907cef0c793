"""Strings that no text can hold: no field of any message carries them on, and each is answered."""

from __future__ import annotations

import dataclasses
from typing import get_args, get_type_hints

import pytest

from rtserver.messages import wire
from rtserver.session.effects import Discard, Effect, RefuseStart, Send, Stop
from tests.rtserver.session.sessions import errors_of, session_with

BAD = ["\0", "a\x07", "\x1b[2J", "\x7f", "\x9b", "\ud800", "x\udfff", "\ud83d\ude00"]
# What a client is told, or what ends its work.
HARMLESS = (Send, RefuseStart, Discard, Stop)


def string_fields() -> list[tuple[type[wire.ClientMessage], str]]:
    """Every field of every message of a client that is a string of the client's own."""
    found = []
    for cls in get_args(wire.ClientMessage):
        hints = get_type_hints(cls)
        found += [(cls, f.name) for f in dataclasses.fields(cls) if hints[f.name] in (str, str | None)]
    return found


def message_with(cls: type[wire.ClientMessage], field: str, value: str) -> wire.ClientMessage:
    """A message that is good but for this field. It is about the context `a`, or starts `b`."""
    values: dict[str, object] = {"context": "b" if cls is wire.Start else "a"}
    values |= {"text": "hi"} if cls is wire.Text else {"ms": 1.0} if cls is wire.Played else {}
    names = {f.name for f in dataclasses.fields(cls)}
    return cls(**{name: v for name, v in (values | {field: value}).items() if name in names})  # type: ignore[arg-type]


@pytest.mark.parametrize("bad", BAD, ids=ascii)
@pytest.mark.parametrize(("cls", "field"), string_fields(), ids=lambda value: getattr(value, "__name__", value))
def test_a_bad_string_goes_no_further(cls: type[wire.ClientMessage], field: str, bad: str) -> None:
    """Nothing of it reaches the reader or the engine, and the error about it can be sent in both encodings."""
    session = session_with("open")
    effects: list[Effect] = session.receive(message_with(cls, field, bad), 1.0)
    assert all(isinstance(effect, HARMLESS) for effect in effects)
    errors = errors_of(effects)
    assert len(errors) == 1
    for error in errors:
        assert wire.SERVER.from_json(wire.SERVER.to_json(error)) == error
        assert wire.SERVER.from_msgpack(wire.SERVER.to_msgpack(error)) == error
