"""Whose word counts about where a client is."""

from __future__ import annotations

import pytest

from rtserver.http.proxies import Proxies

TRUSTED = Proxies(["127.0.0.1", "10.0.0.0/8", "fd00::/8"])


@pytest.mark.parametrize(
    ("peer", "forwarded_for", "client"),
    [
        ("127.0.0.1", [], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7"], "203.0.113.7"),
        ("10.1.2.3", ["203.0.113.7:4321"], "203.0.113.7"),
        ("fd00::1", ["2001:db8::5"], "2001:db8::5"),
        ("fd00::1", ["[2001:db8::5]:443"], "2001:db8::5"),
        ("::ffff:10.1.2.3", ["203.0.113.7"], "203.0.113.7"),
        # a chain of proxies, in one header or several
        ("127.0.0.1", ["203.0.113.7, 10.0.0.9"], "203.0.113.7"),
        ("127.0.0.1", ["203.0.113.7", "10.0.0.9"], "203.0.113.7"),
        # what the client itself has written stands before that, and does not count
        ("127.0.0.1", ["127.0.0.1, 203.0.113.7"], "203.0.113.7"),
        ("127.0.0.1", ["198.51.100.1, 203.0.113.7, 10.0.0.9"], "203.0.113.7"),
        ("127.0.0.1", ["nonsense, 203.0.113.7"], "203.0.113.7"),
        # nothing else is believed
        ("203.0.113.7", ["127.0.0.1"], "203.0.113.7"),
        ("203.0.113.7", ["198.51.100.1"], "203.0.113.7"),
        ("127.0.0.1", ["unknown"], "127.0.0.1"),
        ("127.0.0.1", ["203.0.113.7, unknown"], "127.0.0.1"),
        ("127.0.0.1", [""], "127.0.0.1"),
        ("127.0.0.1", ["," * 1000], "127.0.0.1"),
        (None, ["203.0.113.7"], None),
    ],
)
def test_a_client_is_where_the_last_trusted_proxy_saw_it(peer: str, forwarded_for: list[str], client: str) -> None:
    """The headers are read from the end."""
    assert TRUSTED.client(peer, forwarded_for) == client


def test_without_proxies_the_header_means_nothing() -> None:
    """Also on this machine."""
    assert Proxies([]).client("127.0.0.1", ["203.0.113.7"]) == "127.0.0.1"
