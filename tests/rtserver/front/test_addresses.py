"""Addresses as names of accounts."""

from __future__ import annotations

import pytest

from rtserver.front.addresses import is_remote, network_of


@pytest.mark.parametrize(
    ("address", "network"),
    [
        (None, ""),
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("proxy", "proxy"),
    ],
)
def test_an_ipv6_network_has_one_account(address: str | None, network: str) -> None:
    """A customer has 2 to the power of 64 addresses of it. An IPv4 address counts alone, also written as IPv6."""
    assert network_of(address) == network


@pytest.mark.parametrize("address", [None, "127.0.0.1", "127.3.4.5", "::1", "::ffff:127.0.0.1"])
def test_this_machine_is_not_remote(address: str | None) -> None:
    """Nor is a Unix socket, which has no address."""
    assert not is_remote(address)


@pytest.mark.parametrize("address", ["192.168.1.2", "2001:db8::1", "fe80::1%eth0", "::ffff:10.0.0.1", "nonsense"])
def test_all_others_are_remote(address: str) -> None:
    """Also what is no address."""
    assert is_remote(address)
