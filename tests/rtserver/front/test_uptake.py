"""Whether a client takes what is sent to it."""

from __future__ import annotations

from rtserver.front.uptake import LEAST_BYTES_PER_S, Uptake

WINDOW_S = 10.0


def trickled(bytes_per_s: float, seconds: int = 60) -> bool:
    """Whether a client that takes so much each second, while more waits all the time, is kept."""
    uptake = Uptake(WINDOW_S)
    return all(uptake.took(int(bytes_per_s), float(now_s), all_taken=False) for now_s in range(seconds))


def test_who_takes_next_to_nothing_is_too_slow() -> None:
    """However often it takes a little."""
    assert not trickled(LEAST_BYTES_PER_S / 2)
    assert trickled(LEAST_BYTES_PER_S * 1.2)


def test_who_takes_all_is_never_too_slow() -> None:
    """Speech may come as slowly as it likes; a time in which nothing waited does not count."""
    uptake = Uptake(WINDOW_S)
    assert all(uptake.took(1, float(now_s), all_taken=True) for now_s in range(100))
    assert uptake.took(1, 100.0, all_taken=False)
    assert uptake.took(1, 109.0, all_taken=False)
    assert uptake.took(1, 109.5, all_taken=True)
    assert uptake.took(1, 110.0, all_taken=False)
    assert uptake.took(1, 119.0, all_taken=False)
    assert not uptake.took(1, 120.5, all_taken=False)


def test_each_window_counts_alone() -> None:
    """Who took a lot once cannot take nothing ever after."""
    uptake = Uptake(WINDOW_S)
    uptake.took(0, 0.0, all_taken=False)
    assert uptake.took(1 << 20, 10.0, all_taken=False)
    assert not uptake.took(10, 20.0, all_taken=False)
