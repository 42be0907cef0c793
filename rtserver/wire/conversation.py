"""Between one socket and one session: frames go in through the dialect, and what the session says goes out through it.

Two tasks: one reads, the other sends. Reading does not wait for sound to be sent, so a cancel is heard while the client
is slow to take sound. It waits while too many answers wait to be sent: otherwise a flood of messages would fill the
memory. While recordings are decoded another task does that. Reading goes on then, so that pings are answered. What is
read waits for that task. One more task tells the dialect how time passes, if it wants to know.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import WSCloseCode

from rtserver.front.account import Account, Exceeded, Holding
from rtserver.front.connection import Connection
from rtserver.front.context_sounds import ContextSounds
from rtserver.front.uptake import Uptake
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.messages.incidents import report
from rtserver.messages.values import too_many_values
from rtserver.session.outbox import Closing, WsFrame
from rtserver.uploads.errors import UploadError
from rtserver.uploads.recordings import RecordingReader
from rtserver.wire.dialect import Action, Dialect, M
from rtserver.wire.intake import Intake, RateLimited
from rtserver.wire.opening import Opening
from rtserver.wire.patience import Patience
from rtserver.wire.socket import Pace, Socket

_LOG = logging.getLogger(__name__)

# Sound that waits is written in pieces of at most this size: a write for each frame costs more than the frame does.
BURST_BYTES = 128 << 10
# Answers that wait to be sent, at which the client is not read any more: some hundreds.
MOST_ANSWER_BYTES = 128 << 10
# How long a client that sends too much is given to take its last message.
_LAST_WORD_S = 2.0
# Frames that may wait while recordings are decoded. When more come, they are not read.
_HELD_FRAMES = 100
_SLOW_CLOSE_GRACE_S = 1.0  # for a client that reads nothing anyway


@dataclass(frozen=True)
class ConversationLimits:
    """How much a client may send, and how slowly it may read."""

    # A larger message is answered with message_too_big, unread.
    message_bytes: int
    # How long a client may take nothing of what waits for it.
    slow_reader_s: float
    # Messages a second that it may send.
    messages_per_s: int
    # How long it may send more than that.
    rate_limit_s: float
    # Characters of text in one context.
    text_chars: int
    # A larger message is decoded in a worker thread: it would hold up the sound of all others for milliseconds.
    loop_bytes: int = 64 << 10


class Conversation:
    """One client that was let in, until its socket closes."""

    def __init__(
        self,
        socket: Socket,
        dialect: Dialect[Any],
        connection: Connection,
        recordings: RecordingReader,
        limits: ConversationLimits,
    ) -> None:
        self._socket = socket
        self._dialect = dialect
        self._connection = connection
        self._recordings = recordings
        self._limits = limits
        self._sounds = ContextSounds(connection.session.info.sample_rate)
        self._kept: Holding | None = None  # what the dialect keeps, in the client's account
        self._sends = True  # False when nothing is sent any more
        self._may_read = asyncio.Event()  # not set while too many answers wait
        self._may_read.set()
        self._opening: asyncio.Task[None] | None = None
        # Frames that came after the start whose recordings are decoded.
        self._held: deque[WsFrame] = deque()

    async def run(self, account: Account, frames: Callable[[Pace], AsyncIterator[WsFrame]]) -> None:
        """Returns when the frames end, with all work ended and the socket closed. account: the client's."""
        intake = Intake(account, self._limits.messages_per_s, self._limits.rate_limit_s)
        if self._dialect.keeps_messages:
            self._kept = account.hold("text_chars", 0)
        self._connection.offer_sound(self._send_sound)
        self._connection.opened()
        sending = asyncio.create_task(self._send_items(), name="socket-send")
        tasks = [sending, asyncio.create_task(self._socket.ping(), name="socket-ping")]
        if (tick_s := self._dialect.tick_s) is not None:
            tasks.append(asyncio.create_task(self._tick(tick_s), name="socket-tick"))
        try:
            async for frame in frames(partial(self._pace, intake)):
                if self._opening is None:
                    await self.take(frame)
                else:
                    await self._hold(frame, self._opening)
        except RateLimited:
            self._connection.do(lambda session, now_s: session.rate_limited(now_s))
            await asyncio.wait([sending], timeout=_LAST_WORD_S)
        except Exception:
            await self._broken()
        finally:
            self._connection.close()
            if self._opening is not None:
                tasks.append(self._opening)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            if self._kept is not None:
                self._kept.release()
            await self._socket.close(WSCloseCode.OK, "")

    # -- in ---------------------------------------------------------------------------------------------------------

    async def _pace(self, intake: Intake, size_bytes: int) -> None:
        """Waits until a frame may be handled. Raises RateLimited. While too many answers wait to be sent, the client is
        not read. Sound that waits does not count: the client must be able to cancel it."""
        await intake.take(size_bytes)
        if self._connection.waiting_answer_bytes > MOST_ANSWER_BYTES and self._sends:
            self._may_read.clear()
            await self._may_read.wait()

    async def take(self, frame: WsFrame) -> None:
        """One frame of the client's."""
        size_bytes = len(frame)
        if isinstance(frame, str) and size_bytes <= self._limits.message_bytes:  # characters: bytes may be more
            size_bytes = len(frame.encode(errors="surrogatepass"))
        if size_bytes > self._limits.message_bytes:
            what = f"expected messages of at most {self._limits.message_bytes} bytes, found one of {size_bytes}"
            await self._act(self._dialect.unreadable(MessageError("message_too_big", what)))
            return
        try:
            message = await decoded(self._dialect, frame, self._limits)
        except MessageError as error:
            await self._act(self._dialect.unreadable(error))
            return
        actions = self._dialect.take(message)
        try:
            self._count_kept()
        except Exceeded as exceeded:
            actions = (*actions, *self._dialect.no_room(MessageError(exceeded.error.code, str(exceeded))))
            self._count_kept()
        await self._act(actions)

    async def _tick(self, tick_s: float) -> None:
        """Tells the dialect how time passes."""
        try:
            while True:
                await asyncio.sleep(tick_s)
                await self._act(self._dialect.tick())
        except Exception:
            await self._broken()

    def _count_kept(self) -> None:
        """Raises Exceeded when the caller may not have more text that waits for its turn."""
        if self._kept is not None:
            self._kept.resize(self._dialect.waiting_chars + self._dialect.kept_bytes)

    async def _act(self, actions: Iterable[Action]) -> None:
        """Carries actions out. Those from a start with recordings on are carried out by a task of their own."""
        left = deque(actions)
        while left:
            if isinstance(left[0], wire.Start):
                left[0] = Opening(left[0])
            if isinstance(left[0], Opening) and left[0].undecoded is not None:
                await self._open(left)
                return
            self._carry_out(left.popleft())

    def _carry_out(self, action: Action) -> None:
        match action:
            case str() | bytes() | Closing():
                self._connection.send(action)
            case MessageError():
                self._malformed(action)
            case Opening(start):
                self._connection.receive(start)
            case _:
                self._connection.receive(action)

    def _malformed(self, error: MessageError) -> None:
        # A function of its own: where the error was caught, a closure over it would be a cycle that keeps the frame.
        self._connection.do(lambda session, now_s: session.malformed(error, now_s))

    # -- recordings -------------------------------------------------------------------------------------------------

    async def _open(self, actions: deque[Action]) -> None:
        """The first action opens a context with recordings."""
        if self._opening is None:
            self._opening = asyncio.create_task(self._open_apart(actions), name="socket-open")
        else:  # it is this task: another start was among the frames that waited
            await self._decode(actions)

    async def _open_apart(self, actions: deque[Action]) -> None:
        try:
            await self._decode(actions)
            while self._held:
                await self.take(self._held.popleft())
        except Exception:
            await self._broken()
        finally:
            self._opening = None

    async def _decode(self, actions: deque[Action]) -> None:
        """Decodes the recordings of the first action, a start, and gives it to the session. The other actions are
        carried out after that, because text must not come before its start."""
        opening = actions.popleft()
        assert isinstance(opening, Opening)
        start, undecoded = opening.start, opening.undecoded
        if undecoded is not None and self._connection.check(start, undecoded):
            try:
                recordings = await opening.recordings(self._recordings, self._connection.session.caller.holder)
            except UploadError as error:
                code, text = error.code, str(error)
                self._connection.do(lambda session, now_s: session.unusable(start, code, text, now_s))
            else:
                self._connection.receive(start, recordings)
        await self._act(actions)

    async def _hold(self, frame: WsFrame, opening: asyncio.Task[None]) -> None:
        """Keeps a frame that came while recordings are decoded."""
        self._held.append(frame)
        held_bytes = sum(map(len, self._held))
        if len(self._held) >= _HELD_FRAMES or held_bytes > self._limits.message_bytes:
            await asyncio.wait([opening])

    # -- out --------------------------------------------------------------------------------------------------------

    async def _send_items(self) -> None:
        """Sends what the session says; closes the socket of a client that does not take it."""
        uptake = Uptake(self._limits.slow_reader_s)
        with contextlib.suppress(ConnectionError):
            try:
                async with Patience(self._limits.slow_reader_s) as patience:
                    while not isinstance(item := await self._connection.next_item(), Closing):
                        patience.begin()
                        actions = await self._send(item)
                        patience.end()
                        if not uptake.took(_size_bytes(item), time.monotonic(), all_taken=self._socket.is_drained):
                            raise TimeoutError
                        if actions:
                            self._count_kept()
                            await self._act(actions)
                        self._send_sound()
                        if self._connection.waiting_answer_bytes <= MOST_ANSWER_BYTES:
                            self._may_read.set()
                    patience.begin()
                    last, closing = self._dialect.closing(item)
                    for frame in last:
                        await self._socket.send(frame)
                await self._socket.close(closing.close_code, closing.reason)
            except TimeoutError:
                ids = ", ".join(self._connection.session.utterances)
                _LOG.warning("a client read nothing for too long: its socket is closed", extra={"utterances": ids})
                self._connection.do(lambda session, now_s: session.slow_reader(now_s))
                reason = "slow_reader: what was sent is not read"
                await self._socket.close(WSCloseCode.POLICY_VIOLATION, reason, _SLOW_CLOSE_GRACE_S)
            except ConnectionError:
                raise
            except Exception:
                await self._broken()
            finally:
                self._sends = False
                self._may_read.set()

    async def _broken(self) -> None:
        """Closes the socket after a fault of the server or the dialect. Otherwise the client would wait for ever."""
        incident = report(_LOG, f"a socket of {type(self._dialect).__name__} is closed after a fault")
        await self._socket.close(WSCloseCode.INTERNAL_ERROR, f"internal: the server failed ({incident})")

    async def _send(self, item: wire.ServerMessage | WsFrame) -> Sequence[Action]:
        """Sends an item's frames. Returns the dialect's other actions."""
        if isinstance(item, str | bytes):
            await self._write(item)
            return ()
        others = []
        for message in await self._sounds.encoded(item):
            for action in self._dialect.tell(message):
                if isinstance(action, str | bytes):
                    await self._write(action)
                else:
                    others.append(action)
        return others

    async def _write(self, frame: WsFrame) -> None:
        """Sends a frame, and notes when that waited for the client."""
        from_s = time.monotonic()
        await self._socket.send(frame)
        self._connection.waited_for_client(from_s, time.monotonic())

    def _send_sound(self) -> None:
        """Sends the sound that is next, if it needs no encoding and the client has taken all before it. All frames that
        wait are one write, and no task has to wake."""
        connection, sound_frames = self._connection, self._dialect.sound_frames
        if sound_frames is None:
            return
        while (sound := connection.next_sound) is not None:
            if self._sounds.encodes(sound.context) or not self._socket.is_drained:
                return
            self._socket.write(sound_frames(connection.take_sound(BURST_BYTES)))


async def decoded(dialect: Dialect[M], frame: WsFrame, limits: ConversationLimits) -> M:
    """The message in a frame. Raises MessageError."""
    if len(frame) > limits.loop_bytes:
        return await asyncio.to_thread(_decoded, dialect, frame, limits)
    return _decoded(dialect, frame, limits)


def _decoded(dialect: Dialect[M], frame: WsFrame, limits: ConversationLimits) -> M:
    """Raises MessageError."""
    if isinstance(frame, str) and (wrong := too_many_values(frame, limits.text_chars)) is not None:
        raise MessageError("bad_message", wrong)
    return dialect.decode(frame)


def _size_bytes(item: wire.ServerMessage | WsFrame) -> int:
    """About how much a client takes with an item."""
    if isinstance(item, str | bytes):
        return len(item)
    return len(item.data) if isinstance(item, wire.Audio) else 0
