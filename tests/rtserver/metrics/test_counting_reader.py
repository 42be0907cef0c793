"""A reader that tells what becomes of an utterance's text."""

from __future__ import annotations

import asyncio

from rtserver.ipc.engine import Failed, Started
from rtserver.ipc.reading import Read
from rtserver.metrics.counting_reader import CountingReader
from tests.rtserver.metrics.scraped import counted
from tests.rtserver.metrics.scripted import Counted, audio
from tests.rtserver.serving import UNREADABLE, WordReader


def test_the_first_text_begins_the_wait() -> None:
    """The wait for sound runs from the first write on; answers come as the reader gives them."""

    async def scenario() -> None:
        c = Counted()
        reader = CountingReader(WordReader(), c.counting)
        c.open()
        answers: list[Read | Failed] = []
        text = reader.open("u", answers.append, language=None, words=True)
        c.now_s += 3.0
        text.write("on")
        c.now_s += 0.2
        text.write("e two ")
        text.commit()
        text.flush()
        text.end()
        await asyncio.sleep(0)
        assert sum(len(a.segments) for a in answers if isinstance(a, Read)) == 2
        assert isinstance(answers[-1], Read) and answers[-1].boundaries == 3
        c.engine.send(Started("u", "voice", 1))
        c.engine.send(audio(0.5))
        assert round(counted(c.metrics)("rt_ttfa_seconds_sum", class_="realtime"), 6) == 0.2

    asyncio.run(scenario())


def test_a_reader_that_fails_makes_the_utterance_fail() -> None:
    """The cancel behind the failure counts as one; the failure is passed on."""

    async def scenario() -> None:
        c = Counted()
        utterance = c.open()
        answers: list[Read | Failed] = []
        text = CountingReader(WordReader(), c.counting).open("u", answers.append, language=None, words=True)
        text.write(f"{UNREADABLE} ")
        await asyncio.sleep(0)
        assert [type(a) for a in answers] == [Failed]
        utterance.cancel()
        assert counted(c.metrics).utterances() == (0, 1, 0)

    asyncio.run(scenario())


def test_dropped_text_is_dropped_at_the_reader() -> None:
    """Nothing is called back after a drop."""

    async def scenario() -> None:
        c = Counted()
        c.open()
        answers: list[Read | Failed] = []
        text = CountingReader(WordReader(), c.counting).open("u", answers.append, language=None, words=True)
        text.write("one ")
        text.drop()
        await asyncio.sleep(0)
        assert answers == []

    asyncio.run(scenario())


def test_text_of_an_utterance_that_is_not_counted_is_read_all_the_same() -> None:
    """A name that the engine does not know goes straight to the reader, which also tells whether it is ready."""

    async def scenario() -> None:
        c = Counted()
        words = WordReader()
        reader = CountingReader(words, c.counting)
        assert reader.ready
        words.ready = False
        assert not reader.ready
        answers: list[Read | Failed] = []
        reader.open("other", answers.append, language=None, words=True).write("one ")
        await asyncio.sleep(0)
        assert len(answers) == 1

    asyncio.run(scenario())
