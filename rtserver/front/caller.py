"""Who is on a connection, as far as the engine's places go."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Caller:
    """tenant: whose key was used. reservation: the name of the place that the conversation has, if any."""

    tenant: str = ""
    reservation: str = ""


ANYBODY = Caller()
