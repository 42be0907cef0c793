"""Recordings on their way to a small real program: what is dismissed, and what must wait for room."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rtserver.engine.host import preparing
from rtserver.ipc.preparing import PreparationKey, Prepare, Prepared, Recording
from tests.rtserver.engine.host.test_preparing import COUNTED, DYING, preparations
from tests.rtserver.serving import eventually

pytestmark = pytest.mark.engine

# Notes what comes in the file beside the one with its number; answers a source when there is a file of its name.
NOTING = (
    COUNTED
    + """
from pathlib import Path
notes, jobs = open(sys.argv[1] + "-notes", "a", buffering=1), []
while True:
    try: message = inbox.get(timeout=0.01)
    except queue.Empty: message = None
    if isinstance(message, Prepare):
        print("prepare", message.key.what, message.recording and len(message.recording.pcm), file=notes)
        jobs.append(message.key)
    elif isinstance(message, Dismiss):
        print("dismiss", message.key.what, file=notes)
        if message.key in jobs:
            jobs.remove(message.key)
            port.send(message)
    elif message is not None:
        break
    for key in [k for k in jobs if Path(sys.argv[1] + "-" + k.what).exists()]:
        jobs.remove(key)
        port.send(Prepared(key, pieces=[[1]]))
"""
)


def source_key(digest: str) -> PreparationKey:
    return PreparationKey("source", digest)


def source(name: str, size: int = 10) -> Prepare:
    return Prepare(source_key(name), Recording(b"\0" * size, 16000, name))


def notes(folder: Path) -> list[str]:
    """What the program was told so far."""
    path = folder / "pids-notes"
    return path.read_text().splitlines() if path.exists() else []


def test_a_recording_goes_with_its_samples(tmp_path: Path) -> None:
    """And its tokens come back."""

    async def scenario() -> None:
        async with preparations(NOTING, tmp_path) as one:
            one.preparing.request(source("a", 1000))
            await eventually(lambda: notes(tmp_path) == ["prepare a 1000"])
            assert one.preparing.wanted == 1
            (tmp_path / "pids-a").touch()
            await eventually(lambda: one.answers == [Prepared(source_key("a"), pieces=[[1]])])
            assert one.preparing.wanted == 0

    asyncio.run(scenario())


def test_the_last_one_that_is_dismissed_ends_the_process(tmp_path: Path) -> None:
    """There is no answer; dismissing it again, or a stranger, does nothing."""

    async def scenario() -> None:
        async with preparations(NOTING, tmp_path) as one:
            one.preparing.request(source("a"))
            await eventually(lambda: notes(tmp_path) == ["prepare a 10"])
            for name in ("stranger", "a", "a"):
                one.preparing.dismiss(source_key(name))
            await eventually(lambda: one.running == [])
            assert one.answers == [] and one.preparing.wanted == 0

    asyncio.run(scenario())


def test_one_that_is_dismissed_leaves_the_others(tmp_path: Path) -> None:
    """The process is told, and works on; what is wanted again is sent again, when the process has let go of it."""

    async def scenario() -> None:
        async with preparations(NOTING, tmp_path) as one:
            for name in "abc":
                one.preparing.request(source(name))
            await eventually(lambda: len(notes(tmp_path)) == 3)
            one.preparing.dismiss(source_key("b"))
            one.preparing.request(source("b"))
            await eventually(lambda: notes(tmp_path)[3:] == ["dismiss b", "prepare b 10"])
            for name in "cba":
                (tmp_path / f"pids-{name}").touch()
                await eventually(lambda: one.answers[-1:] == [Prepared(source_key(name), pieces=[[1]])])  # noqa: B023
            assert len(one.answers) == 3 and len(one.pids) == 1

    asyncio.run(scenario())


def test_what_was_dismissed_before_the_start_is_not_sent(tmp_path: Path) -> None:
    """The process gets only what is still wanted."""

    async def scenario() -> None:
        async with preparations(NOTING, tmp_path) as one:
            one.preparing.request(source("a"))
            one.preparing.request(source("b"))
            one.preparing.dismiss(source_key("a"))
            (tmp_path / "pids-b").touch()
            await eventually(lambda: one.answers == [Prepared(source_key("b"), pieces=[[1]])])
            assert notes(tmp_path) == ["prepare b 10"]

    asyncio.run(scenario())


def test_what_is_wanted_by_several_goes_once(tmp_path: Path) -> None:
    """A request for what the process is at already is answered by that."""

    async def scenario() -> None:
        async with preparations(NOTING, tmp_path) as one:
            one.preparing.request(source("a"))
            await eventually(lambda: len(notes(tmp_path)) == 1)
            one.preparing.request(source("a"))
            one.preparing.request(source("b"))
            await eventually(lambda: notes(tmp_path) == ["prepare a 10", "prepare b 10"])
            (tmp_path / "pids-a").touch()
            (tmp_path / "pids-b").touch()
            await eventually(lambda: len(one.answers) == 2 and one.running == [])

    asyncio.run(scenario())


def test_large_recordings_wait_for_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that does not read yet gets one of them, and what is small; the rest when there was an answer."""
    monkeypatch.setattr(preparing, "MAX_UNSENT_BYTES", 12 << 20)
    sleeping = "while not os.path.exists(sys.argv[1] + '-go'): time.sleep(0.01)\n"

    async def scenario() -> None:
        async with preparations(sleeping + NOTING, tmp_path) as one:
            for name in "ab":
                one.preparing.request(source(name, 8 << 20))
            one.preparing.request(Prepare(PreparationKey("voice", "anna")))
            one.preparing.request(source("c", 100))
            (tmp_path / "pids-go").touch()
            first = [f"prepare a {8 << 20}", "prepare anna None", "prepare c 100"]
            await eventually(lambda: notes(tmp_path) == first)
            (tmp_path / "pids-anna").touch()
            await eventually(lambda: notes(tmp_path)[3:] == [f"prepare b {8 << 20}"])
            for name in "abc":
                (tmp_path / f"pids-{name}").touch()
            await eventually(lambda: len(one.answers) == 4)
            assert not any(a.code for a in one.answers)

    asyncio.run(scenario())


def test_a_death_names_the_field(tmp_path: Path) -> None:
    """A recording has no name that its owner would know."""

    async def scenario() -> None:
        async with preparations(DYING, tmp_path) as one:
            one.preparing.request(source("digest"))
            one.preparing.request(Prepare(PreparationKey("recording", "other digest"), Recording(b"\0\0", 16000)))
            await eventually(lambda: len(one.answers) == 2)
            assert [a.code for a in one.answers] == ["internal"] * 2
            starts = [a.message.split(":")[0] for a in one.answers]
            assert starts == ["source_audio", "prompt_audio"]

    asyncio.run(scenario())
