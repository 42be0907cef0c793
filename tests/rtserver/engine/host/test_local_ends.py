"""How engines and utterances end: by processes that die twice, by closing, by a checkpoint that cannot be loaded."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from cosyvoice.models import NANO
from rtserver.engine.api import EngineError, Event
from rtserver.engine.host.local import LocalEngine
from rtserver.ipc.engine import Audio, Done, Failed, Open
from rtserver.ipc.process import Progress
from rtserver.processes.child import ChildError
from rtserver.reader.text_front import TextFront
from tests.rtserver.engine.host.engine_options import local_options
from tests.rtserver.engine.host.speaking import process_ids, read, speak
from tests.rtserver.engine.host.test_local import TEXTS
from tests.rtserver.serving import eventually

pytestmark = pytest.mark.engine


@pytest.fixture(scope="module")
def engine(runner: asyncio.Runner, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """An engine of this file's own: the last test that uses it closes it."""
    made = runner.run(LocalEngine.start(local_options(NANO, tmp_path_factory.mktemp("cache"))))
    yield made
    runner.run(made.close())


def test_an_utterance_that_may_be_the_cause_fails(
    runner: asyncio.Runner, engine: LocalEngine, front: TextFront
) -> None:
    """One that was there alone at two deaths of a process fails with engine_lost and an incident, and so does its text
    when it comes again; so does one that waits for longer than recovery_s. The engine itself recovers."""

    async def kill_twice() -> tuple[list[Event], list[Event], list[Event]]:
        def kill(event: Event) -> None:
            if isinstance(event, Audio):
                pid = engine.processes["acoustic"].pid
                assert pid is not None
                os.kill(pid, signal.SIGKILL)

        twice = await speak(engine, Open("u", "英文女"), read(front, " ".join(TEXTS)), kill)
        await eventually(lambda: engine.ready, 60)
        again = await speak(engine, Open("again", "英文女"), read(front, " ".join(TEXTS)))
        recovery_s, engine.ledger.recovery_s = engine.ledger.recovery_s, 0.2
        late = await speak(engine, Open("v", "英文女"), read(front, " ".join(TEXTS[1:])), kill)
        await eventually(lambda: engine.ready, 60)
        engine.ledger.recovery_s = recovery_s
        assert isinstance((await speak(engine, Open("w", "英文女"), read(front, TEXTS[1])))[-1], Done)
        return twice, again, late

    twice, again, late = (events[-1] for events in runner.run(kill_twice()))
    for failed, pattern in (
        (
            twice,
            r"lost each time it worked on this utterance \(i_[a-z2-7]{12}\): the same text or recording is refused",
        ),
        (again, r"lost over the same text or recording"),
        (late, r"\(i_[a-z2-7]{12}\): start it again"),
    ):
        assert isinstance(failed, Failed) and failed.code == "engine_lost"
        assert re.search(pattern, failed.message)


def test_a_closed_engine_takes_nothing(runner: asyncio.Runner, engine: LocalEngine, front: TextFront) -> None:
    """Closing fails what is open, ends both processes and refuses what comes later."""

    async def close() -> list[Event]:
        pids = process_ids(engine)
        seen: list[Event] = []
        utterance = engine.open(Open("open", "英文女"), seen.append)
        utterance.feed(read(front, TEXTS[0]))
        await engine.close()
        assert not engine.ready
        for pid in pids:
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)
        with pytest.raises(EngineError, match="closed"):
            engine.open(Open("later", "英文女"), seen.append)
        utterance.end()
        return seen

    failed = runner.run(close())[-1]
    assert isinstance(failed, Failed) and failed.code == "engine_lost"


def test_a_broken_checkpoint_stops_the_start_by_name(runner: asyncio.Runner, tmp_path: Path) -> None:
    """The error names the broken file; both processes are gone afterwards; progress was told."""
    for path in NANO.iterdir():
        (tmp_path / path.name).symlink_to(path)
    (tmp_path / "flow.safetensors").unlink()
    (tmp_path / "flow.safetensors").write_bytes(b"\x10\x00")
    told: list[Progress] = []
    with pytest.raises(ChildError, match=r"flow\.safetensors: expected a complete state dict, found 2 bytes"):
        runner.run(LocalEngine.start(local_options(tmp_path), told.append))
    assert {p.part for p in told} <= {"acoustic", "talker"} and told


def test_on_a_gpu_the_acoustic_process_waits_for_the_talker(runner: asyncio.Runner, tmp_path: Path) -> None:
    """A talker that cannot start ends the start before the acoustic process has begun."""
    for path in NANO.iterdir():
        if not path.name.startswith("llm."):
            (tmp_path / path.name).symlink_to(path)
    told: list[Progress] = []
    with pytest.raises(ChildError, match=r"llm\."):
        runner.run(LocalEngine.start(local_options(tmp_path, talker_first=True), told.append))
    assert {p.part for p in told} == {"talker"}
