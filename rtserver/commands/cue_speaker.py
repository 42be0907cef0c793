"""Makes the speech of cues through a server, or finds it among the finished ones."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from rtclient import ServerError, Session
from rtserver.commands.finished_cues import FinishedCues
from rtserver.dubbing.fit import Fit
from rtserver.dubbing.order import Order, Speech
from rtserver.dubbing.word_times import Word

# A server that is full is asked again as often, each time after this time or after the time that it names.
_TRIES = 60
_RETRY_S = 1.0


@dataclass(frozen=True)
class Said:
    """The speech of an order."""

    order: Order
    speech: Speech
    # Whether an earlier run made it.
    kept: bool


class OrderFailed(Exception):
    """The server cannot speak the order with this number."""

    def __init__(self, number: int, error: ServerError) -> None:
        super().__init__(str(error))
        self.number = number


class CueSpeaker:
    """Speaks orders as batch work, several at a time. Each is kept as soon as it is made."""

    def __init__(self, session: Session, finished: FinishedCues, parallel: int) -> None:
        self._session = session
        self._finished = finished
        self._parallel = parallel

    async def speak(self, orders: Sequence[Order], on_said: Callable[[Said], None]) -> list[Said]:
        """The speech of each order. Raises OrderFailed, ConnectionLost, OSError; what was made until then is kept."""
        waiting = iter(enumerate(orders))
        said: dict[int, Said] = {}

        async def work() -> None:
            for number, order in waiting:
                try:
                    said[number] = await self._say(order)
                except ServerError as error:
                    raise OrderFailed(number, error) from error
                on_said(said[number])

        workers = [asyncio.create_task(work(), name=f"cues-{one}") for one in range(self._parallel)]
        try:
            await asyncio.gather(*workers)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        return [said[number] for number in range(len(orders))]

    async def _say(self, order: Order) -> Said:
        found = await asyncio.to_thread(self._finished.find, order)
        if found is not None:
            return Said(order, found, kept=True)
        speech = await self._fitted(order)
        await asyncio.to_thread(self._finished.keep, order, speech)
        return Said(order, speech, kept=False)

    async def _fitted(self, order: Order) -> Speech:
        fit = Fit(order.slowest, order.fastest)
        guess = fit.guess(order.text, order.target_s)
        if guess is not None:
            speech = await self._made(order, guess)
            length_s = len(speech.pcm) / 2 / order.sample_rate
            if fit.guessed_right(guess, length_s, order.target_s):
                return speech
        speech = await self._made(order, None)
        speed = fit.instead(speech.speed)
        return speech if speed is None else await self._made(order, speed)

    async def _made(self, order: Order, speed: float | None) -> Speech:
        """Speech of the order's length, or with this speed."""
        for _ in range(_TRIES):
            try:
                return await self._spoken(order, speed)
            except ServerError as error:
                if not error.retryable:
                    raise
                last = error
                await asyncio.sleep((error.retry_after_ms or _RETRY_S * 1000) / 1000)
        raise last

    async def _spoken(self, order: Order, speed: float | None) -> Speech:
        speech = self._session.speak(
            order.text,
            voice=order.voice,
            language=order.language,
            seed=order.seed,
            service_class="batch",
            speed=speed or 1.0,
            target_s=order.target_s if speed is None else None,
        )
        pcm = b"".join([audio.pcm async for audio in speech])
        assert speech.started is not None and speech.done is not None
        return Speech(
            pcm,
            speed or speech.done.speed or 1.0,
            speech.started.voice,
            tuple(Word(mark.text, mark.offset, mark.start_ms) for mark in speech.marks),
            tuple(warning.message for warning in speech.warnings),
        )
