"""A start and where its recordings are."""

from __future__ import annotations

from dataclasses import dataclass

from rtserver.ipc.preparing import Recording
from rtserver.messages import wire
from rtserver.session.start_request import Recordings
from rtserver.uploads.recordings import RecordingReader

_UNDECODED = Recording(b"", 0)


@dataclass(frozen=True)
class Opening:
    """Opens a context. A recording is in the start itself, or in a file on the server."""

    start: wire.Start
    # The file of the voice prompt, in place of `start.prompt_audio`.
    prompt_path: str | None = None
    # The file that mode `vc` says again, in place of `start.source_audio`.
    source_path: str | None = None

    @property
    def undecoded(self) -> Recordings | None:
        """Which recordings there are, without their samples; None when there are none."""
        prompt = self.start.prompt_audio is not None or self.prompt_path is not None
        source = self.start.source_audio is not None or self.source_path is not None
        if not (prompt or source):
            return None
        return Recordings(_UNDECODED if prompt else None, _UNDECODED if source else None, decoded=False)

    async def recordings(self, reader: RecordingReader, tenant: str) -> Recordings:
        """The recordings, read and decoded. Raises UploadError."""
        prompt, source = self.start.prompt_audio, self.start.source_audio
        if self.prompt_path is not None:
            prompt = await reader.file(self.prompt_path)
        if self.source_path is not None:
            source = await reader.file(self.source_path)
        return await reader.decode(prompt, source, tenant)
