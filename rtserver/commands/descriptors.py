"""File descriptors: each connection needs one, and some are kept for everything else.

Without a reserve a server full of connections could start no process in place of one that died.
"""

from __future__ import annotations

import logging
import resource
from dataclasses import dataclass, replace

from rtserver.config import ConfigError, ServerConfig

_LOG = logging.getLogger(__name__)

# For files, the sockets and pipes of child processes, processes that are started anew, and refused connections.
RESERVE = 256
# Connections for each socket or request that `max_sockets` allows: others only wait for their next request.
_CONNECTIONS_EACH = 2
# A server with room for fewer connections is not started.
_FEWEST_CONNECTIONS = 16


@dataclass(frozen=True)
class Descriptors:
    """How many descriptors there are, and what for."""

    # The soft limit of the process.
    limit: int
    # Connections that may be open at once.
    connections: int

    @classmethod
    def planned(cls, soft: int, hard: int, max_sockets: int) -> Descriptors:
        """For the limits of this process: the soft limit is raised as far as it is needed and the hard one allows.
        Raises ConfigError where there is hardly room for any connection."""
        wanted = _CONNECTIONS_EACH * max_sockets + RESERVE
        limit = max(soft, min(wanted, hard))
        if limit - RESERVE < _FEWEST_CONNECTIONS:
            raise ConfigError(
                f"expected a limit of at least {RESERVE + _FEWEST_CONNECTIONS} open files, found {limit}: raise it "
                "with `ulimit -n`, or LimitNOFILE= of systemd"
            )
        return cls(limit, min(limit, wanted) - RESERVE)


def with_descriptors(config: ServerConfig) -> tuple[ServerConfig, Descriptors]:
    """Raises the limit of this process. Returns the settings with no more sockets than there are descriptors for."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    planned = Descriptors.planned(_known(soft), _known(hard), config.max_sockets)
    if planned.limit > _known(soft):
        resource.setrlimit(resource.RLIMIT_NOFILE, (planned.limit, hard))
    if planned.connections < config.max_sockets:
        _LOG.warning(
            "max_sockets is %d, not %d: the limit of open files is %d; raise it with `ulimit -Hn`, or LimitNOFILE=",
            planned.connections,
            config.max_sockets,
            planned.limit,
        )
        config = replace(config, max_sockets=planned.connections)
    return config, planned


def _known(limit: int) -> int:
    """A number also where there is no limit."""
    return 1 << 30 if limit == resource.RLIM_INFINITY else limit
