"""A server deletes the voices of clients' recordings in time."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from rtserver.commands.fitting import local_options
from rtserver.commands.server import _forget_recordings
from rtserver.config import ServerConfig
from tests.rtserver.serving import eventually


def test_old_voices_are_deleted_although_no_other_recording_comes(tmp_path: Path) -> None:
    """Those that are new stay. The process that stores them gets the same limits."""
    config = ServerConfig(voice_cache_days=2.0, voice_cache_mib=1)
    folder = tmp_path / "recordings"
    folder.mkdir()
    for name, age_days in (("old", 2.1), ("new", 1.9)):
        (folder / name).touch()
        os.utime(folder / name, (time.time() - 86400 * age_days,) * 2)

    async def scenario() -> None:
        task = asyncio.create_task(_forget_recordings(tmp_path, config))
        await eventually(lambda: [path.name for path in folder.iterdir()] == ["new"])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scenario())
    preparer = local_options(config, tmp_path).preparer
    assert (preparer.recordings_age_s, preparer.recordings_bytes) == (2 * 86400, 1 << 20)
