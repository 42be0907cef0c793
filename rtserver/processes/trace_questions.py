"""Questions to a child process about utterances."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable

from rtserver.ipc.tracing import AskTrace, Traced


class TraceQuestions:
    """Asks with `send`; the answers come to `answered`. A process that is gone never answers: whoever asks must bound
    the wait."""

    def __init__(self, send: Callable[[AskTrace], None]) -> None:
        self._send = send
        self._numbers = itertools.count(1)
        self._open: dict[int, asyncio.Future[Traced]] = {}

    async def ask(self, utterance: str) -> Traced:
        """What the process noted of an utterance."""
        number = next(self._numbers)
        answer: asyncio.Future[Traced] = asyncio.get_running_loop().create_future()
        self._open[number] = answer
        self._send(AskTrace(number, utterance))
        try:
            return await answer
        finally:
            del self._open[number]

    def answered(self, traced: Traced) -> None:
        """Takes an answer. One that nobody waits for any more is dropped."""
        answer = self._open.get(traced.number)
        if answer is not None and not answer.done():
            answer.set_result(traced)
