"""Work that is not done in time."""

from __future__ import annotations

from rtserver.processes.stalls import Stalls


def test_what_is_under_way_for_the_whole_limit_is_found() -> None:
    """Checks are made each quarter of the limit; what came later, or goes on under another name, is not found."""
    stalls: Stalls[str] = Stalls(60.0)
    assert stalls.every_s == 15.0
    assert [stalls.check(["old", f"step {number}"]) for number in range(4)] == [[]] * 4
    assert stalls.check(["old", "new", "step 4"]) == ["old"]


def test_what_is_done_in_between_counts_anew() -> None:
    """The same name later is other work."""
    stalls: Stalls[str] = Stalls(60.0)
    for _ in range(3):
        assert [stalls.check(["a"]) for _ in range(4)] == [[]] * 4
        assert stalls.check([]) == []
