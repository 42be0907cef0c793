"""Decoder processes: what comes back, what they may do, how many there are, how they are closed."""

from __future__ import annotations

import asyncio
import os
import resource
from pathlib import Path

import numpy as np
import pytest

from rtserver.uploads.errors import UploadError
from rtserver.uploads.process import MEMORY_BYTES
from tests.rtserver.processes.programs import is_there
from tests.rtserver.uploads.files import RATE_HZ, sound_file, sweep
from tests.rtserver.uploads.hostile import HOSTILE
from tests.rtserver.uploads.pools import LOOPS, SOUND, NewLoop, at_work, pool, refused, run

pytestmark = pytest.mark.engine


@LOOPS
def test_a_recording_comes_back_as_it_was(loop: NewLoop) -> None:
    """Sixteen-bit samples, its own rate, its length; more than a socket holds at once."""
    wave = np.clip(sweep(5.0) * 2.0, -1.0, 1.0)
    samples = np.rint(wave * 32767).astype("<i2")

    async def scenario() -> None:
        async with pool() as workers:
            assert workers.pids == []
            found = await workers.decode(sound_file("wav-16", samples), 10.0)
            assert found.pcm_s16 == samples.tobytes()
            assert (found.sample_rate, found.seconds) == (RATE_HZ, 5.0)

    run(scenario(), loop)


def test_samples_beyond_the_range_are_clipped() -> None:
    """They do not wrap around."""
    wave = sweep() * 3.0

    async def scenario() -> None:
        async with pool() as workers:
            found = np.frombuffer((await workers.decode(sound_file("wav-float", wave), 10.0)).pcm_s16, "<i2")
            assert (found.min(), found.max()) == (-32768, 32767)
            assert np.abs(found / 32768 - np.clip(wave, -1, 1)).max() < 1e-4

    run(scenario())


def test_a_refused_upload_leaves_its_process_at_work() -> None:
    """The reason comes from the decoder; the same process takes the next."""

    async def scenario() -> None:
        async with pool() as workers:
            error = await refused(workers.decode(b"no sound", 10.0))
            assert str(error).endswith("found bytes that begin with b'no s'")
            assert error.code == "bad_audio"
            pids = workers.pids
            error = await refused(workers.decode(sound_file("wav-16", sweep(1.0)), 0.5))
            assert str(error) == "audio: expected at most 0.5 s of audio, found more"
            assert (await workers.decode(sound_file("wav-16", sweep(1.0)), 1.0)).seconds == 1.0
            assert workers.pids == pids and len(pids) == 1

    run(scenario())


def test_a_decoder_is_confined() -> None:
    """It gives way to everything else, has little memory and no network, and writes no file, a core dump neither."""

    async def scenario() -> None:
        async with pool() as workers:
            await refused(workers.decode(b"no sound", 10.0))
            pid = workers.pids[0]
            assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
            assert resource.prlimit(pid, resource.RLIMIT_AS) == (MEMORY_BYTES, MEMORY_BYTES)
            assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)
            assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
            status = await asyncio.to_thread(Path(f"/proc/{pid}/status").read_text)
            assert "Seccomp:\t2\n" in status  # its calls of the system are filtered

    run(scenario())


def test_a_decoder_that_wants_too_much_memory_refuses() -> None:
    """It is told apart from a crash, and the process goes on."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            assert "takes too much memory" in str(await refused(workers.decode(b"eat", 10.0)))
            pids = workers.pids
            assert (await workers.decode(SOUND, 10.0)).seconds == 1.0
            assert workers.pids == pids

    run(scenario())


def test_a_decoder_cannot_write_files(tmp_path: Path) -> None:
    """Whatever a file makes it do."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            await refused(workers.decode(f"write {tmp_path}/x".encode(), 10.0))
            assert not (tmp_path / "x").exists() or (tmp_path / "x").read_bytes() == b""

    run(scenario())


def test_more_uploads_than_there_is_room_for_are_turned_away(tmp_path: Path) -> None:
    """At once, with a code that says to come again; those that wait are decoded in turn."""

    async def scenario() -> None:
        async with pool(HOSTILE, waiting=3) as workers:
            hung = await at_work(workers, tmp_path / "mark")
            done: list[int] = []

            async def decode(number: int) -> None:
                found = await workers.decode(f"sound {number}".encode(), 10.0)
                done.append(len(found.pcm_s16) // 2)

            waiting = [asyncio.create_task(decode(number)) for number in (1, 2, 3)]
            await asyncio.sleep(0)
            error = await refused(workers.decode(SOUND, 10.0))
            assert error.code == "overloaded"
            assert str(error) == "expected at most 4 uploads at a time, found another"
            hung.cancel()
            await asyncio.gather(*waiting)
            assert done == [1, 2, 3]

    run(scenario())


def test_callers_have_their_turns(tmp_path: Path) -> None:
    """One that brings many recordings delays another by one."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            hung = await at_work(workers, tmp_path / "mark")
            done: list[str] = []

            async def decode(caller: str) -> None:
                await workers.decode(b"sound 1", 10.0, caller)
                done.append(caller)

            waiting = [asyncio.create_task(decode(caller)) for caller in ("ann", "ann", "ann", "bob")]
            await asyncio.sleep(0)
            hung.cancel()
            await asyncio.gather(*waiting)
            assert done == ["ann", "bob", "ann", "ann"]

    run(scenario())


def test_several_decoders_work_at_a_time(tmp_path: Path) -> None:
    """One that hangs does not hold up the other, which is used again before a third is started."""

    async def scenario() -> None:
        async with pool(HOSTILE, workers=3) as workers:
            hung = await at_work(workers, tmp_path / "mark")
            for _ in range(3):
                assert (await workers.decode(SOUND, 10.0)).seconds == 1.0
            assert len(set(workers.pids)) == 2 and not hung.done()
            hung.cancel()

    run(scenario())


@LOOPS
def test_closing_refuses_what_is_in_work_and_what_waits(loop: NewLoop, tmp_path: Path) -> None:
    """Later uploads too; closing twice is as good as once."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            hung = await at_work(workers, tmp_path / "mark")
            waiting = asyncio.create_task(workers.decode(SOUND, 10.0))
            await asyncio.sleep(0)
            (pid,) = workers.pids
            await workers.close()
            assert not is_there(pid)
            for task in (hung, waiting, asyncio.create_task(workers.decode(SOUND, 10.0))):
                with pytest.raises(UploadError, match="one that is closing") as refusal:
                    await task
                assert refusal.value.code == "overloaded"

    run(scenario(), loop)


@LOOPS
def test_closing_while_a_decoder_starts_leaves_nothing(loop: NewLoop) -> None:
    """At any step of the start the upload is refused, and `pool` looks for what is left."""

    async def scenario() -> None:
        for steps in range(12):
            async with pool(HOSTILE) as workers:
                task = asyncio.create_task(workers.decode(SOUND, 10.0))
                for _ in range(steps):
                    await asyncio.sleep(0)
                await workers.close()
                assert (await refused(task)).code == "overloaded"

    run(scenario(), loop)


@LOOPS
def test_closing_while_a_decoder_starts_for_nobody_leaves_nothing(loop: NewLoop) -> None:
    """Its upload was cancelled before; the start is waited for, at any step of it."""

    async def scenario() -> None:
        for steps in range(1, 12):
            async with pool(HOSTILE) as workers:
                task = asyncio.create_task(workers.decode(SOUND, 10.0))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                await asyncio.wait([task])
                await workers.close()
                assert [each.get_name() for each in asyncio.all_tasks() if "decoder" in each.get_name()] == []

    run(scenario(), loop)
