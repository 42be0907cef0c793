"""Texts that end the reader process, or that it does not answer. A small program reads in its place."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from rtserver.ipc.engine import Failed
from rtserver.ipc.reading import OpenText, Read
from rtserver.processes.program import Program
from rtserver.reader.client import ReaderClient
from tests.rtserver.serving import eventually

pytestmark = pytest.mark.engine

# Answers every boundary. It dies of `poison`, and does not answer `mute`.
_READER = """
import sys
import msgspec
from rtserver.ipc.message import *
from rtserver.processes.inbox import Lost
from rtserver.processes.run_child import run_child

def serve(loaded, port, inbox):
    mute = set()
    while not isinstance(message := inbox.get(), Shutdown | Lost):
        if isinstance(message, Write) and message.text == "poison":
            sys.exit(3)
        if isinstance(message, Write) and message.text == "mute":
            mute.add(message.utterance)
        if isinstance(message, Boundary) and message.utterance not in mute:
            port.send(Read(message.utterance, [], 1))

class Options(msgspec.Struct): pass

sys.exit(run_child("reader", Options, lambda options, tell: None, serve, lambda loaded, load_s: ReaderReady(load_s)))
"""


class Texts:
    """What comes back of each text."""

    def __init__(self, readers: ReaderClient) -> None:
        self.readers = readers
        self.done: list[str] = []
        self.failed: dict[str, Failed] = {}

    def say(self, name: str, text: str, *, ends: bool = True) -> None:
        def on_read(read: Read | Failed) -> None:
            if isinstance(read, Failed):
                self.failed[read.utterance] = read
            else:
                self.done.append(read.utterance)

        opened = self.readers.open(OpenText(name), on_read)
        opened.write(text)
        if ends:
            opened.end()


@contextlib.asynccontextmanager
async def reading(stalled_s: float = 100.0) -> AsyncIterator[Texts]:
    readers = ReaderClient(
        Program("reader", ("-c", _READER)), lambda progress: None, verbose=False, stalled_s=stalled_s, turn_s=0.2
    )
    readers.begin()
    try:
        await eventually(lambda: readers.ready, 30)
        yield Texts(readers)
    finally:
        await readers.close()


def test_only_the_text_that_ends_the_reader_fails() -> None:
    """Texts that were waiting at the same time are read in the end; the same text is refused for a while."""

    async def scenario() -> None:
        async with reading() as texts:
            texts.say("bad", "poison")
            for name in ("a", "b", "c"):
                texts.say(name, f"Hello {name}.")
            await eventually(lambda: len(texts.done) == 3 and len(texts.failed) == 1, 60)
            assert sorted(texts.done) == ["a", "b", "c"]
            deaths = texts.readers.processes["reader"].deaths
            failed = texts.failed["bad"]
            assert failed.code == "engine_lost" and failed.retry_after_s == 300.0
            assert "the reader was lost each time it read this text (i_" in failed.message
            await eventually(lambda: texts.readers.ready, 30)
            texts.say("again", "poison")
            await eventually(lambda: "again" in texts.failed)
            assert "lost over the same text" in texts.failed["again"].message
            texts.say("other", "Hello.")
            await eventually(lambda: "other" in texts.done)
            assert texts.readers.processes["reader"].deaths == deaths and texts.readers.live == 0

    asyncio.run(scenario())


def test_a_text_that_is_not_answered_fails() -> None:
    """After the limit, while the process reads others."""

    async def scenario() -> None:
        async with reading(stalled_s=2.0) as texts:
            texts.say("a", "mute")
            texts.say("waits for text", "Hello", ends=False)
            texts.say("b", "Hello.")
            await eventually(lambda: "b" in texts.done and "a" in texts.failed)
            what = "the reader gave no answer for 2 s: start it again later"
            assert texts.failed == {"a": Failed("a", "engine_lost", what)}

    asyncio.run(scenario())


def test_a_text_that_cannot_be_sent_fails_alone() -> None:
    """Half a surrogate pair cannot be written: its text fails, also when a new process is told everything."""

    async def scenario() -> None:
        async with reading() as texts:
            texts.say("odd", "\ud800")
            assert texts.failed == {}  # not during the call
            await eventually(lambda: "odd" in texts.failed)
            assert texts.failed["odd"].code == "bad_message"
            texts.say("b", "Hello.")
            await eventually(lambda: texts.done == ["b"])

    asyncio.run(scenario())
