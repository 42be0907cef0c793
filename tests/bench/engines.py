"""Engines that treat their callers in some way."""

from __future__ import annotations

import asyncio

from rtserver.engine.api import OnEvent
from rtserver.engine.fake import FakeEngine, FakeOptions, FakeUtterance
from rtserver.ipc.engine import Failed, Open


class FailingEngine(FakeEngine):
    """Says an error in place of speech, as often as asked for, then speaks."""

    def __init__(self, code: str, times: int) -> None:
        super().__init__(FakeOptions(realtime_factor=0.0))
        self._code = code
        self._left = times
        self.opened = 0

    def open(self, request: Open, on_event: OnEvent) -> FakeUtterance:
        self.opened += 1
        utterance = super().open(request, on_event)
        if self._left > 0:
            self._left -= 1
            utterance.cancel()
            asyncio.get_running_loop().call_soon(on_event, Failed(request.utterance, self._code, "as the test asks"))
        return utterance


def at_once() -> FakeEngine:
    """All sound as fast as text comes."""
    return FakeEngine(FakeOptions(realtime_factor=0.0))


def unhurried() -> FakeEngine:
    """A second of sound takes half a second."""
    return FakeEngine(FakeOptions(realtime_factor=0.5, hop_s=0.02))
