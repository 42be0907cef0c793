"""The recordings of a request, uploaded bytes or files below the configured folders, become samples."""

from __future__ import annotations

import asyncio

from rtserver.ipc.preparing import Recording
from rtserver.session.start_request import NO_RECORDINGS, Recordings
from rtserver.uploads.folders import Folders
from rtserver.uploads.worker import DecodeWorkers

# A voice prompt. The models take at most 30 s, and their error says so.
MAX_PROMPT_S = 60.0
# What voice conversion says again.
MAX_SOURCE_S = 300.0


class RecordingReader:
    """Reads and decodes off the event loop. `max_bytes` bounds one file."""

    def __init__(self, workers: DecodeWorkers, folders: Folders, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._workers = workers
        self._folders = folders

    async def file(self, path: str) -> bytes:
        """A file on this machine. Raises PathError."""
        return await asyncio.to_thread(self._folders.read, path, self.max_bytes)

    async def decode(self, prompt: bytes | None, source: bytes | None, tenant: str) -> Recordings:
        """Uploads of one tenant do not delay another's for longer than one of them takes. Raises UploadError."""
        if prompt is None and source is None:
            return NO_RECORDINGS
        return Recordings(
            await self._decode(prompt, MAX_PROMPT_S, tenant), await self._decode(source, MAX_SOURCE_S, tenant)
        )

    async def _decode(self, data: bytes | None, max_s: float, tenant: str) -> Recording | None:
        if data is None:
            return None
        wave = await self._workers.decode(data, max_s, tenant)
        return await asyncio.to_thread(Recording(wave.pcm_s16, wave.sample_rate).named)  # minutes take 20 ms to digest

    async def close(self) -> None:
        """Ends the decoders."""
        await self._workers.close()
