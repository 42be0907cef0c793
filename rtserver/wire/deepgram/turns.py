"""What Aura and Flux have in common: text in pieces, in turns that are spoken one after the other.

Each turn is a context. It opens when the first letter has come, because the language of a voice depends on the text. A
turn that comes while another is spoken waits for its end, because sound carries no name of its turn.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from aiohttp import web

from rtserver.front.access import Credentials
from rtserver.messages import wire
from rtserver.session.outbox import Closing
from rtserver.wire.deepgram.errors import http_error
from rtserver.wire.deepgram.messages import Close, Flush, Speak, SpeakMessage
from rtserver.wire.deepgram.query import SpeakOffer, SpeakQuery
from rtserver.wire.dialect import Action, Dialect, Handshake

_SCHEMES = ("token", "bearer")


@dataclass
class Turn:
    """Text that ends at a Flush."""

    # Its context.
    name: str
    # All its text so far.
    text: str = ""
    # Whether all its text has come.
    flushed: bool = False
    # Whether its context was opened.
    opened: bool = False
    # Whether its context failed: the rest of its text is dropped.
    failed: bool = False
    # How often it was stopped before it was over.
    stops: int = 0
    # The id of its utterance.
    utterance: str = ""

    @property
    def is_due(self) -> bool:
        """Whether it can be opened."""
        return not self.opened and (self.flushed or any(map(str.isalpha, self.text)))


def credentials_of(handshake: Handshake) -> Credentials:
    """`Authorization: Token KEY`, or the subprotocols `token, KEY` of a browser, beside the usual places."""
    scheme, _, token = handshake.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "token" and token.strip():
        return Credentials(token.strip())
    offered = handshake.offered
    if len(offered) == 2 and offered[0] in _SCHEMES:
        return Credentials(offered[1])
    return Credentials.of(handshake.headers, handshake.query)


class TurnDialect(Dialect[SpeakMessage]):
    """The turns of one socket."""

    subprotocols = _SCHEMES
    keeps_messages = True

    def __init__(self, handshake: Handshake, *, offer: SpeakOffer) -> None:
        super().__init__(handshake)
        self._offer = offer
        self.query: SpeakQuery | None = None  # until `check`
        self.speed = 1.0  # of the next turn
        self._turns: deque[Turn] = deque()  # the first is spoken, the others wait
        self._opened = 0  # turns so far
        self._closing = False  # the client wants no more

    # -- what differs -----------------------------------------------------------------------------------------------

    @abstractmethod
    def command(self, message: SpeakMessage) -> Sequence[Action]:
        """The client has sent another message than Speak, Flush and Close."""

    @abstractmethod
    def greeting(self, ready: wire.Ready) -> str:
        """The first message."""

    @abstractmethod
    def begun(self, turn: Turn) -> Sequence[Action]:
        """A turn is about to sound."""

    @abstractmethod
    def over(self, turn: Turn, ended: wire.Done | wire.Cancelled | None) -> Sequence[Action]:
        """A turn that was flushed or stopped is over. None: nothing of it was spoken."""

    @abstractmethod
    def complaint(self, error: wire.Error) -> Sequence[Action]:
        """Something went wrong."""

    @abstractmethod
    def remark(self, warning: wire.Warning) -> str:
        """A part of a turn will not be done."""

    def farewell(self) -> Sequence[Action]:
        """The last messages of a socket that the client closes."""
        return ()

    # -- the door ---------------------------------------------------------------------------------------------------

    def credentials(self) -> Credentials:
        return credentials_of(self.handshake)

    def check(self) -> None:
        self.query = self._offer.on_a_socket(self.handshake.query)
        self.speed = self.query.speed

    def refusal(self, error: wire.Error) -> web.Response | None:
        return http_error(error)

    # -- in ---------------------------------------------------------------------------------------------------------

    def take(self, message: SpeakMessage) -> Sequence[Action]:
        if self._closing:
            return ()
        match message:
            case Speak(text):
                return self._speak(text)
            case Flush():
                return self._flush()
            case Close():
                self._closing = True
                unflushed = self._turns and not self._turns[-1].flushed
                return self._flush() if unflushed else self._go_on()
            case _:
                return self.command(message)

    @property
    def spoken_turn(self) -> Turn | None:
        """The turn whose context is open."""
        turn = self._turns[0] if self._turns else None
        return turn if turn is not None and turn.opened and not turn.failed else None

    def stop(self) -> Sequence[Action]:
        """Drops every turn. That which is spoken is over when the session says so."""
        spoken = self.spoken_turn
        self._turns.clear()
        self.waiting_chars = 0
        if spoken is None:
            return ()
        spoken.stops += 1
        spoken.flushed = True
        self._turns.append(spoken)
        return (wire.Cancel(spoken.name),)

    def _new_turn(self) -> Turn:
        self._opened += 1
        turn = Turn(f"turn-{self._opened}")
        self._turns.append(turn)
        return turn

    def _speak(self, text: str) -> Sequence[Action]:
        turn = self._turns[-1] if self._turns and not self._turns[-1].flushed else self._new_turn()
        if turn.failed:
            return ()
        turn.text += text
        if turn.opened:
            return (wire.Text(text, turn.name),)
        self.waiting_chars += len(text)
        return self._go_on()

    def _flush(self) -> Sequence[Action]:
        turn = self._turns[-1] if self._turns and not self._turns[-1].flushed else self._new_turn()
        turn.flushed = True
        if turn.opened and not turn.failed:
            return (wire.End(turn.name),)
        return self._go_on()

    def _go_on(self) -> Sequence[Action]:
        """Opens the turn that is due, after those that have nothing to say."""
        actions: list[Action] = []
        while self._turns:
            turn = self._turns[0]
            if turn.is_due and turn.text.strip():
                self.waiting_chars -= len(turn.text)
                turn.opened = True
                actions.append(self._start(turn))
                return actions
            if not turn.flushed or (turn.opened and not turn.failed):
                return actions
            self._turns.popleft()
            if not turn.opened:
                self.waiting_chars -= len(turn.text)
            actions += self.over(turn, None)
        if self._closing:
            actions += [*self.farewell(), Closing(1000, "")]
        return actions

    def _start(self, turn: Turn) -> wire.Start:
        query = self.query
        assert query is not None, "messages come after the check"
        return wire.Start(
            context=turn.name,
            voice=query.model,
            language=query.language,
            format=query.sound.name,
            sample_rate=query.sound.sample_rate,
            speed=self.speed,
            marks=False,
            text=turn.text,
            end=turn.flushed,
        )

    # -- out --------------------------------------------------------------------------------------------------------

    def tell(self, message: wire.ServerMessage) -> Sequence[Action]:
        match message:
            case wire.Ready():
                return (self.greeting(message),)
            case wire.Error():
                return self._failed(message)
            case wire.Pong():
                return ()
        turn = self.spoken_turn
        if turn is None or message.context != turn.name:
            return ()
        match message:
            case wire.Started():
                turn.utterance = message.id
                return self.begun(turn)
            case wire.Warning():
                return (self.remark(message),)
            case wire.Audio():
                return () if turn.stops else (message.data,)
            case wire.Done() | wire.Cancelled():
                self._turns.popleft()
                return (*self.over(turn, message), *self._go_on())
        return ()

    def _failed(self, error: wire.Error) -> Sequence[Action]:
        turn = self.spoken_turn
        if error.context is None:
            return self.complaint(error)
        if turn is None or error.context != turn.name:
            return ()
        turn.failed = True
        told = () if turn.stops else self.complaint(error)
        return (*told, *self._go_on())
