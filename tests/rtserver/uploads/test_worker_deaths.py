"""Decoder processes that crash, hang, are killed, are no longer wanted or do not start."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from rtserver.processes.program import Program
from rtserver.uploads.errors import UploadError
from tests.rtserver.processes.programs import is_there
from tests.rtserver.serving import eventually
from tests.rtserver.uploads.hostile import HOSTILE
from tests.rtserver.uploads.pools import LOOPS, SOUND, NewLoop, at_work, pool, refused, run

pytestmark = pytest.mark.engine


@LOOPS
@pytest.mark.parametrize("death", ["die 11", "die 9", "die 6", "raise"])
def test_an_upload_that_ends_the_decoder_is_refused_and_the_next_one_is_taken(loop: NewLoop, death: str) -> None:
    """Crash after crash, each time in a new process."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            seen = []
            for _ in range(2):
                error = await refused(workers.decode(death.encode(), 10.0))
                assert str(error) == "audio: expected a recording, found bytes that end the decoder"
                assert error.code == "bad_audio"
                assert (await workers.decode(SOUND, 10.0)).pcm_s16 == b"\x00\x40" * 16000
                seen += workers.pids
            assert len(set(seen)) == 2

    run(scenario(), loop)


@LOOPS
def test_a_decoder_that_is_killed_at_work_is_replaced(loop: NewLoop, tmp_path: Path) -> None:
    """By whomever; its upload fails, the one that waits is decoded."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            hung = await at_work(workers, tmp_path / "mark")
            waiting = asyncio.create_task(workers.decode(SOUND, 10.0))
            (pid,) = workers.pids
            os.kill(pid, signal.SIGKILL)
            with pytest.raises(UploadError, match="end the decoder"):
                await hung
            assert (await waiting).seconds == 1.0
            assert workers.pids != [pid] and not is_there(pid)

    run(scenario(), loop)


@LOOPS
def test_a_decoder_that_dies_between_uploads_is_no_uploads_fault(loop: NewLoop) -> None:
    """The next upload gets a new one and does not notice."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            await workers.decode(SOUND, 10.0)
            (pid,) = workers.pids
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda: not is_there(pid))
            assert (await workers.decode(SOUND, 10.0)).seconds == 1.0
            assert workers.pids != [pid]

    run(scenario(), loop)


@LOOPS
def test_a_decoder_that_hangs_is_ended_and_replaced(loop: NewLoop, tmp_path: Path) -> None:
    """The message tells the limit; the next upload is taken."""

    async def scenario() -> None:
        async with pool(HOSTILE, limit_s=0.5) as workers:
            hung = await at_work(workers, tmp_path / "mark")
            (pid,) = workers.pids
            with pytest.raises(UploadError, match=r"expected to decode it within 0\.5 s") as refusal:
                await hung
            assert refusal.value.code == "bad_audio"
            assert (await workers.decode(SOUND, 10.0)).seconds == 1.0
            assert workers.pids != [pid]
            await eventually(lambda: not is_there(pid))

    run(scenario(), loop)


@LOOPS
def test_a_client_that_goes_ends_its_decoder(loop: NewLoop, tmp_path: Path) -> None:
    """A cancelled upload stops the work; the one that waits is decoded by a new process."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            hung = await at_work(workers, tmp_path / "mark")
            waiting = asyncio.create_task(workers.decode(SOUND, 10.0))
            (pid,) = workers.pids
            hung.cancel()
            assert (await waiting).seconds == 1.0
            assert hung.cancelled()
            await eventually(lambda: not is_there(pid))

    run(scenario(), loop)


def test_a_client_that_goes_while_it_waits_disturbs_nobody(tmp_path: Path) -> None:
    """The decoder goes on, and the place in the queue is free again."""

    async def scenario() -> None:
        async with pool(HOSTILE, waiting=1) as workers:
            hung = await at_work(workers, tmp_path / "mark")
            pids = workers.pids
            waiting = asyncio.create_task(workers.decode(SOUND, 10.0))
            await asyncio.sleep(0)
            assert (await refused(workers.decode(SOUND, 10.0))).code == "overloaded"
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert workers.pids == pids and not hung.done()
            next_one = asyncio.create_task(workers.decode(SOUND, 10.0))
            await asyncio.sleep(0)
            hung.cancel()
            assert (await next_one).seconds == 1.0

    run(scenario())


@LOOPS
def test_clients_that_go_while_their_decoder_starts_do_not_start_another(loop: NewLoop) -> None:
    """At any step of the start: it goes on for whoever comes next."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            seen = set()
            for steps in range(12):
                task = asyncio.create_task(workers.decode(SOUND, 10.0))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                seen.update(workers.pids)
            assert (await workers.decode(SOUND, 10.0)).seconds == 1.0
            assert len(seen | set(workers.pids)) == 1

    run(scenario(), loop)


@LOOPS
def test_a_decoder_that_nobody_waits_for_any_more_may_fail_to_start(loop: NewLoop) -> None:
    """Its failure is nobody's; the next upload tries again."""

    async def scenario() -> None:
        async with pool(Program("decoder", ("-c", "raise SystemExit('no')"))) as workers:
            task = asyncio.create_task(workers.decode(SOUND, 10.0))
            await eventually(lambda: workers.pids != [])
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await eventually(lambda: workers.pids == [])
            assert (await refused(workers.decode(SOUND, 10.0))).code == "overloaded"

    run(scenario(), loop)


@pytest.mark.parametrize(
    "arguments",
    [("-c", "raise SystemExit('no')"), ("-c", "import os; os.write(int(__import__('sys').argv[-1]), b'?')")],
)
def test_a_decoder_that_does_not_start_is_no_uploads_fault(arguments: tuple[str, ...]) -> None:
    """Neither one that ends at once nor one that says something else than that it is ready."""

    async def scenario() -> None:
        async with pool(Program("decoder", arguments)) as workers:
            for _ in range(2):
                error = await refused(workers.decode(SOUND, 10.0))
                assert str(error) == "expected to start a decoder, found that it does not start"
                assert error.code == "overloaded"
                assert workers.pids == []

    run(scenario())


def test_a_decoder_that_cannot_be_started_is_no_uploads_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that is out of processes."""

    async def scenario() -> None:
        async with pool() as workers:
            with monkeypatch.context() as patch:
                patch.setattr("sys.executable", "/nonexistent/python")
                assert (await refused(workers.decode(SOUND, 10.0))).code == "overloaded"
            assert (await refused(workers.decode(b"no sound", 10.0))).code == "bad_audio"

    run(scenario())
