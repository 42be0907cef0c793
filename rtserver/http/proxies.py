"""Where a client is, when it comes through proxies. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


class Proxies:
    """The proxies whose X-Forwarded-For is believed. Anybody else could write anything there."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(network) for network in networks]

    def client(self, peer: str | None, forwarded_for: Sequence[str]) -> str | None:
        """The client's address. `peer` is where the connection is from, `forwarded_for` has the values of all
        X-Forwarded-For headers. Each proxy appends where its own connection is from, so they are read from the end, as
        long as a trusted proxy has written them."""
        hops = [hop.strip() for value in forwarded_for for hop in value.split(",")]
        while hops and self._trusts(peer):
            if (address := _address(hops.pop())) is None:
                break
            peer = str(address)
        return peer

    def _trusts(self, peer: str | None) -> bool:
        address = None if peer is None else _address(peer)
        return address is not None and any(address in network for network in self._networks)


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Of `1.2.3.4`, `1.2.3.4:567`, `::1`, `[::1]:567`, or `::ffff:1.2.3.4`."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return address if mapped is None else mapped
