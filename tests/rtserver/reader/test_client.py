"""The reader process with the real front end of the embedded voice."""

import asyncio
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.lexicon_entry import LexiconEntry
from cosyvoice.models import NANO
from rtserver.ipc.engine import Failed
from rtserver.ipc.process import Progress
from rtserver.ipc.reading import OpenText, Read, Segment
from rtserver.processes.child import ChildError
from rtserver.processes.program import Program
from rtserver.reader.client import ClientText, ReaderClient
from rtserver.reader.text_front import TextFront, engine_segments
from tests.rtserver.serving import eventually

TEXT = "Dr. Smith paid $1,250.50 on May 5, 2024. 今天天气很好，我们一起去公园。 Then everybody went home"


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as made:
        yield made


@pytest.fixture(scope="module")
def readers(runner: asyncio.Runner) -> Iterator[ReaderClient]:
    told: list[Progress] = []
    made = runner.run(ReaderClient.start(NANO, ["en", "zh"], told.append))
    assert [p.text for p in told] == ["loading en", "loading zh", "ready"]
    yield made
    assert made.live == 0
    runner.run(made.close())


class Heard:
    """What comes back of one text."""

    def __init__(self) -> None:
        self.segments: list[Segment] = []
        self.boundaries = 0
        self.failed: Failed | None = None

    def __call__(self, read: Read | Failed) -> None:
        if isinstance(read, Failed):
            self.failed = read
            return
        self.segments += read.segments
        self.boundaries = read.boundaries

    def open(self, readers: ReaderClient, name: str, *, words: bool = False, language: str | None = None) -> ClientText:
        return readers.open(OpenText(name, language, words), self)


def whole(text: str, *, words: bool) -> list[Segment]:
    stream = TextFront(ModelConfig.load(NANO)).stream(words=words)
    return engine_segments([*stream.feed(text), *stream.end()])


@pytest.mark.engine
@pytest.mark.parametrize("words", [False, True])
def test_ids_are_those_of_the_text_read_here(runner: asyncio.Runner, readers: ReaderClient, words: bool) -> None:
    """Character by character through the process gives the segments of the whole text read at once; with the end all
    is forgotten."""

    async def read() -> Heard:
        heard = Heard()
        text = heard.open(readers, "a", words=words)
        for character in TEXT:
            text.write(character)
        text.end()
        await eventually(lambda: heard.boundaries == 1)
        return heard

    assert runner.run(read()).segments == whole(TEXT, words=words)


@pytest.mark.engine
def test_a_text_has_its_own_lexicon(runner: asyncio.Runner, readers: ReaderClient) -> None:
    """Its entries reach the process; another text has none of them."""
    lexicon = [LexiconEntry("GIF", say="jiff")]

    async def read() -> list[str]:
        spoken = []
        for opening in (OpenText("a", lexicon=lexicon), OpenText("b")):
            heard = Heard()
            text = readers.open(opening, heard)
            text.write("GIF.")
            text.end()
            await eventually(lambda: heard.boundaries == 1)  # noqa: B023
            spoken.append(heard.segments[0].spoken)
        return spoken

    with_entry, without = runner.run(read())
    assert with_entry == "ʤˈɪf."
    assert without != with_entry


@pytest.mark.engine
def test_boundaries_are_answered_after_their_text(runner: asyncio.Runner, readers: ReaderClient) -> None:
    """A flush is counted when the segments before it have come; a commit may give part of a clause."""

    async def read() -> None:
        heard = Heard()
        text = heard.open(readers, "a")
        text.write("Nobody could tell me wh")
        text.commit()
        await eventually(lambda: heard.boundaries == 1)
        assert [s.text for s in heard.segments] == ["Nobody could tell me"]
        text.write("y so")
        text.flush()
        await eventually(lambda: heard.boundaries == 2)
        assert [s.text for s in heard.segments] == ["Nobody could tell me", "why so"]
        text.drop()
        text.write("nothing")
        text.end()

    runner.run(read())


@pytest.mark.engine
def test_a_long_text_delays_nobody(runner: asyncio.Runner, readers: ReaderClient) -> None:
    """A sentence is read while 20,000 characters of Mandarin are under way."""

    async def read() -> tuple[int, int]:
        long, short = Heard(), Heard()
        mandarin = "今天天气很好，我们一起去公园散步。" * 1200
        first = long.open(readers, "long")
        first.write(mandarin[:20_000])
        first.end()
        await eventually(lambda: len(long.segments) > 0)
        second = short.open(readers, "short")
        second.write("Hello there, friend.")
        second.end()
        await eventually(lambda: short.boundaries == 1)
        before = len(long.segments)
        await eventually(lambda: long.boundaries == 1, 60)
        return before, len(long.segments)

    before, after = runner.run(read())
    assert before < after / 2


@pytest.mark.engine
def test_a_killed_reader_is_replaced_and_nothing_is_lost(runner: asyncio.Runner, readers: ReaderClient) -> None:
    """Every segment comes once and in order, and every mark; text written meanwhile too. A second death of which
    nobody is suspected is survived as well."""

    def kill() -> None:
        assert readers.processes["reader"].pid is not None
        os.kill(readers.processes["reader"].pid, signal.SIGKILL)

    async def read() -> None:
        heard, fresh = Heard(), Heard()
        text = heard.open(readers, "a", words=True)
        half = len(TEXT) // 2
        text.write(TEXT[:half])
        text.flush()
        await eventually(lambda: heard.boundaries == 1)
        before = list(heard.segments)
        kill()
        text.write(TEXT[half:])
        await eventually(lambda: not readers.ready)
        other = fresh.open(readers, "b")
        other.write("Hello there.")
        await eventually(lambda: readers.ready, 60)
        text.flush()
        await eventually(lambda: heard.boundaries == 2)
        assert heard.segments[: len(before)] == before
        expected = [s.text for s in whole(TEXT[:half], words=True) + whole(TEXT[half:], words=True)]
        assert [s.text for s in heard.segments] == expected
        assert [s.start for s in heard.segments] == sorted({s.start for s in heard.segments})
        kill()
        await eventually(lambda: not readers.ready)
        await eventually(lambda: readers.ready, 60)
        text.drop()
        other.end()
        await eventually(lambda: fresh.boundaries == 1)
        assert [s.text for s in fresh.segments] == ["Hello there."]

    runner.run(read())
    assert readers.processes["reader"].deaths == 2


def test_deaths_before_a_text_was_told_are_not_counted(runner: asyncio.Runner) -> None:
    """A text may be opened when the socket is gone and the death is not told yet."""

    async def read() -> Heard:
        heard = Heard()
        readers = ReaderClient(Program("reader", ("-c", "")), lambda progress: None, verbose=False)  # never begun
        text = heard.open(readers, "a")
        for _ in range(3):
            readers.on_down("reader", "killed")
        text.drop()
        await readers.close()
        return heard

    assert runner.run(read()).failed is None


@pytest.mark.engine
def test_a_reader_that_cannot_start_says_why(runner: asyncio.Runner, tmp_path: Path) -> None:
    """The error names the file."""
    for path in NANO.iterdir():
        if path.name != "phonemes.json":
            (tmp_path / path.name).symlink_to(path)
    for path in NANO.iterdir():
        if "phoneme" in path.name or "token" in path.name:
            (tmp_path / path.name).unlink(missing_ok=True)
            (tmp_path / path.name).write_text("{")
    with pytest.raises(ChildError, match="the reader process: CheckpointError"):
        runner.run(ReaderClient.start(tmp_path, ["en"]))
