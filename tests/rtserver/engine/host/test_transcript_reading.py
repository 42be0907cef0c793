"""Transcripts of voice prompts, read by a reader that the test plays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from rtserver.engine.host.transcript_reading import TranscriptReading
from rtserver.ipc.engine import Failed
from rtserver.ipc.preparing import PreparationKey, Prepared
from rtserver.ipc.reading import OpenText, Read, Segment

ROOM, DOOR = PreparationKey("transcript", "Room 7, please."), PreparationKey("transcript", "The door.")


@dataclass
class PlayedText:
    """One text that was opened, and what became of it."""

    opening: OpenText
    tell: Callable[[Read | Failed], None]
    said: list[str] = field(default_factory=list)

    def write(self, text: str) -> None:
        self.said.append(text)

    def end(self) -> None:
        self.said.append("<end>")

    def drop(self) -> None:
        self.said.append("<drop>")

    def read(self, *ids: int, ended: bool) -> None:
        self.tell(Read(self.opening.utterance, [Segment([i], 0, False) for i in ids], int(ended)))


class World:
    """A TranscriptReading, its texts and its answers."""

    def __init__(self) -> None:
        self.texts: list[PlayedText] = []
        self.answers: list[Prepared] = []
        self.reading = TranscriptReading(self.open, self.answers.append)

    def open(self, opening: OpenText, tell: Callable[[Read | Failed], None]) -> PlayedText:
        self.texts.append(PlayedText(opening, tell))
        return self.texts[-1]


def test_all_ids_of_a_transcript_are_one_answer() -> None:
    """However many answers the reader gives; two transcripts are two texts with names of their own."""
    world = World()
    world.reading.request(ROOM)
    world.reading.request(DOOR)
    room, door = world.texts
    assert room.said == ["Room 7, please.", "<end>"] and room.opening.utterance != door.opening.utterance
    room.read(1, 2, ended=False)
    door.read(9, ended=True)
    assert world.reading.wanted == 1
    room.read(3, ended=True)
    assert world.answers == [Prepared(DOOR, ids=[9]), Prepared(ROOM, ids=[1, 2, 3])]
    assert world.reading.wanted == 0


def test_what_cannot_be_read_is_an_error_of_prompt_text() -> None:
    """Also a text in which nothing can be spoken."""
    world = World()
    world.reading.request(ROOM)
    world.texts[0].tell(Failed("x", "engine_lost", "the reader was lost"))
    world.reading.request(DOOR)
    world.texts[1].read(ended=True)
    assert [(answer.code, answer.message) for answer in world.answers] == [
        ("engine_lost", "prompt_text: the reader was lost"),
        ("bad_message", "prompt_text: expected words that can be spoken, found 'The door.'"),
    ]
    assert world.reading.wanted == 0


def test_an_acoustic_process_that_asks_again_gets_the_answer_of_the_first_reading() -> None:
    """It was replaced while the transcript was read."""
    world = World()
    world.reading.request(ROOM)
    world.reading.request(ROOM)
    world.texts[0].read(1, ended=True)
    assert len(world.texts) == 1 and world.answers == [Prepared(ROOM, ids=[1])]


def test_nothing_is_answered_that_is_not_wanted() -> None:
    """The reader is told so; after the engine has closed, too."""
    world = World()
    world.reading.request(ROOM)
    world.reading.dismiss(ROOM)
    world.reading.dismiss(DOOR)
    world.reading.request(DOOR)
    world.reading.close()
    for text in world.texts:
        assert text.said[-1] == "<drop>"
        text.read(1, ended=True)
    assert world.answers == [] and world.reading.wanted == 0
