"""The flac command, the reference decoder, reads what we send as FLAC."""

from __future__ import annotations

import subprocess

import numpy as np
import pytest

from rtserver.audio.encoder import encode_all, open_encoder
from rtserver.audio.formats import check_format

pytestmark = pytest.mark.services

RATE = 24000


@pytest.mark.parametrize("streamed", [True, False], ids=["streamed", "whole"])
def test_the_reference_decoder_gives_every_sample_back(streamed: bool) -> None:
    """Of a stream without a length, cut anywhere, and of a file with one."""
    samples = np.random.default_rng(1).integers(-9000, 9000, RATE).astype("<i2").tobytes()
    sound = check_format("flac", RATE, RATE)
    if streamed:
        encoder = open_encoder(sound, RATE)
        pieces = [encoder.encode(samples[at : at + 1234]) for at in range(0, len(samples), 1234)]
        data = b"".join(piece for part in [*pieces, encoder.finish()] for piece in part)
    else:
        data = b"".join(encode_all(sound, RATE, samples))
    command = [
        "flac",
        "--decode",
        "--silent",
        "--stdout",
        "--force-raw-format",
        "--endian=little",
        "--sign=signed",
        "-",
    ]
    done = subprocess.run(command, input=data, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == samples
