"""The same client without async: `with connect(url) as session: for audio in session.speak(text): ...`

The connection runs on an event loop in its own thread, and calls wait for it. Text may come from any blocking iterator;
another thread reads it.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator
from types import TracebackType
from typing import Any, Self, TypeVar

from rtclient import session as aio
from rtclient.messages import Audio, Cancelled, Done, Flushed, Info, Mark, SpeechWarning, Started
from rtclient.speech import Speech

T = TypeVar("T")

_END = object()


@contextlib.contextmanager
def connect(
    url: str,
    *,
    api_key: str | None = None,
    encoding: aio.Encoding = "msgpack",
    open_timeout_s: float = 10.0,
    reserve: float | None = None,
) -> Iterator[SyncSession]:
    """Like rtclient.connect. Raises ServerError, ConnectionLost."""
    with _LoopThread() as loop:
        opening = aio.connect(url, api_key=api_key, encoding=encoding, open_timeout_s=open_timeout_s, reserve=reserve)
        session = loop.run(opening.__aenter__())
        try:
            yield SyncSession(session, loop)
        finally:
            loop.run(opening.__aexit__(None, None, None))


class _LoopThread:
    """An event loop that runs in a thread during the `with` block."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="rtclient", daemon=True)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Waits for the result. Ctrl-C cancels it."""
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.run_until_complete(self._loop.shutdown_default_executor())
        self._loop.close()


class SyncSession:
    """Made by `connect`."""

    def __init__(self, session: aio.Session, loop: _LoopThread) -> None:
        self._session = session
        self._loop = loop

    @property
    def info(self) -> Info:
        return self._session.info

    def speak(self, text: str | Iterable[str] | None = None, **options: Any) -> SyncSpeech:
        """Like Session.speak, with the same options."""
        pieces = text if text is None or isinstance(text, str) else _pieces(text)

        async def begin() -> Speech:
            return self._session.speak(pieces, **options)

        return SyncSpeech(self._loop.run(begin()), self._loop)

    def ping(self) -> None:
        """Returns when the server has answered. Raises ConnectionLost."""
        self._loop.run(self._session.ping())


class SyncSpeech:
    """Iterate over it for its sound. Leaving the loop early cancels the speech."""

    def __init__(self, speech: Speech, loop: _LoopThread) -> None:
        self._speech = speech
        self._loop = loop

    def __iter__(self) -> Iterator[Audio]:
        sound = aiter(self._speech)
        try:
            while (audio := self._loop.run(_next(sound))) is not None:
                yield audio
        finally:
            self._loop.run(sound.aclose())

    def send(self, text: str) -> None:
        """Appends text, in pieces of any size."""
        self._loop.run(self._speech.send(text))

    def flush(self, flush_id: str | None = None) -> Flushed:
        """Asks the server to speak all text so far to its end. Returns when its audio has come."""
        return self._loop.run(self._speech.flush(flush_id))

    def end(self) -> None:
        """Tells the server that no more text comes."""
        self._loop.run(self._speech.end())

    def played(self, ms: float) -> None:
        """Reports how much the listener has heard."""
        self._loop.run(self._speech.played(ms))

    def cancel(self, fade_ms: int = 0) -> Cancelled | None:
        """Stops the speech. None when it was already over. fade_ms: as in `Speech.cancel`."""
        return self._loop.run(self._speech.cancel(fade_ms))

    @property
    def started(self) -> Started | None:
        return self._speech.started

    @property
    def done(self) -> Done | None:
        return self._speech.done

    @property
    def cancelled(self) -> Cancelled | None:
        return self._speech.cancelled

    @property
    def warnings(self) -> list[SpeechWarning]:
        return list(self._speech.warnings)

    @property
    def marks(self) -> list[Mark]:
        return list(self._speech.marks)


async def _next(sound: AsyncIterator[Audio]) -> Audio | None:
    return await anext(sound, None)


async def _pieces(text: Iterable[str]) -> AsyncIterator[str]:
    """Reads a blocking iterator in a thread, so that it does not block the connection."""
    pieces = iter(text)
    while (piece := await asyncio.to_thread(next, pieces, _END)) is not _END:
        assert isinstance(piece, str), f"expected text in pieces of str, found {type(piece).__name__}"
        yield piece
