"""A hundred bad uploads of each sort against a real decoder process."""

from __future__ import annotations

import random

import pytest

from rtserver.uploads.errors import UploadError
from rtserver.uploads.jobs import DecodedWave
from rtserver.uploads.worker import DecodeWorkers
from tests.rtserver.processes.programs import open_files
from tests.rtserver.uploads.files import KINDS, RATE_HZ, sound_file, sweep
from tests.rtserver.uploads.pools import LOOPS, NewLoop, pool, run

pytestmark = pytest.mark.engine

MAGICS = (
    *(b"", b"RIFF\xff\xff\xff\x7fWAVEfmt ", b"fLaC", b"OggS", b"ID3", b"\xff\xfb", b"\xff\xf1"),
    *(b"\0\0\0\x18ftypM4A ", b"\x1aE\xdf\xa3"),
)


async def outcome(workers: DecodeWorkers, data: bytes) -> DecodedWave | UploadError:
    try:
        return await workers.decode(data, 60.0)
    except UploadError as error:
        return error


async def still_good(workers: DecodeWorkers) -> bool:
    """Whether a recording is decoded by the only process there is."""
    wave = await workers.decode(sound_file("flac-16", sweep()), 10.0)
    return wave.seconds == 0.5 and len(workers.pids) == 1


@LOOPS
def test_a_hundred_uploads_of_random_bytes_are_refused(loop: NewLoop) -> None:
    """Most begin as a sound file does. Nothing is left, and a recording is decoded afterwards."""
    chance = random.Random(6)
    uploads = [MAGICS[i % len(MAGICS)] + chance.randbytes(chance.randrange(20_000)) for i in range(100)]

    async def scenario() -> None:
        async with pool() as workers:
            assert await still_good(workers)
            before = len(open_files())
            outcomes = [await outcome(workers, upload) for upload in uploads]
            assert {found.code for found in outcomes if isinstance(found, UploadError)} == {"bad_audio"}
            assert sum(isinstance(found, DecodedWave) for found in outcomes) == 0
            assert await still_good(workers)
            assert len(open_files()) == before

    run(scenario(), loop)


@LOOPS
def test_a_hundred_truncated_files_are_cut_short_or_refused(loop: NewLoop) -> None:
    """Both happen, by the format. Nothing is left, and a recording is decoded afterwards."""
    chance = random.Random(7)
    files = {kind: sound_file(kind, sweep()) for kind in KINDS}

    async def scenario() -> None:
        async with pool() as workers:
            whole = {kind: (await workers.decode(data, 10.0)).seconds for kind, data in files.items()}
            before = len(open_files())
            taken = 0
            for i in range(100):
                kind = KINDS[i % len(KINDS)]
                found = await outcome(workers, files[kind][: chance.randrange(len(files[kind]))])
                if isinstance(found, DecodedWave):
                    taken += 1
                    assert 0 < found.seconds <= whole[kind] and found.sample_rate == RATE_HZ
                else:
                    assert found.code == "bad_audio"
            assert 10 < taken < 90
            assert await still_good(workers)
            assert len(open_files()) == before

    run(scenario(), loop)
