"""One run of a small real program, from start to death."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from rtserver.ipc.engine import Cancel, Hungry
from rtserver.ipc.message import Message
from rtserver.ipc.process import Progress
from rtserver.processes.child import Child
from rtserver.processes.program import Program
from rtserver.processes.watch import WatchLimits
from tests.rtserver.processes.programs import is_there, open_files, program
from tests.rtserver.serving import eventually

pytestmark = pytest.mark.engine

HERE = "port.send(Progress('tone', 'here'))\n"
WAIT = HERE + "time.sleep(1000)\n"
OBEY = HERE + "while not isinstance(inbox.get(), Shutdown): pass\nopen(sys.argv[1], 'w').write('ended')\n"
IS_HERE = Progress("tone", "here")


@contextlib.asynccontextmanager
async def running(
    what: Program, *, patient: bool = False, verbose: bool = False
) -> AsyncIterator[tuple[Child, list[Message]]]:
    """A child that has said something, and what came from it. After the block it is stopped and nothing is left."""
    before = open_files()
    came: list[Message] = []
    child = await Child.start(what, came.append, verbose=verbose)
    try:
        await eventually(lambda: came != [])
        yield child, came
    finally:
        await child.stop(patient=patient)
    assert not is_there(child.pid) and not child.alive
    await eventually(lambda: open_files() == before)


async def death(child: Child) -> str:
    return await asyncio.wait_for(child.died(), 20)


@pytest.mark.parametrize("patient", [False, True])
def test_a_child_that_was_killed_leaves_nothing(patient: bool) -> None:
    """Its death is told by the signal; stopping it then only gives back what it held."""

    async def scenario() -> None:
        async with running(program(WAIT), patient=patient) as (child, _):
            assert child.alive
            os.kill(child.pid, signal.SIGKILL)
            assert await death(child) == "the tone process was killed by signal 9"
            assert not child.alive
            child.send(Cancel("a"))
            assert child.unsent_bytes == 0

    asyncio.run(scenario())


def test_one_that_hangs_up_is_ended() -> None:
    """A process without its socket is of no use: it is killed, and the reason says what it did."""

    async def scenario() -> None:
        code = HERE + "port.close()\nprint('still busy')\ntime.sleep(1000)\n"
        async with running(program(code)) as (child, _):
            assert await death(child) == (
                "the tone process was killed by signal 9 (it closed its socket); its last output:\n  | still busy"
            )
            assert not is_there(child.pid)

    asyncio.run(scenario())


def test_one_that_sends_nonsense_is_ended() -> None:
    """Bytes that are no message end the process; the reason says so."""

    async def scenario() -> None:
        code = HERE + "inbox.get()\nport._sock.sendall(bytes([1, 0, 0, 0, 193]))\ntime.sleep(1000)\n"
        async with running(program(code)) as (child, came):
            child.send(Cancel("a"))
            reason = await death(child)
            assert reason.startswith("the tone process was killed by signal 9 (it sent no message: expected a msgpack")
            assert came == [IS_HERE]

    asyncio.run(scenario())


def test_a_grandchild_that_lives_on_holds_nothing() -> None:
    """One that inherited output and socket keeps neither the death from being told nor anything open here."""

    async def scenario() -> None:
        code = """
sleeper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"], close_fds=False)
print("started")
port.send(Progress("tone", str(sleeper.pid)))
inbox.get()
os._exit(3)
"""
        async with running(program(code)) as (child, came):
            assert isinstance(came[0], Progress)
            sleeper = int(came[0].text)
            try:
                child.send(Cancel("a"))
                reason = await death(child)
                assert reason == "the tone process ended with exit status 3; its last output:\n  | started"
                await child.stop(patient=True)
                assert is_there(sleeper)
            finally:
                os.kill(sleeper, signal.SIGKILL)

    asyncio.run(scenario())


def test_last_words_go_before_the_last_output() -> None:
    """A Fatal is the reason, whatever else was said and printed, and it is no message for the owner."""

    async def scenario() -> None:
        code = HERE + "print('noise')\nport.send(Fatal('acoustic', 'no memory'))\nport.send(Hungry('a'))\nsys.exit(1)\n"
        async with running(program(code)) as (child, came):
            assert await death(child) == "the acoustic process: no memory"
            assert came == [IS_HERE, Hungry("a")]

    asyncio.run(scenario())


@pytest.mark.parametrize("patient", [True, False])
def test_a_patient_stop_lets_it_end_by_itself(patient: bool, tmp_path: Path) -> None:
    """It is asked to end and does; an impatient stop does not ask."""

    async def scenario() -> None:
        async with running(program(OBEY, str(tmp_path / "end")), patient=patient):
            pass
        assert (tmp_path / "end").exists() is patient

    asyncio.run(scenario())


@pytest.mark.parametrize("patient", [True, False])
def test_one_that_does_not_end_is_ended(patient: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that takes no notice of Shutdown is gone all the same; an impatient stop does not wait for that."""
    monkeypatch.setattr("rtserver.processes.child.STOP_GRACE_S", 0.05 if patient else 1000.0)

    async def scenario() -> None:
        async with running(program(WAIT), patient=patient) as (child, _):
            assert child.alive

    asyncio.run(scenario())


SOON = WatchLimits(interval_s=0.05, quiet_s=0.5, turn_cpu_s=0.5, start_s=1000.0)
LISTEN = HERE + "while not isinstance(inbox.get(), Shutdown): pass\n"


def test_one_that_was_stopped_is_ended() -> None:
    """SIGSTOP leaves a process that is there and does nothing: it is killed, and the reason says so. Until then it was
    well, though it had nothing to do for longer than the limit."""

    async def scenario() -> None:
        async with running(program(LISTEN, limits=SOON)) as (child, _):
            await asyncio.sleep(2 * SOON.quiet_s)
            assert child.alive
            os.kill(child.pid, signal.SIGSTOP)
            assert await death(child) == "the tone process hung and was killed: it was stopped by a signal for 0.5 s"

    asyncio.run(scenario())


def test_one_whose_working_thread_waits_for_ever_is_ended() -> None:
    """Other threads answer; the working one waits for what never comes. The reason names its work."""

    async def scenario() -> None:
        code = HERE + "import threading\ninbox.get()\ninbox.work = 'a riddle'\n"
        code += "lock = threading.Lock()\nlock.acquire()\nlock.acquire()\n"
        async with running(program(code, limits=SOON)) as (child, _):
            child.send(Cancel("a"))
            reason = "nothing of it worked for 0.5 s, at work on a riddle"
            assert await death(child) == f"the tone process hung and was killed: {reason}"

    asyncio.run(scenario())


def test_one_that_never_comes_to_an_end_is_ended() -> None:
    """Work without end uses more processor time than a piece of work may."""

    async def scenario() -> None:
        async with running(program(HERE + "inbox.get()\nwhile True: pass\n", limits=SOON)) as (child, _):
            child.send(Cancel("a"))
            reason = "one piece of work took more than 0.5 s of processor time"
            assert await death(child) == f"the tone process hung and was killed: {reason}"

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "work",
    [
        "while time.monotonic() < end: pass\n",  # it answers, but takes no turn
        # Nothing of its own runs: it waits for a program that it started.
        "subprocess.run([sys.executable, '-c', 'import time, sys\\nwhile time.monotonic() < %f: pass' % end])\n",
    ],
)
def test_long_work_is_not_ended(work: str) -> None:
    """For three times the limit it does not look for messages, and goes on as if nothing was."""

    async def scenario() -> None:
        code = HERE + "inbox.get()\nend = time.monotonic() + 1.5\n" + work + "port.send(Hungry('a'))\ninbox.get()\n"
        limits = dataclasses.replace(SOON, turn_cpu_s=100.0)
        async with running(program(code, limits=limits)) as (child, came):
            child.send(Cancel("a"))
            await eventually(lambda: Hungry("a") in came)
            assert child.alive

    asyncio.run(scenario())


def test_a_stopped_program_without_messages_is_ended() -> None:
    """One that is not asked for a pulse is looked at all the same; it may wait for as long as it likes."""

    async def scenario() -> None:
        child = await Child.start(program("time.sleep(1000)\n", limits=SOON))
        try:
            await asyncio.sleep(2 * SOON.quiet_s)
            assert is_there(child.pid)
            os.kill(child.pid, signal.SIGSTOP)
            assert await asyncio.get_running_loop().sock_recv(child.socket, 1) == b""
        finally:
            await child.stop(patient=False)

    asyncio.run(scenario())


def test_a_stop_that_is_cancelled_kills() -> None:
    """Whoever has no patience left cancels: the process is dead then, whatever it was doing."""

    async def scenario() -> None:
        async with running(program(WAIT)) as (child, _):
            stopping = asyncio.create_task(child.stop(patient=True))
            await asyncio.sleep(0)
            stopping.cancel()
            await asyncio.wait([stopping])
            assert stopping.cancelled()
            await eventually(lambda: not is_there(child.pid))

    asyncio.run(scenario())


def test_a_program_runs_as_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """It gets its threads, a lower priority, output that is not held back, and nothing to read."""
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)

    async def scenario() -> None:
        code = HERE + (
            "inbox.get()\n"
            "what = [os.environ['OMP_NUM_THREADS'], os.environ['PYTHONUNBUFFERED'], sys.stdin.read()]\n"
            "port.send(Progress(' '.join(what), str(os.getpriority(os.PRIO_PROCESS, 0))))\n"
        )
        async with running(program(code, threads=3, nice=2)) as (child, came):
            child.send(Cancel("a"))
            await eventually(lambda: len(came) == 2)
            nice = min(19, os.getpriority(os.PRIO_PROCESS, 0) + 2)
            assert came[1] == Progress("3 1 ", str(nice))

    asyncio.run(scenario())


def test_the_last_lines_are_kept() -> None:
    """Of a long output the last 40 lines stay, one that has no end too; bytes that are no text do no harm."""

    async def scenario() -> None:
        code = HERE + ("for i in range(100): print('line', i)\nsys.stdout.buffer.write(b'half \\xff')\nsys.exit(3)\n")
        async with running(program(code)) as (child, _):
            heading, *lines = (await death(child)).split("\n")
            assert heading == "the tone process ended with exit status 3; its last output:"
            assert lines == [*(f"  | line {i}" for i in range(61, 100)), "  | half \N{REPLACEMENT CHARACTER}"]

    asyncio.run(scenario())


def test_a_verbose_child_is_heard(capsys: pytest.CaptureFixture[str]) -> None:
    """Its output is passed on line by line, with its name; a quiet one's is not."""

    async def scenario(verbose: bool) -> None:
        code = "print('loading')\nprint('careful', file=sys.stderr)\n" + HERE
        async with running(program(code), verbose=verbose) as (child, _):
            await death(child)

    asyncio.run(scenario(True))
    assert capsys.readouterr().err == "[tone] loading\n[tone] careful\n"
    asyncio.run(scenario(False))
    assert capsys.readouterr().err == ""
