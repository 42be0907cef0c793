"""The film that `bench.dubbing` dubs."""

from __future__ import annotations

import itertools

from bench.dubbing.film import VOICE_MAP, film
from rtserver.dubbing.cast import Cast
from rtserver.dubbing.subtitles import decoded, read_cues


def test_the_film_has_what_real_subtitles_have() -> None:
    """Two voices, two languages, cues that overlap, and some without speech; the same for the same seed."""
    text = film(100)
    assert text == film(100) != film(100, seed=1)
    cues = read_cues(decoded(text.encode(), "film.srt"), "film.srt")
    parts = Cast.read(VOICE_MAP, "voices.toml", "default").parts(cues)
    assert len(cues) == 100 and 90 < len(parts) < 100
    assert {part.voice for part in parts} == {"female", "male"}
    mandarin = sum(any("\u4e00" <= character <= "\u9fff" for character in part.text) for part in parts)
    assert 30 < mandarin < 70
    assert any(after.start_s < before.end_s - 0.2 for before, after in itertools.pairwise(cues))
    assert not any("<" in part.text or "{" in part.text or ":" in part.text for part in parts)
    assert 240 < cues[-1].end_s < 480
