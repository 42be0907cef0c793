"""Sentences through a real server: it is started for a model directory, and its socket is spoken to."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rtclient.sync import SyncSession, connect

SAMPLE_RATE = 24000
# A word with the space behind it, or two Han characters: about what a token of an LLM carries.
_TOKEN = re.compile(r"[\u4e00-\u9fff]{1,2}[^\w\s]*|[^\s\u4e00-\u9fff]+\s*|\s+")


@contextlib.contextmanager
def session(model: Path) -> Iterator[SyncSession]:
    """A session with a server of its own for `model`, stopped behind the block."""
    command = [sys.executable, "-m", "rtserver", "serve", "--port", "0", "--no-admission", "--model", str(model)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"expected a server, found {' '.join(command)} saying {line!r}")
        with connect(line.split()[-1].replace("http", "ws", 1), open_timeout_s=60.0) as connected:
            yield connected
    finally:
        process.terminate()
        process.wait()


def tokens(text: str) -> Iterator[str]:
    """A text in pieces as an LLM would write it."""
    return (match[0] for match in _TOKEN.finditer(text))


def speak(connected: SyncSession, text: str, voice: str, seed: int, *, pieces: bool) -> NDArray[np.float32]:
    """The wave of a text [samples] at 24 kHz. pieces: the text comes as an LLM writes it, so the talker interleaves."""
    written = tokens(text) if pieces else text
    sound = connected.speak(written, voice=voice, seed=seed, service_class="batch")
    pcm = b"".join(audio.pcm for audio in sound)
    return np.asarray(np.frombuffer(pcm, "<i2") / 32768, np.float32)
