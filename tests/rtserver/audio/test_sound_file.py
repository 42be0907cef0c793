"""Files of speech in every format."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from rtserver.audio.formats import FormatError, SoundFormat
from rtserver.audio.sound_file import SoundFile, format_of

RATE = 24000
PCM = (8000 * np.sin(2 * np.pi * 220 * np.arange(2 * RATE) / RATE)).astype("<i2").tobytes()


@pytest.mark.parametrize(
    ("target", "name", "rate", "found"),
    [
        ("a.wav", None, None, SoundFormat("wav", 24000)),
        ("a.MP3", None, None, SoundFormat("mp3", 24000)),
        ("a.flac", None, 16000, SoundFormat("flac", 16000)),
        ("a.ogg", None, None, SoundFormat("ogg_opus", 24000)),
        ("a.opus", None, 48000, SoundFormat("ogg_opus", 48000)),
        ("a.ulaw", None, None, SoundFormat("ulaw", 8000)),
        ("a.unknown", None, None, SoundFormat("wav", 24000)),
        ("-", None, None, SoundFormat("wav", 24000)),
        ("-", "mp3", None, SoundFormat("mp3", 24000)),
        ("a.wav", "pcm", 8000, SoundFormat("pcm_s16le", 8000)),
    ],
)
def test_the_name_or_the_ending_chooses(target: str, name: str | None, rate: int | None, found: SoundFormat) -> None:
    """A name wins over the ending; WAV where neither says anything."""
    assert format_of(target, name, rate, RATE) == found


def test_an_unknown_format_is_refused() -> None:
    """The message names the known ones."""
    with pytest.raises(FormatError, match="expected one of aac, alaw, flac"):
        format_of("a.wav", "aiff", None, RATE)


@pytest.mark.parametrize(
    ("name", "rate"), [("wav", 24000), ("wav", 16000), ("mp3", 24000), ("flac", 48000), ("ogg_opus", 24000)]
)
def test_a_written_file_is_decoded_to_its_length(tmp_path: Path, name: str, rate: int) -> None:
    """Two seconds in are two seconds out, at the rate asked for; the WAV header knows its length."""
    path = tmp_path / "speech"
    with SoundFile(str(path), SoundFormat(name, rate), RATE) as file:
        for at in range(0, len(PCM), 9600):
            file.write(PCM[at : at + 9600])
        assert file.seconds == pytest.approx(2.0)
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        samples = sum(frame.samples for frame in container.decode(stream))
        assert samples / stream.rate == pytest.approx(2.0, abs=0.08)
    if name == "wav":
        assert path.stat().st_size == 44 + 4 * rate
