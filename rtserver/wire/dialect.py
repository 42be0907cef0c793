"""What a protocol of clients is to the server: an object that turns the frames of a client into messages of the
session, and what the session says into frames. It does no I/O and asks no clock: `Conversation` and `Socket` do
that, for all dialects.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Generic, Literal, TypeVar

from aiohttp import web

from rtserver.front.access import Credentials
from rtserver.http.answers import error_response
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.outbox import Closing, WsFrame
from rtserver.wire.opening import Opening

M = TypeVar("M")

FrameKind = Literal["text", "binary"]

# What a dialect has done. A frame is sent to the client. A message of the native wire, or an Opening, goes to the
# session. A MessageError tells the session of a frame that is no message: the session answers with an error. A Closing
# closes the socket after all that waits to be sent.
Action = WsFrame | wire.ClientMessage | Opening | MessageError | Closing


@dataclass(frozen=True)
class Handshake:
    """What a client says when it opens a socket."""

    # By name, in any case.
    headers: Mapping[str, str]
    # The query of the address.
    query: Mapping[str, str]
    # The parts of the path that the route names.
    path: Mapping[str, str]

    @property
    def offered(self) -> Sequence[str]:
        """The subprotocols that the client offers, the preferred first."""
        return [name.strip() for name in self.headers.get("Sec-WebSocket-Protocol", "").split(",")]

    def agreed(self, subprotocols: Sequence[str]) -> str | None:
        """The subprotocol that both sides know, if any."""
        return next((name for name in self.offered if name in subprotocols), None)


class Dialect(ABC, Generic[M]):
    """One protocol on one socket; it keeps the state of that socket. `M` is what a frame of the client is decoded to.

    A dialect has a folder, in which `routes(app)` lists its paths: `socket_route` for a socket, `guarded` for HTTP.
    """

    # The subprotocols that the server can agree to.
    subprotocols: ClassVar[tuple[str, ...]] = ()
    # Whether a key may come in the first message, when the handshake has none.
    key_in_first_message: ClassVar[bool] = False
    # Whether messages may have to wait for their turn: then `waiting_chars` counts them.
    keeps_messages: ClassVar[bool] = False
    # A socket without contexts is closed after this much silence; 0 for never, None for what the server is set to.
    idle_s: ClassVar[float | None] = None
    # The kinds of frames that clients send.
    takes: frozenset[FrameKind] = frozenset({"text"})
    # The share of the time for which the client wants a place to be kept; None for no place.
    share: float | None = None
    # The bytes of all WebSocket frames for sound that waits together. It may be set where every Audio message is one
    # binary frame: such sound is then written at once, without `tell`.
    sound_frames: Callable[[Sequence[wire.Audio]], bytes] | None = None

    # How often `tick` is called, in seconds; None for never. It is read after `check`.
    tick_s: float | None = None
    # Characters of the messages that a dialect keeps until their turn.
    waiting_chars: int = 0
    # Bytes of a recording that a dialect keeps for what it opens later. They count as characters do.
    kept_bytes: int = 0

    def __init__(self, handshake: Handshake) -> None:
        self.handshake = handshake

    # -- the door ---------------------------------------------------------------------------------------------------

    def credentials(self) -> Credentials:
        """What the handshake says of who the client is."""
        return Credentials.of(self.handshake.headers, self.handshake.query)

    def credentials_in(self, message: M) -> Credentials:
        """What the first message says of who the client is."""
        return Credentials()

    def check(self) -> None:
        """Reads path and query of a client that may come in. Raises RequestError: the client is refused."""

    def refusal(self, error: wire.Error) -> web.Response | None:
        """The HTTP answer to a handshake that is refused. None: the socket is opened, and tells why it closes."""
        return error_response(error)

    # -- in ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def decode(self, frame: WsFrame) -> M:
        """The message in a frame. Raises MessageError. It must not touch the state: for a large frame it is called in
        another thread."""

    @abstractmethod
    def take(self, message: M) -> Iterable[Action]:
        """The client has sent a message."""

    def unreadable(self, error: MessageError) -> Iterable[Action]:
        """The client has sent a frame that is no message."""
        return [error]

    def no_room(self, error: MessageError) -> Iterable[Action]:
        """The client may not have so much that waits. What came last is to be dropped, and no longer counted in
        `waiting_chars` and `kept_bytes`. It is only called where `keeps_messages`."""
        return self.unreadable(error)

    def tick(self) -> Iterable[Action]:
        """`tick_s` have passed since the last call, or since the socket was opened."""
        return ()

    # -- out --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def tell(self, message: wire.ServerMessage) -> Iterable[Action]:
        """The session says something. Sound comes in the format that its start asked for."""

    def closing(self, closing: Closing) -> tuple[Iterable[WsFrame], Closing]:
        """The socket is about to close: the last frames, and the code and reason to close with."""
        return (), closing
