"""Sentences through a real server: it is started for a model directory, and its socket is spoken to."""

from __future__ import annotations

import contextlib
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from numpy.typing import NDArray

from rtclient import ConnectionLost
from rtclient.pieces import llm_pieces
from rtclient.sync import connect

SAMPLE_RATE = 24000
_TRIES = 3
_OPEN_TIMEOUT_S = 60.0


class Server:
    """A server at `url`, spoken to over a socket for each utterance: one that was lost, because both were stopped for
    a while, is tried again."""

    def __init__(self, url: str) -> None:
        self._url = url

    @property
    def model(self) -> str:
        """The name of what it serves."""
        with connect(self._url, open_timeout_s=_OPEN_TIMEOUT_S) as session:
            return session.info.model

    def say(self, text: str | list[str] | None = None, **options: Any) -> NDArray[np.float32]:
        """The whole wave [samples] at 24 kHz; see Session.speak. Raises ServerError, ConnectionLost."""
        for left in reversed(range(_TRIES)):
            try:
                with connect(self._url, open_timeout_s=_OPEN_TIMEOUT_S) as session:
                    pcm = b"".join(audio.pcm for audio in session.speak(text, service_class="batch", **options))
                break
            except ConnectionLost:
                if not left:
                    raise
        return np.asarray(np.frombuffer(pcm, "<i2") / 32768, np.float32)


@contextlib.contextmanager
def serving(model: Path) -> Iterator[Server]:
    """A server of its own for `model`, stopped behind the block."""
    command = [sys.executable, "-m", "rtserver", "serve", "--port", "0", "--no-admission", "--model", str(model)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        if not line.startswith("listening on "):
            raise RuntimeError(f"expected a server, found {' '.join(command)} saying {line!r}")
        yield Server(line.split()[-1].replace("http", "ws", 1))
    finally:
        process.terminate()
        process.wait()


def speak(server: Server, text: str, voice: str, seed: int, *, pieces: bool, **options: Any) -> NDArray[np.float32]:
    """The wave of a text [samples] at 24 kHz. pieces: the text comes as an LLM writes it, so the talker interleaves.
    options: further ones of `Session.speak`."""
    return server.say(list(llm_pieces(text)) if pieces else text, voice=voice, seed=seed, **options)


def convert(server: Server, source: NDArray[np.float32], voice: str) -> NDArray[np.float32]:
    """A wave at 24 kHz said again in a voice of the catalogue, in mode vc."""
    return server.say(mode="vc", voice=voice, source_audio=recording(source))


def recording(wave: NDArray[np.float32]) -> bytes:
    """A wave at 24 kHz as a file to send."""
    file = io.BytesIO()
    soundfile.write(file, wave, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return file.getvalue()
