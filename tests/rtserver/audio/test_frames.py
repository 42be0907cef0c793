"""How samples are cut into frames."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.audio.frames import FIRST_FRAME_MS, LARGEST_FRAME_MS, Frame, Framer


def pcm(samples: int) -> bytes:
    """Samples that can be told apart."""
    return b"".join((i % 65536).to_bytes(2, "little") for i in range(samples))


def test_frames_grow_from_40_to_200_ms() -> None:
    """The first is small, so that playing can begin; later ones are larger."""
    frames = list(Framer(24000).cut(pcm(24 * 1050)))
    assert [len(f.data) // 48 for f in frames] == [40, 80, 120, 160, 200, 200, 200, 50]
    assert [f.start_ms for f in frames] == [0, 40, 120, 240, 400, 600, 800, 1000]
    assert [f.seq for f in frames] == list(range(8))


def test_nothing_is_kept_back() -> None:
    """Whatever comes goes out at once, however short; a short frame counts as one of those that grow."""
    framer = Framer(24000)
    assert [len(f.data) for f in framer.cut(pcm(1))] == [2]
    assert [len(f.data) // 48 for f in framer.cut(pcm(24 * 100))] == [80, 20]
    assert framer.audio_ms == 100


def test_a_start_is_rounded_down() -> None:
    """Parts of a millisecond add up; they are lost in no frame's place."""
    framer = Framer(24000)
    starts = [frame.start_ms for _ in range(6) for frame in framer.cut(pcm(13))]
    assert starts == [0, 0, 1, 1, 2, 2]
    assert framer.audio_ms == 3


def test_no_samples_give_no_frame() -> None:
    """An empty piece uses up no number."""
    framer = Framer(24000)
    assert list(framer.cut(b"")) == [] and framer.audio_ms == 0
    assert [f.seq for f in framer.cut(pcm(1))] == [0]


@pytest.mark.parametrize("size", [1, 3, 4801])
def test_half_a_sample_is_refused(size: int) -> None:
    """The caller's mistake, and nothing was cut."""
    framer = Framer(24000)
    with pytest.raises(ValueError, match=f"expected whole 16-bit samples, found {size} bytes"):
        list(framer.cut(bytes(size)))
    assert framer.audio_ms == 0


def test_frames_can_be_made_into_anything() -> None:
    """In the same places, with the same numbers."""
    made, plain = Framer(24000), Framer(24000)
    for samples in (24 * 100, 0, 24 * 300):
        frames = [(f.seq, f.start_ms, f.data) for f in plain.cut(pcm(samples))]
        assert made.cut_into(lambda seq, start_ms, data: (seq, start_ms, data), pcm(samples)) == frames
    assert made.audio_ms == plain.audio_ms == 400


@settings(deadline=None)
@given(
    sample_rate=st.sampled_from([8000, 16000, 22050, 24000, 44100]),
    pieces=st.lists(st.integers(0, 12_000), max_size=8),
)
def test_any_cut_joins_to_the_same_samples(sample_rate: int, pieces: list[int]) -> None:
    """Frames in order are the samples that came; each stands where it says and holds whole samples, not too many."""
    framer = Framer(sample_rate)
    whole = pcm(sum(pieces))
    frames: list[Frame] = []
    at = 0
    for samples in pieces:
        frames += framer.cut(whole[at : at + 2 * samples])
        at += 2 * samples
    assert b"".join(f.data for f in frames) == whole
    assert [f.seq for f in frames] == list(range(len(frames)))
    before = 0
    for frame in frames:
        assert frame.start_ms == before * 1000 // sample_rate
        assert len(frame.data) % 2 == 0
        longest_ms = min(FIRST_FRAME_MS * (1 + frame.seq), LARGEST_FRAME_MS)
        assert 0 < len(frame.data) // 2 <= longest_ms * sample_rate // 1000
        before += len(frame.data) // 2
    assert framer.audio_ms == before * 1000 // sample_rate
