"""Utterances of the acoustic process's loop in tests."""

from __future__ import annotations

from rtserver.ipc.engine import (
    End,
    Feed,
    Open,
)
from rtserver.ipc.preparing import PreparationKey
from rtserver.ipc.process import Count, Counted
from rtserver.ipc.reading import Segment
from tests.rtserver.engine.acoustic.fakes import World

SENTENCE = Segment(list(range(20, 50)), 0, True)
HOP_TOKENS = [12, 25, 23]
VOICE, SOURCE = PreparationKey("voice", "anna"), PreparationKey("source", "abc")


def opened(world: World, name: str = "u", at_s: float = 100.0, **change: object) -> None:
    world.at(at_s, Open(name, "anna", **change))  # type: ignore[arg-type]


def spoken(world: World, name: str = "u", at_s: float = 100.0, **change: object) -> None:
    """An utterance of one sentence, whose text is there at once."""
    opened(world, name, at_s, **change)
    world.at(at_s, Feed(name, [SENTENCE]), End(name))


def held(world: World) -> dict[str, int]:
    """What the loop holds when everything is over."""
    world.at(world.now_s, Count())
    world.run()
    counted = [m for _, m in world.sent if isinstance(m, Counted)][-1]
    return counted.held
