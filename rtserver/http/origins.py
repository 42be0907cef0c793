"""Which web pages may use the server, and by which names it may be called. Pure.

A browser sends what any web page wants to any server, also to one that only this machine can reach. It says where the
page is from (Origin). A page may also let its own name point to this machine (DNS rebinding). Then the browser takes
the server for the page's own, and only the name by which it calls the server (Host) shows it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rtserver.config import ServerConfig, is_loopback


def host_name(host: str) -> str:
    """A Host without its port, in lower case."""
    name = host.lower()
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name.partition(":")[0].rstrip(".")


@dataclass(frozen=True)
class Origins:
    """Made by `of`. Everything is in lower case."""

    # Names by which the server may be called, beside those of the loopback interface; None for any name.
    hosts: frozenset[str] | None
    # Origins of pages that may use the server from other hosts; `*` stands for all.
    pages: frozenset[str]

    @classmethod
    def of(cls, config: ServerConfig, *, wants_key: bool) -> Origins:
        """`wants_key`: whether clients need a key. A page that has none gets nothing, so no name need be checked."""
        is_open = is_loopback(config.host) and not wants_key
        hosts = frozenset(host_name(host) for host in config.allowed_hosts)
        return cls(
            hosts=hosts if is_open or hosts else None,
            pages=frozenset(origin.lower().rstrip("/") for origin in config.allowed_origins),
        )

    def knows_host(self, hosts: Sequence[str]) -> bool:
        """Whether the server may be called by this name. `hosts`: the values of all Host headers."""
        if self.hosts is None:
            return True
        return len(hosts) == 1 and ((name := host_name(hosts[0])) in self.hosts or is_loopback(name))

    def admits(self, origin: str, host: str) -> bool:
        """Whether a page of this origin may use the server, which it calls `host`. A page of the same host may, on any
        port, and so may one of an allowed origin."""
        origin = origin.lower()
        if "*" in self.pages or origin in self.pages:
            return True
        scheme, _, page = origin.partition("://")
        if scheme not in ("http", "https"):
            return False
        name, own = host_name(page), host_name(host)
        return bool(name) and (name == own or (is_loopback(name) and is_loopback(own)))
