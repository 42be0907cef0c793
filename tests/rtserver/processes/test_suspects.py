"""Who is found to be why a process dies."""

from __future__ import annotations

from itertools import permutations

import pytest

from rtserver.processes.suspects import Suspects

A, B, C = "a", "b", "c"


def test_one_death_is_nobodys_fault() -> None:
    """Nor are two of which each had others at work."""
    suspects = Suspects()
    assert suspects.died([A, B], 0.0) is None and suspects.died([C], 10.0) is None
    assert suspects.next_s is None and not any(map(suspects.waits, (A, B, C)))


def test_who_was_alone_at_the_second_death_is_the_culprit() -> None:
    """Nobody else can be."""
    suspects = Suspects()
    assert suspects.died([A, B], 0.0) is None
    assert suspects.died([A], 10.0) == A


def test_deaths_that_are_far_apart_count_alone() -> None:
    """A long utterance may see two processes die of something else."""
    suspects = Suspects()
    assert [suspects.died([A], at_s) for at_s in (0.0, 301.0, 602.0)] == [None] * 3
    assert suspects.died([A], 900.0) == A


def test_suspects_have_their_turns_one_at_a_time() -> None:
    """Those at work at both deaths wait; each one that outlives its turn is cleared."""
    suspects = Suspects(turn_s=5.0)
    suspects.died([A, B], 0.0)
    suspects.died([A, B, C], 10.0)
    assert [suspects.waits(name) for name in (A, B, C)] == [True, True, False] and suspects.next_s == 0.0
    assert suspects.next_turn(20.0) == A and not suspects.waits(A) and suspects.waits(B)
    assert suspects.next_s == 25.0 and suspects.next_turn(24.9) is None
    assert suspects.next_turn(25.0) == B and suspects.next_turn(30.0) is None
    assert suspects.next_s is None and not suspects.waits(B)
    assert suspects.died([A, B], 40.0) is None  # cleared: it counts as the first


@pytest.mark.parametrize("culprit", [A, B, C])
def test_the_culprit_is_found_and_nobody_else(culprit: str) -> None:
    """A process that dies whenever it works on one of three."""
    for names in permutations((A, B, C)):
        suspects, alive, now_s = Suspects(turn_s=5.0), list(names), 0.0
        for _ in range(10):
            working = [name for name in alive if not suspects.waits(name)]
            if culprit in working:
                found = suspects.died(working, now_s)
                assert found in (None, culprit)
                if found is not None:
                    suspects.forget(found)
                    alive.remove(found)
            elif suspects.next_s is not None:
                now_s = max(now_s, suspects.next_s)
                suspects.next_turn(now_s)
            now_s += 1.0
        assert alive == [name for name in names if name != culprit] and suspects.next_s is None


def test_one_that_is_over_waits_no_more() -> None:
    """The next one has its turn."""
    suspects = Suspects()
    suspects.died([A, B, C], 0.0)
    suspects.died([A, B, C], 1.0)
    suspects.forget(A)
    assert suspects.next_turn(2.0) == B
    suspects.forget(B)
    assert suspects.next_s == 0.0 and suspects.next_turn(3.0) == C
    suspects.forget(C)
    assert suspects.next_s is None and len(suspects) == 0


def test_a_death_before_the_turn_began_to_matter_begins_it_anew() -> None:
    """The process died while it did not work on the suspect."""
    suspects = Suspects(turn_s=5.0)
    suspects.died([A, B], 0.0)
    suspects.died([A, B], 1.0)
    assert suspects.next_turn(2.0) == A
    assert suspects.died([C], 3.0) is None and suspects.waits(A)
    assert suspects.next_turn(10.0) == A and suspects.next_s == 15.0
