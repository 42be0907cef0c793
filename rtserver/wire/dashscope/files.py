"""Sound that was spoken and is fetched by another request: DashScope answers with the address of a file."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass

from rtserver.audio.formats import SoundFormat

# Of all files together. The oldest go first.
MOST_BYTES = 64 << 20
LIVES_S = 600.0


@dataclass(frozen=True)
class SoundFile:
    """A whole file."""

    data: bytes
    sound: SoundFormat
    # When it is forgotten.
    expires_s: float


class SoundFiles:
    """The latest files, by names that nobody can guess."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most_bytes = most_bytes
        self._files: OrderedDict[str, SoundFile] = OrderedDict()
        self._bytes = 0

    def put(self, data: bytes, sound: SoundFormat, now_s: float) -> str:
        """Keeps a file. Returns its name."""
        name = secrets.token_urlsafe(24)
        self._files[name] = SoundFile(data, sound, now_s + LIVES_S)
        self._bytes += len(data)
        self._forget(now_s)
        return name

    def get(self, name: str, now_s: float) -> SoundFile | None:
        """None for a file that there is not, or not any more."""
        self._forget(now_s)
        return self._files.get(name)

    def _forget(self, now_s: float) -> None:
        while self._files:
            oldest = next(iter(self._files.values()))
            if now_s < oldest.expires_s and self._bytes <= self._most_bytes:
                return
            self._bytes -= len(oldest.data)
            self._files.popitem(last=False)
