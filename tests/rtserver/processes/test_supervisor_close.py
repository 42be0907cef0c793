"""The end of a supervision."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rtserver.ipc.talker import TalkerReady
from rtserver.processes.supervisor import Supervisor
from tests.rtserver.processes.programs import program
from tests.rtserver.processes.supervised import ECHO, SAY_READY, Told, ready, supervised
from tests.rtserver.serving import eventually


@pytest.mark.engine
def test_closing_lets_a_ready_program_end_by_itself(tmp_path: Path) -> None:
    """A program that is ready is asked to end and has the time to; nothing is started again and no death is told."""

    async def scenario() -> None:
        code = ECHO + "time.sleep(0.1)\nopen(sys.argv[1], 'w').write('ended')\n"
        async with supervised(program(code, str(tmp_path / "end"))) as (supervisor, told):
            await ready(supervisor)
        assert (tmp_path / "end").read_text() == "ended"
        assert told.order == ["tone up"] and supervisor.health.deaths == 0

    asyncio.run(scenario())


@pytest.mark.engine
def test_closing_does_not_wait_for_one_that_is_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that is not ready yet is ended at once, and whoever waits for it is told."""
    monkeypatch.setattr("rtserver.processes.child.STOP_GRACE_S", 1000.0)

    async def scenario() -> None:
        code = "port.send(Progress('tone', 'loading'))\ntime.sleep(1000)\n"
        async with supervised(program(code)) as (supervisor, told):
            await eventually(lambda: told.progress != [])
        assert supervisor.first_ready.cancelled() and told.down == []

    asyncio.run(asyncio.wait_for(scenario(), 60))


@pytest.mark.engine
def test_closing_ends_the_wait_for_a_start() -> None:
    """Between two processes nothing is started any more."""

    async def scenario() -> None:
        async with supervised(program(SAY_READY), first_s=1000.0, max_s=1000.0) as (_, told):
            await eventually(lambda: told.down != [])
        assert told.order == ["tone up", "tone down"]

    asyncio.run(scenario())


def test_one_that_never_began_can_be_closed() -> None:
    """Closing before `begin` starts nothing and ends nothing."""

    async def scenario() -> None:
        supervisor = Supervisor(lambda: program(ECHO), TalkerReady, Told())
        await supervisor.close()
        assert supervisor.first_ready.cancelled() and supervisor.health.pid is None

    asyncio.run(scenario())


@pytest.mark.engine
def test_a_fault_of_the_owner_shows() -> None:
    """An exception of `on_down` is not swallowed: closing raises it."""

    class Faulty(Told):
        def on_down(self, name: str, incident: str) -> None:
            super().on_down(name, incident)
            raise ZeroDivisionError(name)

    async def scenario() -> None:
        told = Faulty()
        supervisor = Supervisor(lambda: program(SAY_READY), TalkerReady, told)
        supervisor.begin()
        await eventually(lambda: told.down != [])
        with pytest.raises(ZeroDivisionError, match="tone"):
            await supervisor.close()
        assert supervisor.health.pid is None

    asyncio.run(scenario())
