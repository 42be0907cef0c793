"""A session that is driven: what comes out, and that all work ends."""

from __future__ import annotations

import asyncio

import pytest

from rtserver.engine.api import EngineError
from rtserver.engine.fake import FakeUtterance
from rtserver.ipc.reading import OpenText
from rtserver.messages import wire
from rtserver.session.limits import SessionLimits
from rtserver.session.outbox import Closing
from tests.rtserver.front.driven import LONG, driven, let_others_run
from tests.rtserver.serving import UNREADABLE, OnRead, WordReader, WordText


class WatchedText(WordText):
    """Tells its reader when it is dropped."""

    def __init__(self, utterance: str, on_read: OnRead, dropped: list[str]) -> None:
        super().__init__(utterance, on_read)
        self._name = utterance
        self._dropped = dropped

    def drop(self) -> None:
        self._dropped.append(self._name)
        super().drop()


class WatchedReader(WordReader):
    """`dropped`: the utterances whose text is no longer wanted."""

    def __init__(self) -> None:
        self.dropped: list[str] = []

    def open(self, opening: OpenText, on_read: OnRead) -> WordText:
        return WatchedText(opening.utterance, on_read, self.dropped)


# -- speech -----------------------------------------------------------------------------------------------------------


def test_a_whole_request_comes_out_in_order() -> None:
    """Started, marks before their sound, and done behind all of it; then nothing of it is left."""

    async def scenario() -> None:
        async with driven() as d:
            d.start(text="one two", end=True)
            done = await d.until(wire.Done)
            kinds = [type(i) for i in d.items]
            assert kinds[:4] == [wire.Ready, wire.Started, wire.Mark, wire.Mark]
            assert set(kinds[4:-1]) == {wire.Audio}
            assert isinstance(done, wire.Done) and done.audio_ms == len(d.sound()) // 48 == 360
            assert d.connection.live == d.engine.live == len(d.connection.session.contexts) == 0

    asyncio.run(scenario())


def test_a_flush_is_answered_behind_its_sound() -> None:
    """`flushed` follows the last frame of the text before it, and the context goes on."""

    async def scenario() -> None:
        async with driven() as d:
            d.start(text="one")
            d.connection.receive(wire.Flush("a", "f"))
            flushed = await d.until(wire.Flushed)
            assert flushed == wire.Flushed("a", "f", 180) and len(d.sound()) == 180 * 48
            d.connection.receive(wire.Text("two ", "a"))
            d.connection.receive(wire.End("a"))
            done = await d.until(wire.Done)
            assert isinstance(done, wire.Done) and done.audio_ms == 360

    asyncio.run(scenario())


def test_the_engine_hears_what_the_listener_reports(monkeypatch: pytest.MonkeyPatch) -> None:
    """`played` reaches the utterance of its context, in seconds."""
    told: list[tuple[str, float]] = []
    monkeypatch.setattr(FakeUtterance, "heard", lambda self, at_s: told.append((self._request.utterance, at_s)))

    async def scenario() -> None:
        async with driven() as d:
            d.start("a")
            d.start("b")
            d.connection.receive(wire.Played(1500.0, "b"))
            d.connection.receive(wire.Played(20.0, "a"))
            assert told == [("u_2", 1.5), ("u_1", 0.02)]

    asyncio.run(scenario())


# -- ends -------------------------------------------------------------------------------------------------------------


def test_no_frame_follows_cancelled() -> None:
    """Sound that waits is taken back, sound that was taken is what was sent, and the engine's work has ended."""

    async def scenario() -> None:
        async with driven() as d:
            d.start(text=LONG, end=True, class_="batch")
            await d.until_held()
            await d.until(wire.Audio)
            await d.until(wire.Audio)
            d.connection.receive(wire.Cancel("a"))
            assert d.engine.live == d.connection.live == 0
            cancelled = await d.next()
            assert isinstance(cancelled, wire.Cancelled)
            assert cancelled.sent_ms == len(d.sound()) // 48 == 120
            await let_others_run()
            d.connection.receive(wire.Ping("p"))
            assert await d.next() == wire.Pong("p")

    asyncio.run(scenario())


def test_the_sound_of_others_is_not_taken_back() -> None:
    """A cancel in the middle of two contexts that speak leaves the other whole."""

    async def scenario() -> None:
        async with driven() as d:
            d.start("a", text=LONG, class_="batch")
            d.start("b", text="word " * 10, class_="batch")
            await d.until_held()
            d.connection.receive(wire.Cancel("a"))
            d.connection.receive(wire.End("b"))
            done = await d.until(wire.Done)
            assert isinstance(done, wire.Done) and done.context == "b"
            assert d.sound("a") == b"" and len(d.sound("b")) == 2400 * 48
            assert [i.context for i in d.items if isinstance(i, wire.Cancelled)] == ["a"]

    asyncio.run(scenario())


def test_close_ends_all_work() -> None:
    """Every utterance is cancelled at engine and reader; nothing more is put out."""
    reader = WatchedReader()

    async def scenario() -> None:
        async with driven(reader=reader) as d:
            d.start("a", text=LONG, end=True, class_="batch")
            d.start("b", text="one ")
            d.start("c")
            await d.until(wire.Audio)
            assert d.connection.live == d.engine.live == 3
            d.connection.close()
            assert d.connection.live == d.engine.live == len(d.connection.session.contexts) == 0
            assert sorted(reader.dropped) == ["u_1", "u_2", "u_3"]
            waiting = d.connection.waiting_bytes
            await let_others_run()
            assert d.connection.waiting_bytes == waiting

    asyncio.run(scenario())


def test_a_connection_whose_context_fails_goes_on() -> None:
    """An engine that refuses an utterance ends that context; its text is dropped and the next one speaks."""
    reader = WatchedReader()

    async def scenario() -> None:
        async with driven(reader=reader) as d:
            d.start("a", voice="nobody", text="one two", end=True)
            error = await d.next()
            assert isinstance(error, wire.Error) and (error.code, error.context) == ("unknown_voice", "a")
            assert d.connection.live == d.engine.live == 0 and reader.dropped == ["u_1"]
            d.start("a", text="one", end=True)
            await d.until(wire.Done)
            assert len(d.sound()) == 180 * 48 and reader.dropped == ["u_1", "u_2"]

    asyncio.run(scenario())


def test_text_that_cannot_be_read_ends_its_work_at_the_engine() -> None:
    """The reader's failure is told once, and the utterance is cancelled."""

    async def scenario() -> None:
        async with driven() as d:
            d.start("a", text=f"one {UNREADABLE} ")
            error = await d.until(wire.Error)
            assert isinstance(error, wire.Error) and (error.code, error.context) == ("internal", "a")
            assert d.connection.live == d.engine.live == 0
            d.connection.receive(wire.Ping())
            assert isinstance(await d.next(), wire.Pong)

    asyncio.run(scenario())


# -- no engine, no reader ---------------------------------------------------------------------------------------------


def test_an_engine_that_is_gone_is_engine_lost() -> None:
    """A start with text and end gets one retryable error; the connection lives on."""

    async def scenario() -> None:
        async with driven() as d:
            await d.engine.close()
            d.start("a", text="one two", end=True)
            error = await d.next()
            assert isinstance(error, wire.Error)
            assert (error.code, error.context, error.retryable) == ("engine_lost", "a", True)
            assert error.message == "the engine is closed" and error.retry_after_ms is not None
            assert d.connection.live == len(d.connection.session.contexts) == 0
            d.connection.receive(wire.Ping("p"))
            assert await d.next() == wire.Pong("p")

    asyncio.run(scenario())


def test_a_reader_that_is_gone_is_engine_lost_and_leaves_no_utterance() -> None:
    """What was opened at the engine before is cancelled."""

    class NoReader(WordReader):
        def open(self, opening: OpenText, on_read: OnRead) -> WordText:
            raise EngineError("no reader")

    async def scenario() -> None:
        async with driven(reader=NoReader()) as d:
            d.start("a", text="one", end=True)
            error = await d.next()
            assert isinstance(error, wire.Error) and (error.code, error.message) == ("engine_lost", "no reader")
            assert d.connection.live == d.engine.live == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("available", "code"), [((False, False), "engine_lost"), ((True, True), "shutting_down")], ids=["away", "draining"]
)
def test_each_start_asks_whether_the_server_can_speak(available: tuple[bool, bool], code: str) -> None:
    """The answer of the moment counts; nothing is opened at an engine that is away."""

    async def scenario() -> None:
        async with driven() as d:
            d.available = available
            d.start("a")
            error = await d.next()
            assert isinstance(error, wire.Error) and (error.code, d.engine.live) == (code, 0)
            d.available = (True, False)
            d.start("a")
            assert d.engine.live == 1

    asyncio.run(scenario())


# -- time -------------------------------------------------------------------------------------------------------------


def test_an_idle_connection_says_so_once_and_closes() -> None:
    """The error, then the closing; while that is on its way nothing more piles up."""

    async def scenario() -> None:
        async with driven(limits=SessionLimits(idle_s=0.01)) as d:
            error = await d.next()
            assert isinstance(error, wire.Error) and error.code == "idle_timeout"
            assert await d.next() == Closing(1000, "idle_timeout")
            await let_others_run()
            assert d.connection.waiting_bytes == 0

    asyncio.run(scenario())


def test_a_closed_connection_is_no_longer_idle() -> None:
    """Its timer is gone: one that was opened after it times out, and it has said nothing."""

    async def scenario() -> None:
        async with driven(limits=SessionLimits(idle_s=0.1)) as closed:
            closed.connection.close()
            async with driven(limits=SessionLimits(idle_s=0.2)) as later:
                assert isinstance(await later.next(), wire.Error)
            assert closed.connection.waiting_bytes == 0

    asyncio.run(scenario())
