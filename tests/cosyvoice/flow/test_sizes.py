"""The sizes that a reservation tries: numbers only."""

from __future__ import annotations

import pytest

from cosyvoice.flow.sizes import ReservationSizes, ReservedSize


def sizes(*, grain_frames: int = 50, own_tokens: int = 0) -> ReservationSizes:
    """Sizes for chunks of 25 tokens, 50 frames, with three tokens of look-ahead."""
    return ReservationSizes(
        chunk_frames=50, chunk_tokens=25, grain_frames=grain_frames, lookahead_tokens=3, own_tokens=own_tokens
    )


@pytest.mark.parametrize(("own_tokens", "tokens", "frames"), [(0, 27, 0), (0, 28, 50), (20, 8, 50), (20, 500, 1000)])
def test_all_is_the_chunks_that_are_complete_with_their_look_ahead(own_tokens: int, tokens: int, frames: int) -> None:
    """The prompt's own tokens count, and the look-ahead of the last complete chunk must be in the sequence."""
    assert sizes(own_tokens=own_tokens).attempts(tokens, None, None) == [ReservedSize(frames, False)]


def test_windows_are_halved_down_to_the_least() -> None:
    """All comes first, then half of that, rounded up to whole chunks, and last the least window itself."""
    found = sizes().attempts(253, 60, None)
    assert found == [(500, False), (250, True), (150, True)]


def test_the_longest_window_comes_first_where_it_is_shorter_than_all() -> None:
    """With a longest window no larger size is tried; one as long as all is no window."""
    assert sizes().attempts(253, 60, 100) == [(200, True), (150, True)]
    assert sizes().attempts(253, None, 250) == [(500, False)]


def test_a_window_holds_the_first_hop() -> None:
    """The first hop computes the prompt's own tokens as well, so no window is shorter than that."""
    assert sizes(own_tokens=27).attempts(500, 1, 1)[-1] == (100, True)


def test_sizes_are_whole_grains() -> None:
    """Where memory is taken in blocks of four chunks every size is a multiple of that."""
    assert sizes(grain_frames=200).attempts(253, 60, None) == [(600, False), (400, True), (200, True)]
