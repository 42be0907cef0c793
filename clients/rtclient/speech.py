"""One speech: text goes in, sound comes out."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from rtclient.errors import ClientError
from rtclient.messages import Audio, Cancelled, Done, Flushed, Mark, SpeechWarning, Started, build

if TYPE_CHECKING:
    from rtclient.session import Session

_ANSWER_S = 2.0  # how long a speech that is left early waits for `cancelled`


class Speech:
    """Made by `Session.speak`. Iterate over it for its sound. An `async with` block that is left early cancels it.

    started: the server's answer.
    warnings: parts of the request that will not be done. They come before the first sound.
    done, cancelled: how it ended.
    marks: the times of the words so far.
    text: what was sent so far.
    """

    def __init__(
        self,
        session: Session,
        context: str,
        start: dict[str, Any],
        text: str | AsyncIterable[str] | Iterable[str] | None,
    ) -> None:
        self.context = context
        self.started: Started | None = None
        self.done: Done | None = None
        self.cancelled: Cancelled | None = None
        self.warnings: list[SpeechWarning] = []
        self.marks: list[Mark] = []
        self.text = ""
        self._session = session
        self._audio: asyncio.Queue[Audio | None] = asyncio.Queue()  # None: the end
        self._error: BaseException | None = None
        self._over = asyncio.Event()
        self._flushes: dict[str, asyncio.Future[Flushed]] = {}
        self._opened = asyncio.Event()
        # The session cancels this task at its end. Until then the task keeps the user's iterator open.
        self._feeding: asyncio.Task[None] | None = asyncio.create_task(self._feed(start, text), name=f"feed-{context}")

    # -- text in ----------------------------------------------------------------------------------------------------

    async def send(self, text: str) -> None:
        """Appends text, in pieces of any size."""
        self.text += text
        await self._say("text", text=text)

    async def flush(self, flush_id: str | None = None) -> Flushed:
        """Asks the server to speak all text so far to its end. Returns when its audio has come. Raises the error of the
        speech, if it fails."""
        name = flush_id or f"f{len(self._flushes) + 1}"
        if name in self._flushes:
            raise ClientError(f"flush {name!r} was said before in this speech")
        answer: asyncio.Future[Flushed] = asyncio.get_running_loop().create_future()
        self._flushes[name] = answer
        await self._say("flush", id=name)
        return await answer

    async def end(self) -> None:
        """Tells the server that no more text comes."""
        await self._say("end")

    async def played(self, ms: float) -> None:
        """Reports how much the listener has heard. After the end of the speech it does nothing."""
        if not self._over.is_set():
            await self._say("played", ms=ms)

    async def cancel(self, fade_ms: int = 0) -> Cancelled | None:
        """Stops the speech. No audio of it comes afterwards. None when it was already over.

        fade_ms: for a player that holds at most 0.1 s of sound and does not fade it out itself. The server sends one
        last frame, whose sound falls to silence within this time; then nothing that has come is dropped.
        """
        if not self._over.is_set():
            self._stop_feeding()
            await self._say("cancel", fade_ms=fade_ms or None)
            await self._over.wait()
            if fade_ms:
                return self.cancelled
            while not self._audio.empty():  # drop audio that came but was not taken
                self._audio.get_nowait()
            self._audio.put_nowait(None)
        return self.cancelled

    async def _say(self, kind: str, **fields: Any) -> None:
        await self._opened.wait()
        if self._error is not None:
            raise self._error
        await self._session.send(kind, context=self.context, **fields)

    async def _feed(self, start: dict[str, Any], text: str | AsyncIterable[str] | Iterable[str] | None) -> None:
        """Sends the start, then the text of the user's iterator. An error of the iterator ends the speech, and reading
        the sound raises it."""
        try:
            whole = {"text": text, "end": True} if isinstance(text, str) else {}
            self.text += text if isinstance(text, str) else ""
            await self._session.send("start", context=self.context, **start, **whole)
            self._opened.set()
            if text is None or isinstance(text, str):
                return
            async for piece in _pieces(text):
                self.text += piece
                await self._session.send("text", context=self.context, text=piece)
            await self._session.send("end", context=self.context)
        except ClientError as error:
            self._fail(error)
        except Exception as error:
            with contextlib.suppress(ClientError):
                await self._session.send("cancel", context=self.context)
            self._fail(error)
        finally:
            self._opened.set()

    def _stop_feeding(self) -> None:
        if self._feeding is not None and self._feeding is not asyncio.current_task() and self._opened.is_set():
            self._feeding.cancel()

    # -- sound out --------------------------------------------------------------------------------------------------

    async def __aiter__(self) -> AsyncGenerator[Audio]:
        """The sound. Raises ServerError, ConnectionLost, or the error of the text's iterator."""
        try:
            while (audio := await self._audio.get()) is not None:
                yield audio
            self._audio.put_nowait(None)  # a second iteration ends at once
            if self._error is not None:
                raise self._error
        finally:
            await self._abandon()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._abandon()

    async def _abandon(self) -> None:
        """Cancels the speech if it is not over. A server that does not answer must not hold the caller."""
        with contextlib.suppress(ClientError, TimeoutError):
            async with asyncio.timeout(_ANSWER_S):
                await self.cancel()

    def _take(self, kind: str, message: dict[str, Any]) -> None:
        match kind:
            case "started":
                self.started = build(Started, message)
            case "warning":
                self.warnings.append(build(SpeechWarning, message))
            case "audio":
                self._audio.put_nowait(Audio(message["seq"], message["start_ms"], message["data"]))
            case "mark":
                self.marks.append(build(Mark, message))
            case "flushed":
                answer = self._flushes.get(message.get("id", ""))
                if answer is not None and not answer.done():
                    answer.set_result(build(Flushed, message))
            case "done":
                self.done = build(Done, message)
                self._end()
            case "cancelled":
                self.cancelled = build(Cancelled, message)
                self._end()

    def _fail(self, error: BaseException) -> None:
        """The speech is over with an error."""
        if not self._over.is_set():
            self._error = error
            self._end()

    def _end(self) -> None:
        self._over.set()
        self._audio.put_nowait(None)
        self._session._forget(self)
        self._stop_feeding()
        for answer in self._flushes.values():
            if not answer.done():
                answer.set_exception(self._error or ClientError("the speech ended before the flush"))
                answer.exception()  # marks it as seen, so that asyncio does not complain if `flush` no longer waits


async def _pieces(text: AsyncIterable[str] | Iterable[str]) -> AsyncIterator[str]:
    if isinstance(text, AsyncIterable):
        async for piece in text:
            yield piece
    else:
        for piece in text:
            yield piece
