"""The first hop is the one whose sound goes out soonest."""

from __future__ import annotations

import pytest

from rtserver.schedule.first_hop import FirstHop, HopGrid, TalkerPace, first_hop_tokens
from rtserver.schedule.waits import DUE_SHARE

GRID = HopGrid(chunk_tokens=25, lookahead_tokens=3, block_tokens=15)
# A vocoder that keeps 0.1 s back.
CHOICES = [FirstHop(tokens, tokens / 25 - 0.1) for tokens in (4, 6, 9, 12, 16, 20)]


def test_a_long_first_sound_goes_out_when_it_is_made() -> None:
    """Of 23 tokens in two quanta."""
    pace = TalkerPace(token_s=0.01, quantum_s=0.02)
    assert FirstHop(20, 0.7).goes_out_s(pace, 0.1, GRID) == pytest.approx(23 * 0.01 + 2 * 0.02 + 0.1)


def test_a_short_first_sound_waits_until_the_next_will_follow_it() -> None:
    """32 tokens end in the third block; the end of the first hop is in a block, so there is one quantum more."""
    pace = TalkerPace(token_s=0.01, quantum_s=0.02)
    sampled_s = 32 * 0.01 + 4 * 0.02
    assert FirstHop(4, 0.06).goes_out_s(pace, 0.1, GRID) == pytest.approx(sampled_s + 0.1 - DUE_SHARE * 0.06)


def test_the_next_hop_may_wait_for_the_first_one() -> None:
    """Where tokens come faster than hops are made."""
    pace = TalkerPace(token_s=0.001, quantum_s=0.0)
    assert FirstHop(4, 0.06).goes_out_s(pace, 0.1, GRID) == pytest.approx(0.007 + 0.2 - DUE_SHARE * 0.06)


@pytest.mark.parametrize(
    ("token_s", "quantum_s", "hop_s", "tokens"),
    [
        (0.001, 0.001, 0.01, 4),
        (0.003, 0.005, 0.02, 6),
        (0.007, 0.025, 0.07, 12),
        (0.007, 0.025, 0.3, 12),
        (0.02, 0.025, 0.1, 20),
    ],
)
def test_the_choice(token_s: float, quantum_s: float, hop_s: float, tokens: int) -> None:
    """Short where tokens and hops are fast, longer where the next sound is long in coming. 12 tokens and their
    look-ahead are one block: no quantum is cut."""
    assert first_hop_tokens(CHOICES, TalkerPace(token_s, quantum_s), hop_s, GRID) == tokens
