"""Voices prepared by a small real program."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rtserver.engine.host.preparing import Preparing
from rtserver.ipc.preparing import PreparationKey, Prepare, Prepared, Recording
from rtserver.processes.program import Program
from tests.rtserver.processes.programs import is_there, open_files, program
from tests.rtserver.serving import eventually

pytestmark = pytest.mark.engine

# Each process adds a line with its number to the file in sys.argv[1].
COUNTED = "print(os.getpid(), file=open(sys.argv[1], 'a'))\n"
# Answers each request; the voice `nobody` with an error.
ANSWER = (
    COUNTED
    + """
while isinstance(message := inbox.get(), Prepare):
    code = "unknown_voice" if message.key.what == "nobody" else ""
    port.send(Prepared(message.key, code, "who is that?" if code else ""))
"""
)
# Takes requests and answers none.
SILENT = COUNTED + "while isinstance(inbox.get(), Prepare): pass\n"
# When it has ended, its output has not: a program that it started keeps it for longer than anybody waits.
SLOW_TO_END = "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(2)'])\n"
DYING = COUNTED + "inbox.get()\nsys.exit('no such model')\n"


def voice_key(name: str) -> PreparationKey:
    return PreparationKey("voice", name)


class Preparations:
    """A Preparing, its answers, and the processes it has started."""

    def __init__(self, code: str, pids: Path) -> None:
        self.answers: list[Prepared] = []
        self.pids_file = pids
        self.preparing = Preparing(self.what(code), self.answer)

    def what(self, code: str) -> Program:
        return program(code, str(self.pids_file))

    def answer(self, prepared: Prepared) -> None:
        self.answers.append(prepared)

    def request(self, *voices: str) -> None:
        for voice in voices:
            self.preparing.request(Prepare(voice_key(voice)))

    @property
    def pids(self) -> list[int]:
        return [int(line) for line in self.pids_file.read_text().split()] if self.pids_file.exists() else []

    @property
    def running(self) -> list[int]:
        return [pid for pid in self.pids if is_there(pid)]


@contextlib.asynccontextmanager
async def preparations(code: str, folder: Path, kind: type[Preparations] = Preparations) -> AsyncIterator[Preparations]:
    """Behind the block it is closed: no process and no file descriptor of it may be left, and no task."""
    before, tasks = open_files(), asyncio.all_tasks()
    made = kind(code, folder / "pids")
    try:
        yield made
    finally:
        await made.preparing.close()
    assert made.running == []
    assert asyncio.all_tasks() == tasks
    await eventually(lambda: open_files() == before)


def test_every_wanted_voice_is_answered(tmp_path: Path) -> None:
    """Requests that come while the process starts are all answered, as the process answers them, in order."""

    async def scenario() -> None:
        async with preparations(ANSWER, tmp_path) as one:
            one.request("a", "nobody", "b")
            assert one.answers == []
            await eventually(lambda: len(one.answers) == 3)
            assert one.answers == [
                Prepared(voice_key("a")),
                Prepared(voice_key("nobody"), "unknown_voice", "who is that?"),
                Prepared(voice_key("b")),
            ]

    asyncio.run(scenario())


def test_the_process_lives_as_long_as_it_is_wanted(tmp_path: Path) -> None:
    """Nothing runs before the first request and after the last answer; the next request starts another."""

    async def scenario() -> None:
        async with preparations(ANSWER, tmp_path) as one:
            assert one.pids == []
            for count in (1, 2, 3):
                one.request("a")
                await eventually(lambda: len(one.answers) == count)  # noqa: B023
                await eventually(lambda: one.running == [])
                assert one.answers == [Prepared(voice_key("a"))] * count and len(one.pids) == count

    asyncio.run(scenario())


def test_a_running_process_takes_more(tmp_path: Path) -> None:
    """A request that comes while others are being prepared goes to the same process."""

    async def scenario() -> None:
        code = COUNTED + "first, second = inbox.get(), inbox.get()\nport.send(Prepared(second.key))\ninbox.get()\n"
        async with preparations(code, tmp_path) as one:
            one.request("a")
            await eventually(lambda: one.running != [])
            one.request("b")
            await eventually(lambda: one.answers == [Prepared(voice_key("b"))])
            assert len(one.pids) == 1 and one.running == one.pids

    asyncio.run(scenario())


def test_a_voice_that_is_wanted_twice_is_answered_once(tmp_path: Path) -> None:
    """What was asked for again before the answer is answered by it; an answer that nobody wants is dropped."""

    async def scenario() -> None:
        code = COUNTED + (
            "inbox.get()\ninbox.get()\n"
            "for voice in ('stranger', 'a', 'a', 'b'): port.send(Prepared(PreparationKey('voice', voice)))\n"
            "inbox.get()\n"
        )
        async with preparations(code, tmp_path) as one:
            one.request("a", "a", "b")
            await eventually(lambda: one.running == [] and len(one.answers) >= 2)
            assert one.answers == [Prepared(voice_key("a")), Prepared(voice_key("b"))]

    asyncio.run(scenario())


def test_a_death_answers_every_wanted_voice(tmp_path: Path) -> None:
    """When the process dies over each voice, each fails with `internal`, its name and the reason."""

    async def scenario() -> None:
        async with preparations(DYING, tmp_path) as one:
            one.request("a", "b")
            await eventually(lambda: len(one.answers) == 2)
            reason = "the tone process ended with exit status 1; its last output:\n  | no such model"
            assert one.answers == [Prepared(voice_key(v), "internal", f"voice {v}: {reason}") for v in ("a", "b")]
            await eventually(lambda: one.running == [])
            one.request("c")
            await eventually(lambda: len(one.answers) == 3)
            assert one.answers[2] == Prepared(voice_key("c"), "internal", f"voice c: {reason}")
            assert len(one.pids) == 4  # one died over both voices

    asyncio.run(scenario())


# Dies of the voice `bad`, as soon as it reads of it.
POISONED = COUNTED + (
    "while isinstance(message := inbox.get(), Prepare):\n"
    "    if message.key.what == 'bad': sys.exit('poison')\n"
    "    port.send(Prepared(message.key))\n"
)


def test_only_what_ends_the_process_fails(tmp_path: Path) -> None:
    """The others are prepared by the next ones. What ended two processes is refused for a while."""

    async def scenario() -> None:
        async with preparations(POISONED, tmp_path) as one:
            one.request("a", "bad", "b", "c")
            await eventually(lambda: len(one.answers) == 4)
            failed = [answer for answer in one.answers if answer.code]
            reason = "voice bad: the tone process ended with exit status 1; its last output:\n  | poison"
            assert failed == [Prepared(voice_key("bad"), "internal", reason)]
            assert sorted(a.key.what for a in one.answers) == ["a", "b", "bad", "c"]
            await eventually(lambda: one.running == [])
            processes = len(one.pids)
            one.request("bad")
            await eventually(lambda: len(one.answers) == 5)
            assert one.answers[4].code == "engine_lost" and "the preparer was lost over it" in one.answers[4].message
            assert len(one.pids) == processes

    asyncio.run(scenario())


def test_a_preparation_that_takes_too_long_fails(tmp_path: Path) -> None:
    """The process lets go of it, and goes on with others."""

    async def scenario() -> None:
        code = COUNTED + (
            "while not isinstance(message := inbox.get(), Shutdown | Lost):\n"
            "    if message.key.what != 'slow': port.send(Prepared(message.key))\n"
        )
        async with preparations(code, tmp_path, Impatient) as one:
            one.request("slow")
            await eventually(lambda: len(one.answers) == 1)
            what = "voice slow: it was not prepared within 0.2 s: send it again later"
            assert one.answers == [Prepared(voice_key("slow"), "engine_lost", what)]
            # The length of a recording is added to the limit.
            one.preparing.request(Prepare(voice_key("a"), Recording(b"\0\0", 16000, "a", 60.0)))
            await eventually(lambda: one.answers[1:] == [Prepared(voice_key("a"))])

    asyncio.run(scenario())


def test_voices_that_were_answered_survive_a_death(tmp_path: Path) -> None:
    """Only what was not answered before the death fails."""

    async def scenario() -> None:
        code = (
            COUNTED + "port.send(Prepared(inbox.get().key))\nport.send(Fatal('preparer', 'no memory'))\nsys.exit(1)\n"
        )
        async with preparations(code, tmp_path) as one:
            one.request("a", "b")
            await eventually(lambda: len(one.answers) == 2)
            assert one.answers == [
                Prepared(voice_key("a")),
                Prepared(voice_key("b"), "internal", "voice b: the preparer process: no memory"),
            ]

    asyncio.run(scenario())


def test_a_program_that_cannot_be_run_answers_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without its interpreter each voice fails by name; when it is back, the next request is served."""

    async def scenario() -> None:
        async with preparations(ANSWER, tmp_path) as one:
            with monkeypatch.context() as patch:
                patch.setattr(sys, "executable", str(tmp_path / "python"))
                one.request("a", "b")
                await eventually(lambda: len(one.answers) == 2)
            assert [(a.key.what, a.code) for a in one.answers] == [("a", "internal"), ("b", "internal")]
            assert "the tone process cannot be started" in one.answers[0].message
            one.request("a")
            await eventually(lambda: one.answers[2:] == [Prepared(voice_key("a"))])

    asyncio.run(scenario())


class Impatient(Preparations):
    """Waits 0.2 s for each voice."""

    def __init__(self, code: str, pids: Path) -> None:
        super().__init__(code, pids)
        self.preparing = Preparing(self.what(code), self.answer, stalled_s=0.2)


class Insatiable(Preparations):
    """Asks for another voice in each of the first answers, as late as can be."""

    def answer(self, prepared: Prepared) -> None:
        super().answer(prepared)
        if len(self.answers) < 4:
            asyncio.get_running_loop().call_soon(self.request, f"more {len(self.answers)}")


@pytest.mark.parametrize("code", [ANSWER, DYING])
def test_what_is_wanted_in_the_last_moment_is_answered_too(code: str, tmp_path: Path) -> None:
    """A request that comes while the process is about to end is served by it or by the next one, once."""

    async def scenario() -> None:
        async with preparations(code, tmp_path, Insatiable) as one:
            one.request("a")
            await eventually(lambda: len(one.answers) == 4)
            await eventually(lambda: one.running == [])
            assert [a.key.what for a in one.answers] == ["a", "more 1", "more 2", "more 3"]

    asyncio.run(scenario())


def test_while_one_process_ends_only_one_other_begins(tmp_path: Path) -> None:
    """Requests that come while the old process takes its time to end wait for one new process, not for several."""

    async def scenario() -> None:
        async with preparations(SLOW_TO_END + ANSWER, tmp_path) as one:
            one.request("a")
            await eventually(lambda: len(one.answers) == 1 and one.running == [])
            one.request("b", "c")
            assert [task.get_name() for task in asyncio.all_tasks()].count("preparer") == 1
            await eventually(lambda: len(one.answers) == 3)
            await eventually(lambda: one.running == [])
            assert (
                one.answers == [Prepared(voice_key("a")), Prepared(voice_key("b")), Prepared(voice_key("c"))]
                and len(one.pids) == 2
            )

    asyncio.run(scenario())


def test_closing_ends_a_process_that_is_ending(tmp_path: Path) -> None:
    """Closing waits for the end of a process that is not wanted any more."""

    async def scenario() -> None:
        async with preparations(SLOW_TO_END + ANSWER, tmp_path) as one:
            one.request("a")
            await eventually(lambda: len(one.answers) == 1 and one.running == [])
            one.request("b")
        assert one.answers == [Prepared(voice_key("a"))] and len(one.pids) == 1

    asyncio.run(scenario())


@pytest.mark.parametrize("started", [False, True])
def test_closing_answers_nothing(started: bool, tmp_path: Path) -> None:
    """A process that is starting or at work ends, what was wanted is forgotten, and what comes later starts nothing."""

    async def scenario() -> None:
        async with preparations(SILENT, tmp_path) as one:
            one.request("a")
            if started:
                await eventually(lambda: one.running != [])
            await one.preparing.close()
            tasks = asyncio.all_tasks()
            one.request("b")
            assert asyncio.all_tasks() == tasks
        assert one.answers == []

    asyncio.run(scenario())
