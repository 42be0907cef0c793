"""Failed logins: how many of a network, and how long each waits."""

from __future__ import annotations

from rtserver.front.failed_logins import (
    FORGET_S,
    FREE_FAILURES,
    LOG_EVERY_S,
    MAX_DELAY_S,
    MAX_NETWORKS,
    MAX_WAITING,
    FailedLogins,
)


def test_waits_double_up_to_a_bound() -> None:
    """The first mistakes cost nothing."""
    failed = FailedLogins()
    delays_s = [failed.note("192.0.2.1", 0.0).delay_s for _ in range(2000)]
    assert delays_s[: FREE_FAILURES + 4] == [0.0] * FREE_FAILURES + [0.25, 0.5, 1.0, 2.0]
    assert set(delays_s[FREE_FAILURES + 4 :]) == {MAX_DELAY_S}


def test_networks_do_not_slow_each_other() -> None:
    """Each has a count of its own, which is forgotten after a while without failures."""
    failed = FailedLogins()
    for _ in range(10):
        failed.note("192.0.2.1", 0.0)
    assert failed.note("192.0.2.2", 0.0).count == 1
    assert failed.note("192.0.2.1", FORGET_S - 1).count == 11
    assert failed.note("192.0.2.1", 2 * FORGET_S).count == 1 and len(failed) == 1


def test_memory_is_bounded() -> None:
    """The network that failed longest ago is forgotten first."""
    failed = FailedLogins()
    for number in range(MAX_NETWORKS + 10):
        failed.note(str(number), 0.0)
    assert len(failed) == MAX_NETWORKS
    assert failed.note(str(MAX_NETWORKS + 9), 0.0).count == 2 and failed.note("0", 0.0).count == 1


def test_no_more_than_so_many_answers_wait() -> None:
    """A flood of wrong keys cannot hold sockets: its answers come at once."""
    failed = FailedLogins()
    for _ in range(FREE_FAILURES):
        failed.note("192.0.2.1", 0.0)
    failed.waiting = MAX_WAITING
    assert failed.note("192.0.2.1", 0.0).delay_s == 0.0
    failed.waiting -= 1
    assert failed.note("192.0.2.1", 0.0).delay_s == 0.5


def test_a_flood_does_not_fill_the_log() -> None:
    """A network gets a line in so many seconds, with the count."""
    failed = FailedLogins()
    logged = [failed.note("192.0.2.1", number * LOG_EVERY_S / 4).is_logged for number in range(9)]
    assert logged == [True, False, False, False, True, False, False, False, True]
