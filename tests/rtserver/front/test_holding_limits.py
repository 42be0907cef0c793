"""What callers may hold, from the settings."""

from __future__ import annotations

from rtserver.config import ServerConfig
from rtserver.front.holding_limits import holding_limits


def test_a_key_may_hold_all_that_the_server_has() -> None:
    """One voice agent with one key is usual: by default nothing stands between it and the server's own limits."""
    limits = holding_limits(ServerConfig())
    assert limits["sockets"].caller == limits["sockets"].total == 1000
    assert limits["text_chars"].caller == limits["text_chars"].total


def test_a_stranger_may_hold_a_share() -> None:
    """At least one of each."""
    limits = holding_limits(ServerConfig(max_preparations=2, stranger_share=0.1))
    assert limits["sockets"].stranger == 100 and limits["preparations"].stranger == 1


def test_a_limit_of_one_caller_can_be_set() -> None:
    """A stranger has a share of it. One above the server's own counts as that."""
    limits = holding_limits(ServerConfig(caller_limits={"sockets": 40, "contexts": 1 << 40}))
    assert (limits["sockets"].total, limits["sockets"].caller, limits["sockets"].stranger) == (1000, 40, 10)
    assert limits["contexts"].caller == 4000


def test_admission_bounds_places_unless_a_caller_has_less() -> None:
    """All places together are admission's to count; a limit below them is the account's."""
    limits = holding_limits(ServerConfig(max_streams=32, caller_limits={"batch": 8}))
    assert limits["places"].total > 32 and limits["places"].caller > 32 and limits["places"].stranger == 8
    assert limits["batch"].total > 32 and (limits["batch"].caller, limits["batch"].stranger) == (8, 2)


def test_a_stranger_can_send_one_whole_request() -> None:
    """By default a share of the bytes of bodies is enough for a request with two recordings."""
    config = ServerConfig()
    assert holding_limits(config)["body_bytes"].stranger >= config.request_bytes
