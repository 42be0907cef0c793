"""The engine's interface: text ids in, audio events out. Fronts talk to nothing else."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from rtserver.messages import Audio, Done, Failed, Open, Ready, Segment, Started

Event = Started | Audio | Done | Failed


class EngineError(RuntimeError):
    """The engine could not start, or is gone."""


class EngineUtterance(Protocol):
    """One stream of text to one stream of speech."""

    async def feed(self, segments: Sequence[Segment]) -> None:
        """Appends text."""

    async def end(self) -> None:
        """No more text: Done follows the last Audio."""

    async def cancel(self) -> None:
        """Stops sound and work. No event follows."""

    def events(self) -> AsyncIterator[Event]:
        """Started, then Audio in order, closed by Done or Failed."""


class Engine(Protocol):
    """Speaks any number of utterances at once."""

    @property
    def ready(self) -> Ready:
        """What the engine has loaded."""

    async def open(self, request: Open) -> EngineUtterance:
        """Starts an utterance. EngineError when the engine is gone."""

    async def close(self) -> None:
        """Ends all utterances and processes."""
