"""Prompts as bytes, and a folder that keeps them between runs."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import struct
import tempfile
import time
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError

from cosyvoice.voice.keeping import KeepingLimits, prune
from cosyvoice.voice.prompt import Prompt

_log = logging.getLogger(__name__)


def pack_prompt(prompt: Prompt) -> bytes:
    """A prompt made from a recording, as a safetensors file."""
    return safetensors.torch.save(
        {"speech_tokens": torch.tensor(prompt.speech_tokens), "mel": prompt.mel, "speaker": prompt.speaker},
        {"transcript": prompt.transcript, "added_silence_s": repr(prompt.added_silence_s)},
    )


def unpack_prompt(data: bytes) -> Prompt:
    """Raises ValueError for other bytes."""
    try:
        tensors = safetensors.torch.load(data)
        (length,) = struct.unpack_from("<Q", data)
        metadata = json.loads(data[8 : 8 + length])["__metadata__"]
        return Prompt(
            transcript=metadata["transcript"],
            speech_tokens=tuple(tensors["speech_tokens"].tolist()),
            mel=tensors["mel"],
            speaker=tensors["speaker"],
            added_silence_s=float(metadata["added_silence_s"]),
        )
    except (SafetensorError, struct.error, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"expected a packed prompt, found {len(data)} bytes: {error}") from error


class PromptCache:
    """A private folder of prompts by key. It keeps them within `limits`; None: all.

    An entry that cannot be read or written is logged and made again.
    """

    def __init__(self, folder: Path, limits: KeepingLimits | None = None) -> None:
        self.folder = folder
        self._limits = limits
        with contextlib.suppress(OSError):  # there is none yet, or it is somebody else's
            folder.chmod(0o700)

    def __contains__(self, key: str) -> bool:
        return self._path(key).exists()

    def get(self, key: str) -> Prompt | None:
        """The prompt. None when there is none, or when its file is damaged."""
        path = self._path(key)
        try:
            data = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            _log.warning("%s: not read (%s), made again", path, error)
            return None
        try:
            prompt = unpack_prompt(data)
        except ValueError as error:
            _log.warning("%s: damaged (%s), made again", path, error)
            return None
        with contextlib.suppress(OSError):  # the folder may be read-only
            os.utime(path)
        return prompt

    def put(self, key: str, prompt: Prompt) -> None:
        """Writes the whole file, or nothing. Only this user can read it."""
        if self._limits is not None and not self._limits.keeps:
            return
        path = self._path(key)
        temporary: str | None = None
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as file:
                temporary = file.name
                file.write(pack_prompt(prompt))
            os.replace(temporary, path)
            if self._limits is not None:
                prune(self.folder, self._limits, time.time())
        except OSError as error:
            _log.warning("%s: not cached (%s)", path, error)
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.safetensors"
