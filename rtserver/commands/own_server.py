"""Whether the server on a port of this machine is the user's own.

Any user of the machine can listen on the port of our server while it does not run. Such a listener must get neither a
key nor a text.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

_LISTENS = "0A"
# The addresses at which a client of 127.0.0.1 may be answered, as the kernel writes them: 127.0.0.1 and 0.0.0.0; for
# IPv6 sockets ::ffff:127.0.0.1 and ::.
_REACHED = {"0100007F", "00000000", "0000000000000000FFFF00000100007F", "0" * 32}
_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))


def is_ours(port: int, tables: Sequence[Path] = _TABLES, user: int | None = None) -> bool:
    """Whether somebody listens at 127.0.0.1:port, and everybody who does is this user or root. False where the kernel
    does not tell it. `user`: by default the user of this process."""
    owners = set()
    for table in tables:
        with contextlib.suppress(OSError):  # without IPv6 there is no second table
            owners |= {owner for number, owner in _listeners(table.read_text("ascii")) if number == port}
    return bool(owners) and owners <= {os.geteuid() if user is None else user, 0}


def _listeners(table: str) -> list[tuple[int, int]]:
    """Port and user of each listener that a client of 127.0.0.1 reaches."""
    found = []
    for line in table.splitlines()[1:]:
        words = line.split()
        address, _, port = words[1].partition(":")
        if words[3] == _LISTENS and address in _REACHED:
            found.append((int(port, 16), int(words[7])))
    return found
