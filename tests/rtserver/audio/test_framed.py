"""Frames of coded sound for WebSockets."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.audio.encoder import open_encoder
from rtserver.audio.formats import FORMATS, SoundFormat, check_format
from rtserver.audio.framed import SoundFrames
from rtserver.audio.frames import Frame, Framer
from tests.rtserver.audio.sound import glide, in_cuts, pcm

NATIVE = 24000


def frames(sound: SoundFormat, data: bytes, native: int = NATIVE) -> list[Frame]:
    """A context's frames: the sound is cut as sessions cut it, and framed in the format."""
    framed = SoundFrames(sound, native)
    return [out for piece in Framer(native).cut(data) for out in framed.feed(piece.data)] + framed.finish()


def test_pcm_at_the_models_rate_passes_unchanged() -> None:
    """Number, place and bytes of every frame are those that came in."""
    data = pcm(glide(NATIVE)[:25_013])
    assert frames(SoundFormat("pcm_s16le", NATIVE), data) == list(Framer(NATIVE).cut(data))


def test_opus_has_a_frame_a_packet() -> None:
    """Every 20 ms one, the same packets as the encoder gives."""
    sound = SoundFormat("opus", 24000)
    data = pcm(glide(NATIVE))
    found = frames(sound, data)
    encoder = open_encoder(sound, NATIVE)
    assert [frame.data for frame in found] == encoder.encode(data) + encoder.finish()
    assert [frame.start_ms for frame in found] == [20 * i for i in range(76)]
    assert [frame.seq for frame in found] == list(range(76))


@pytest.mark.parametrize(("rate", "width"), [(8000, 2), (16000, 2), (44100, 2), (48000, 2), (8000, 1)])
def test_resampled_frames_lie_where_their_samples_do(rate: int, width: int) -> None:
    """A start is the number of samples before it, in whole milliseconds, though the filter gives them in lumps."""
    sound = SoundFormat("pcm_s16le" if width == 2 else "ulaw", rate)
    found = frames(sound, pcm(glide(NATIVE)))
    before = 0
    for frame in found:
        assert frame.start_ms == before * 1000 // rate
        before += len(frame.data) // width
    assert before == round(1.5 * rate)


def test_float_frames_count_four_bytes_a_sample() -> None:
    """They lie where the same 16-bit frames lie."""
    data = pcm(glide(NATIVE))
    floats, ints = (frames(SoundFormat(name, NATIVE), data) for name in ("pcm_f32le", "pcm_s16le"))
    assert [(f.seq, f.start_ms, len(f.data)) for f in floats] == [(f.seq, f.start_ms, 2 * len(f.data)) for f in ints]


@pytest.mark.parametrize(("name", "last_ms"), [("flac", 1440), ("mp3", 1440), ("ogg_opus", 1400)])
def test_containers_are_placed_too(name: str, last_ms: int) -> None:
    """From 0 on without a gap that a block does not explain, and the last one near the end of 1.5 s."""
    starts = [frame.start_ms for frame in frames(check_format(name, None, NATIVE), pcm(glide(NATIVE)))]
    assert starts[0] == 0 and starts == sorted(starts)
    assert max(b - a for a, b in itertools.pairwise(starts)) <= 220
    assert last_ms - 60 <= starts[-1] <= 1500


def test_a_header_takes_no_time() -> None:
    """The frame after it starts at 0 as well."""
    head, sound, *_ = frames(SoundFormat("ogg_opus", 24000), pcm(glide(NATIVE)))
    assert (head.seq, head.start_ms, head.data[:4]) == (0, 0, b"OggS")
    assert (sound.seq, sound.start_ms) == (1, 0)


@settings(deadline=None, max_examples=40)
@given(
    name=st.sampled_from(FORMATS),
    samples=st.integers(0, 9000),
    sizes=st.lists(st.integers(0, 2500), max_size=8),
)
def test_frames_are_numbered_without_a_gap_and_miss_nothing(name: str, samples: int, sizes: list[int]) -> None:
    """However the sound comes, in every format, no frame is empty and together they are the encoder's bytes."""
    sound = check_format(name, None, NATIVE)
    data = pcm(glide(NATIVE)[:samples])
    framed, found = SoundFrames(sound, NATIVE), list[Frame]()

    def take(piece: bytes) -> list[bytes]:
        found.extend(framed.feed(piece))
        return []

    in_cuts(data, sizes, take)
    found += framed.finish()
    encoder = open_encoder(sound, NATIVE)
    assert [frame.seq for frame in found] == list(range(len(found)))
    assert b"".join(frame.data for frame in found) == b"".join(encoder.encode(data) + encoder.finish())
    assert all(frame.data for frame in found)


def test_half_a_sample_is_refused() -> None:
    """The caller's mistake; no number is used up."""
    framed = SoundFrames(SoundFormat("pcm_s16le", NATIVE), NATIVE)
    with pytest.raises(ValueError, match="expected whole 16-bit samples, found 3 bytes"):
        framed.feed(b"abc")
    assert framed.feed(b"ab") == [Frame(0, 0, b"ab")]
