"""A small real program that is kept running."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from pathlib import Path

import pytest

from rtserver.ipc.engine import Cancel, Hungry
from rtserver.ipc.message import Message
from rtserver.ipc.process import Progress
from rtserver.processes.child import ChildError
from tests.rtserver.processes.programs import is_there, program
from tests.rtserver.processes.supervised import ECHO, READY, SAY_READY, Told, pid_of, ready, supervised
from tests.rtserver.serving import eventually

pytestmark = pytest.mark.engine


def test_a_program_starts_and_is_ready_when_it_says_so() -> None:
    """Progress comes before, `on_up` gets the message of readiness, and only then is it ready."""

    async def scenario() -> None:
        code = "port.send(Progress('tone', 'loading'))\ninbox.get()\n" + ECHO
        async with supervised(program(code)) as (supervisor, told):
            await eventually(lambda: told.progress == [Progress("tone", "loading")])
            assert not supervisor.ready and not supervisor.first_ready.done() and told.up == []
            supervisor.send(Cancel("go"))
            await ready(supervisor)
            assert supervisor.ready and told.up == [READY]
            assert supervisor.health.ready and supervisor.health.deaths == 0 and supervisor.health.reason == ""
            assert is_there(pid_of(supervisor))

    asyncio.run(scenario())


def test_messages_pass_both_ways_in_order() -> None:
    """What is sent reaches the program, and what it says comes with its name."""

    async def scenario() -> None:
        async with supervised(program(ECHO)) as (supervisor, told):
            supervisor.send(Cancel("nobody is there yet"))
            await ready(supervisor)
            sent: list[Message] = [Cancel("a"), Hungry("b"), Cancel("c")]
            for message in sent:
                supervisor.send(message)
            await eventually(lambda: len(told.messages) == 3)
            assert told.messages == sent and supervisor.unsent_bytes == 0
            assert told.order == ["tone up", "tone message", "tone message", "tone message"]

    asyncio.run(scenario())


def test_a_killed_program_is_noticed_and_replaced() -> None:
    """A kill is told with its signal and another process takes over; what is sent goes to the new one."""

    async def scenario() -> None:
        async with supervised(program(ECHO)) as (supervisor, told):
            await ready(supervisor)
            first = pid_of(supervisor)
            os.kill(first, signal.SIGKILL)
            await eventually(lambda: len(told.up) == 2)
            assert not is_there(first) and pid_of(supervisor) != first and supervisor.ready
            assert told.order == ["tone up", "tone down", "tone up"]
            assert told.progress == [Progress("tone", f"lost ({told.down[0]}); it starts again in 0.01 s")]
            assert supervisor.health.deaths == 1
            assert supervisor.health.reason == "the tone process was killed by signal 9"
            supervisor.send(Cancel("a"))
            await eventually(lambda: told.messages == [Cancel("a")])

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "last_words",
    [
        "print('SECRET /srv/keys u_another')\nos._exit(1)\n",
        "port.send(Fatal('tone', 'SECRET /srv/keys'))\nos._exit(1)\n",
    ],
    ids=["printed", "sent"],
)
def test_what_a_process_said_goes_to_the_log_alone(last_words: str, caplog: pytest.LogCaptureFixture) -> None:
    """The owner, who tells clients, gets an id; the log has the same id and all that the process said."""

    async def scenario() -> Told:
        code = SAY_READY + "inbox.get()\n" + last_words
        async with supervised(program(code), first_s=1000.0, max_s=1000.0) as (supervisor, told):
            await ready(supervisor)
            supervisor.send(Cancel("die"))
            await eventually(lambda: told.progress != [])
            return told

    told = asyncio.run(scenario())
    (incident,) = told.down
    assert re.fullmatch(r"i_[a-z2-7]{12}", incident)
    assert told.progress == [Progress("tone", f"lost ({incident}); it starts again in 1000 s")]
    (record,) = caplog.records
    assert vars(record)["incident"] == incident and "SECRET /srv/keys" in record.getMessage()


def test_between_two_processes_it_is_not_ready() -> None:
    """A death is told before the wait; until then there is no process, and messages go nowhere."""

    async def scenario() -> None:
        async with supervised(program(ECHO), first_s=1000.0, max_s=1000.0) as (supervisor, told):
            await ready(supervisor)
            os.kill(pid_of(supervisor), signal.SIGKILL)
            await eventually(lambda: told.down != [])
            assert not supervisor.ready and supervisor.health.pid is None
            assert (supervisor.health.ready, supervisor.health.deaths) == (False, 1)
            supervisor.send(Cancel("a"))
            assert supervisor.unsent_bytes == 0 and told.messages == []

    asyncio.run(scenario())


def test_what_a_dying_program_said_last_comes_before_its_death() -> None:
    """Messages that were sent before the end arrive, then the death is told with the exit status."""

    async def scenario() -> None:
        code = SAY_READY + "port.send(Hungry('a'))\nport.send(Hungry('b'))\nos._exit(7)\n"
        async with supervised(program(code), first_s=1000.0, max_s=1000.0) as (supervisor, told):
            await eventually(lambda: told.down != [])
            assert told.order == ["tone up", "tone message", "tone message", "tone down"]
            assert supervisor.health.reason == "the tone process ended with exit status 7"

    asyncio.run(scenario())


def test_a_hang_up_is_noticed_at_once() -> None:
    """One whose socket is gone is not ready any more, before its death is sure."""

    async def scenario() -> None:
        code = SAY_READY + "inbox.get()\nport.close()\ntime.sleep(1000)\n"
        async with supervised(program(code)) as (supervisor, told):
            await ready(supervisor)
            supervisor.send(Cancel("hang up"))
            await eventually(lambda: not supervisor.ready)
            assert told.down == [] and is_there(pid_of(supervisor))
            await eventually(lambda: told.down != [])
            assert supervisor.health.reason == "the tone process was killed by signal 9 (it closed its socket)"

    asyncio.run(scenario())


def test_delays_grow_with_each_death() -> None:
    """One that dies again and again is started after longer and longer waits."""

    async def scenario() -> None:
        async with supervised(program(SAY_READY), first_s=0.01, max_s=0.04) as (supervisor, told):
            await eventually(lambda: len(told.progress) >= 4)
            delays = [p.text.rpartition("it starts again in ")[2] for p in told.progress[:4]]
            assert delays == ["0.01 s", "0.02 s", "0.04 s", "0.04 s"]
            assert supervisor.health.deaths >= 4 and told.up[:4] == [READY] * 4

    asyncio.run(scenario())


def test_a_successor_waits() -> None:
    """Between a death and the next start there is the delay."""

    async def scenario() -> None:
        async with supervised(program(SAY_READY + "inbox.get()\n"), first_s=0.4) as (supervisor, told):
            await ready(supervisor)
            supervisor.send(Cancel("die"))
            await eventually(lambda: len(told.up) == 2)
            _, down_s, up_s = told.times_s
            assert up_s - down_s >= 0.4

    asyncio.run(scenario())


# Counts its starts in the file in sys.argv[1].
COUNTED = """
with open(sys.argv[1], "a+") as file:
    file.seek(0)
    starts = len(file.read())
    file.write("x")
"""


def test_a_successor_is_ready_when_it_says_so(tmp_path: Path) -> None:
    """What was ready before does not make the next process ready."""

    async def scenario() -> None:
        code = COUNTED + "if starts == 1: port.send(Progress('tone', 'again'))\nif starts == 1: inbox.get()\n" + ECHO
        async with supervised(program(code, str(tmp_path / "starts"))) as (supervisor, told):
            await ready(supervisor)
            os.kill(pid_of(supervisor), signal.SIGKILL)
            await eventually(lambda: Progress("tone", "again") in told.progress)
            assert not supervisor.ready and len(told.up) == 1 and is_there(pid_of(supervisor))
            supervisor.send(Cancel("go"))
            await eventually(lambda: supervisor.ready)
            assert len(told.up) == 2

    asyncio.run(scenario())


def test_a_later_start_that_fails_is_tried_again(tmp_path: Path) -> None:
    """Once it was ready, a process that dies before it is ready is no reason to give up."""

    async def scenario() -> None:
        code = COUNTED + "if starts == 1: sys.exit('no memory')\n" + ECHO
        async with supervised(program(code, str(tmp_path / "starts"))) as (supervisor, told):
            await ready(supervisor)
            os.kill(pid_of(supervisor), signal.SIGKILL)
            await eventually(lambda: len(told.up) == 2)
            assert told.order == ["tone up", "tone down", "tone down", "tone up"]
            assert supervisor.health.reason == (
                "the tone process ended with exit status 1; its last output:\n  | no memory"
            )

    asyncio.run(scenario())


def test_one_that_dies_before_it_is_ready_is_not_started_again() -> None:
    """The first start's failure is a ChildError with the exit status and the last output, and the end of it."""

    async def scenario() -> None:
        code = "print('loading')\nprint('no such file', file=sys.stderr)\nsys.exit(3)\n"
        async with supervised(program(code)) as (supervisor, told):
            with pytest.raises(ChildError) as error:
                await ready(supervisor)
            assert str(error.value) == (
                "the tone process ended with exit status 3; its last output:\n  | loading\n  | no such file"
            )
            assert (told.down, told.up, told.progress) == ([], [], [])
            assert supervisor.health.deaths == 1 and supervisor.health.pid is None

    asyncio.run(scenario())


def test_the_words_of_a_program_that_gives_up_are_its_reason() -> None:
    """A Fatal says why in the program's own words; its output adds nothing then."""

    async def scenario() -> None:
        code = "print('noise')\nport.send(Fatal('tone', 'flow.safetensors is missing'))\nsys.exit(1)\n"
        async with supervised(program(code)) as (supervisor, told):
            with pytest.raises(ChildError, match=r"^the tone process: flow\.safetensors is missing$"):
                await ready(supervisor)
            assert told.messages == []

    asyncio.run(scenario())


def test_a_program_that_cannot_be_run_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Without its interpreter the start fails by name and leaves no file descriptor."""

    async def scenario() -> None:
        monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
        async with supervised(program(ECHO)) as (supervisor, _):
            with pytest.raises(ChildError, match=r"the tone process cannot be started: .*No such file"):
                await ready(supervisor)
            assert supervisor.health.deaths == 1

    asyncio.run(scenario())
