"""Decoder processes: real ones, on real and hostile uploads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from pathlib import Path

import numpy as np
import pytest
import uvloop

from rtserver.engine.process import Program
from rtserver.uploads.errors import UploadError
from rtserver.uploads.process import MEMORY_BYTES
from rtserver.uploads.worker import PROGRAM, DecodeWorkers
from tests.rtserver.engine.programs import is_there, open_files
from tests.rtserver.serving import eventually
from tests.rtserver.uploads.files import KINDS, RATE_HZ, sound_file, sweep
from tests.rtserver.uploads.hostile import HOSTILE

Scenario = Callable[[], Coroutine[None, None, None]]
SOUND = b"sound 16000"  # what HOSTILE makes a second of


@pytest.fixture(params=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Callable[[Scenario], None]:
    """Runs a scenario on either event loop; the server's own is uvloop's."""
    factory = uvloop.new_event_loop if request.param == "uvloop" else None

    def run(scenario: Scenario) -> None:
        with asyncio.Runner(loop_factory=factory) as runner:
            runner.run(scenario())

    return run


@contextlib.asynccontextmanager
async def pool(
    program: Program = PROGRAM, *, workers: int = 1, waiting: int = 16, limit_s: float = 60.0
) -> AsyncIterator[DecodeWorkers]:
    """Workers that leave neither a process nor a descriptor when they are closed."""
    # A loop keeps some of what it opens for the first process.
    first = await asyncio.create_subprocess_exec("true", stdin=asyncio.subprocess.DEVNULL)
    await first.wait()
    before, children = open_files(), child_pids()
    pool = DecodeWorkers(workers=workers, waiting=waiting, limit_s=limit_s, program=program)
    try:
        yield pool
    finally:
        await asyncio.wait_for(pool.close(), 30)
    assert pool.pids == []
    assert child_pids() == children
    await eventually(lambda: open_files() == before)


def child_pids() -> set[int]:
    return {int(pid) for path in Path("/proc/self/task").glob("*/children") for pid in path.read_text().split()}


async def refused(decoding: Coroutine[None, None, object]) -> UploadError:
    with pytest.raises(UploadError) as refusal:
        await asyncio.wait_for(decoding, 60)
    return refusal.value


async def at_work(pool: DecodeWorkers, mark: Path) -> asyncio.Task[object]:
    """An upload on which a decoder hangs by now."""
    task: asyncio.Task[object] = asyncio.create_task(pool.decode(f"hang {mark}".encode(), 10.0))
    await eventually(mark.exists, 60.0)
    return task


def test_a_recording_comes_back_as_it_was(run: Callable[[Scenario], None]) -> None:
    """Sixteen-bit samples, its own rate, its length; more than a socket holds at once."""
    wave = np.clip(sweep(5.0) * 2.0, -1.0, 1.0)
    samples = np.rint(wave * 32767).astype("<i2")

    async def scenario() -> None:
        async with pool() as workers:
            assert workers.pids == []
            found = await workers.decode(sound_file("wav-16", samples), 10.0)
            assert found.pcm_s16 == samples.tobytes()
            assert (found.sample_rate, found.seconds) == (RATE_HZ, 5.0)

    run(scenario)


def test_samples_beyond_the_range_are_clipped() -> None:
    """They do not wrap around."""
    wave = sweep() * 3.0

    async def scenario() -> None:
        async with pool() as workers:
            found = np.frombuffer((await workers.decode(sound_file("wav-float", wave), 10.0)).pcm_s16, "<i2")
            assert (found.min(), found.max()) == (-32768, 32767)
            assert np.abs(found / 32768 - np.clip(wave, -1, 1)).max() < 1e-4

    asyncio.run(scenario())


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

    asyncio.run(scenario())


def test_a_decoder_is_confined() -> None:
    """It gives way to everything else, has little memory and writes no file, a core dump neither."""

    async def scenario() -> None:
        async with pool() as workers:
            await refused(workers.decode(b"no sound", 10.0))
            pid = workers.pids[0]
            assert os.getpriority(os.PRIO_PROCESS, pid) == min(19, os.getpriority(os.PRIO_PROCESS, 0) + 5)
            assert resource.prlimit(pid, resource.RLIMIT_AS) == (MEMORY_BYTES, MEMORY_BYTES)
            assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)
            assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)

    asyncio.run(scenario())


def test_a_decoder_that_wants_too_much_memory_refuses() -> None:
    """It is told apart from a crash, and the process goes on."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            assert "takes too much memory" in str(await refused(workers.decode(b"eat", 10.0)))
            pids = workers.pids
            assert (await workers.decode(SOUND, 10.0)).seconds == 1.0
            assert workers.pids == pids

    asyncio.run(scenario())


def test_a_decoder_cannot_write_files(tmp_path: Path) -> None:
    """Whatever a file makes it do."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            await refused(workers.decode(f"write {tmp_path}/x".encode(), 10.0))
            assert not (tmp_path / "x").exists() or (tmp_path / "x").read_bytes() == b""

    asyncio.run(scenario())


@pytest.mark.parametrize("death", ["die 11", "die 9", "die 6", "raise"])
def test_an_upload_that_ends_the_decoder_is_refused_and_the_next_one_is_taken(
    run: Callable[[Scenario], None], death: str
) -> None:
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

    run(scenario)


def test_a_decoder_that_is_killed_at_work_is_replaced(run: Callable[[Scenario], None], tmp_path: Path) -> None:
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

    run(scenario)


def test_a_decoder_that_dies_between_uploads_is_no_uploads_fault(run: Callable[[Scenario], None]) -> None:
    """The next upload gets a new one and does not notice."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            await workers.decode(SOUND, 10.0)
            (pid,) = workers.pids
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda: not is_there(pid))
            assert (await workers.decode(SOUND, 10.0)).seconds == 1.0
            assert workers.pids != [pid]

    run(scenario)


def test_a_decoder_that_hangs_is_ended_and_replaced(run: Callable[[Scenario], None], tmp_path: Path) -> None:
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

    run(scenario)


def test_a_client_that_goes_ends_its_decoder(run: Callable[[Scenario], None], tmp_path: Path) -> None:
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

    run(scenario)


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

    asyncio.run(scenario())


def test_a_client_that_goes_while_its_decoder_starts_leaves_nothing(run: Callable[[Scenario], None]) -> None:
    """At any step of the start; the next upload is taken."""

    async def scenario() -> None:
        async with pool(HOSTILE) as workers:
            for steps in range(12):
                task = asyncio.create_task(workers.decode(SOUND, 10.0))
                for _ in range(steps):
                    await asyncio.sleep(0)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
            assert (await workers.decode(SOUND, 10.0)).seconds == 1.0
            assert len(workers.pids) == 1

    run(scenario)


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

    asyncio.run(scenario())


def test_several_decoders_work_at_a_time(tmp_path: Path) -> None:
    """One that hangs does not hold up the other, which is used again before a third is started."""

    async def scenario() -> None:
        async with pool(HOSTILE, workers=3) as workers:
            hung = await at_work(workers, tmp_path / "mark")
            for _ in range(3):
                assert (await workers.decode(SOUND, 10.0)).seconds == 1.0
            assert len(set(workers.pids)) == 2 and not hung.done()
            hung.cancel()

    asyncio.run(scenario())


def test_closing_refuses_what_is_in_work_and_what_waits(run: Callable[[Scenario], None], tmp_path: Path) -> None:
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

    run(scenario)


def test_closing_while_a_decoder_starts_leaves_nothing(run: Callable[[Scenario], None]) -> None:
    """At any step of the start the upload is refused, and `pool` looks for what is left."""

    async def scenario() -> None:
        for steps in range(12):
            async with pool(HOSTILE) as workers:
                task = asyncio.create_task(workers.decode(SOUND, 10.0))
                for _ in range(steps):
                    await asyncio.sleep(0)
                await workers.close()
                assert (await refused(_result(task))).code == "overloaded"

    run(scenario)


async def _result(task: asyncio.Task[object]) -> object:
    return await task


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

    asyncio.run(scenario())


def test_a_decoder_that_cannot_be_started_is_no_uploads_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a machine that is out of processes."""

    async def scenario() -> None:
        async with pool() as workers:
            with monkeypatch.context() as patch:
                patch.setattr("sys.executable", "/nonexistent/python")
                assert (await refused(workers.decode(SOUND, 10.0))).code == "overloaded"
            assert (await refused(workers.decode(b"no sound", 10.0))).code == "bad_audio"

    asyncio.run(scenario())


MAGICS = (b"", b"RIFF\xff\xff\xff\x7fWAVEfmt ", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf1",
          b"\0\0\0\x18ftypM4A ", b"\x1aE\xdf\xa3")  # fmt: skip


def test_a_hundred_uploads_of_random_bytes_are_refused(run: Callable[[Scenario], None]) -> None:
    """Most begin as a sound file does. Nothing is left, and a recording is decoded afterwards."""
    chance = random.Random(6)
    uploads = [MAGICS[i % len(MAGICS)] + chance.randbytes(chance.randrange(20_000)) for i in range(100)]

    async def scenario() -> None:
        async with pool() as workers:
            await refused(workers.decode(b"no sound", 60.0))
            before = open_files()
            for upload in uploads:
                try:  # bytes with the head of an MP3 may hold a frame of noise
                    found = await workers.decode(upload, 60.0)
                    assert upload.startswith((b"ID3", b"\xff")) and found.seconds < 60
                except UploadError as error:
                    assert error.code == "bad_audio"
            assert open_files() == before
            assert (await workers.decode(sound_file("wav-16", sweep()), 10.0)).seconds == 0.5

    run(scenario)


def test_a_hundred_truncated_files_are_cut_short_or_refused() -> None:
    """Nothing is left, and a recording is decoded afterwards."""
    chance = random.Random(7)
    files = {kind: sound_file(kind, sweep()) for kind in KINDS}

    async def scenario() -> None:
        async with pool() as workers:
            whole = {kind: (await workers.decode(data, 10.0)).seconds for kind, data in files.items()}
            before = open_files()
            taken = refusals = 0
            for i in range(100):
                kind = KINDS[i % len(KINDS)]
                data = files[kind]
                try:
                    found = await workers.decode(data[: chance.randrange(len(data))], 10.0)
                    assert 0 < found.seconds <= whole[kind] and found.sample_rate == RATE_HZ
                    taken += 1
                except UploadError as error:
                    assert error.code == "bad_audio"
                    refusals += 1
            assert taken > 10 and refusals > 10
            assert open_files() == before
            assert (await workers.decode(sound_file("flac-16", sweep()), 10.0)).seconds == 0.5

    asyncio.run(scenario())
