"""Text in pieces, in turns that are spoken one after the other: for protocols without names of contexts.

Each turn is a context. It opens when the first letter has come, because the language of a voice depends on the text. A
turn that comes while another is spoken waits for its end, because sound carries no name of its turn.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.messages.errors import error_message
from rtserver.session.outbox import Closing
from rtserver.wire.dialect import Action, Dialect, Handshake, M
from rtserver.wire.first_text import is_enough
from rtserver.wire.opening import Opening

# Of turns that wait.
MOST_WAITING_CHARS = 100_000
MOST_WAITING_TURNS = 1000


@dataclass
class Turn:
    """Text up to a flush."""

    # Its context.
    name: str
    # All its text so far.
    text: str = ""
    # Whether all its text has come.
    flushed: bool = False
    # Whether its context was opened.
    opened: bool = False
    # Whether it failed: the rest of its text is dropped.
    failed: bool = False
    # How often it was stopped before it was over.
    stops: int = 0
    # The id of its utterance.
    utterance: str = ""

    @property
    def is_due(self) -> bool:
        """Whether it can be opened."""
        return not (self.opened or self.failed) and is_enough(self.text, self.flushed)


class TurnDialect(Dialect[M]):
    """The turns of one socket. `take` of a dialect calls `speak`, `flush`, `stop` and `close`."""

    keeps_messages = True

    def __init__(self, handshake: Handshake) -> None:
        super().__init__(handshake)
        self._turns: deque[Turn] = deque()  # the first is spoken, the others wait
        self._begun = 0  # turns so far
        self.closes = False  # whether the client wants no more

    # -- what differs -----------------------------------------------------------------------------------------------

    @abstractmethod
    def greeting(self, ready: wire.Ready) -> Sequence[Action]:
        """What comes first."""

    @abstractmethod
    def opening(self, turn: Turn) -> Opening | wire.Start:
        """What opens the context of a turn, with its name and its text so far."""

    @abstractmethod
    def begun(self, turn: Turn, started: wire.Started) -> Sequence[Action]:
        """A turn is about to sound."""

    @abstractmethod
    def heard(self, turn: Turn, message: wire.Audio | wire.Mark) -> Sequence[Action]:
        """Sound of a turn, and words if its start asked for them."""

    @abstractmethod
    def over(self, turn: Turn, ended: wire.Done | wire.Cancelled | None) -> Sequence[Action]:
        """A turn that was flushed or stopped is over. None: nothing of it was spoken, or it failed."""

    @abstractmethod
    def complaint(self, error: wire.Error) -> Sequence[Action]:
        """Something went wrong."""

    @abstractmethod
    def remark(self, warning: wire.Warning) -> Sequence[Action]:
        """A part of a turn will not be done."""

    def farewell(self) -> Sequence[Action]:
        """The last messages of a socket that the client closes."""
        return ()

    # -- in ---------------------------------------------------------------------------------------------------------

    @property
    def spoken_turn(self) -> Turn | None:
        """The turn whose context is open."""
        turn = self._turns[0] if self._turns else None
        return turn if turn is not None and turn.opened and not turn.failed else None

    def speak(self, text: str) -> Sequence[Action]:
        """More text of the last turn, or the first of a new one."""
        turn = self._last_turn()
        if turn is None:
            return self._too_many()
        if turn.failed:
            return ()
        if not turn.opened and self.waiting_chars + len(text) > MOST_WAITING_CHARS:
            what = f"expected at most {MOST_WAITING_CHARS} characters of turns that wait, found more"
            return self._drop(turn, "text_too_long", what)
        turn.text += text
        if turn.opened:
            return (wire.Text(text, turn.name),)
        self.waiting_chars += len(text)
        return self._go_on()

    def flush(self) -> Sequence[Action]:
        """The text of the last turn is complete. Without text it is a turn that says nothing."""
        turn = self._last_turn()
        if turn is None:
            return self._too_many()
        turn.flushed = True
        if turn.opened and not turn.failed:
            return (wire.End(turn.name),)
        return self._go_on()

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

    def close(self) -> Sequence[Action]:
        """Closes the socket when all turns are over. The last one counts as flushed."""
        self.closes = True
        return self.flush() if self._turns and not self._turns[-1].flushed else self._go_on()

    def no_room(self, error: MessageError) -> Sequence[Action]:
        """The turn that takes text fails. Its flush is still answered: the client would wait for that."""
        turn = self._turns[-1] if self._turns else None
        if turn is None or turn.flushed or turn.opened or turn.failed:
            return self.complaint(error_message(error.code, str(error)))
        return self._drop(turn, error.code, str(error))

    def _drop(self, turn: Turn, code: str, text: str) -> Sequence[Action]:
        """A turn that waits fails."""
        self.waiting_chars -= len(turn.text)
        turn.text, turn.failed = "", True
        return self.complaint(error_message(code, text))

    def _last_turn(self) -> Turn | None:
        """The turn that takes text; None when too many wait already."""
        if self._turns and not self._turns[-1].flushed:
            return self._turns[-1]
        if len(self._turns) > MOST_WAITING_TURNS:
            return None
        self._begun += 1
        turn = Turn(f"turn-{self._begun}")
        self._turns.append(turn)
        return turn

    def _too_many(self) -> Sequence[Action]:
        what = f"expected at most {MOST_WAITING_TURNS} turns that wait, found more"
        return self.complaint(error_message("overloaded", what))

    def _go_on(self) -> Sequence[Action]:
        """Opens the turn that is due, after those that have nothing to say."""
        actions: list[Action] = []
        while self._turns:
            turn = self._turns[0]
            if turn.is_due:
                self.waiting_chars -= len(turn.text)
                turn.opened = True
                return [*actions, self.opening(turn)]
            if not turn.flushed or self.spoken_turn is not None:
                return actions
            self._turns.popleft()
            if not turn.opened:
                self.waiting_chars -= len(turn.text)
            actions += self.over(turn, None)
        if self.closes:
            actions += [*self.farewell(), Closing(1000, "")]
        return actions

    # -- out --------------------------------------------------------------------------------------------------------

    def tell(self, message: wire.ServerMessage) -> Sequence[Action]:
        match message:
            case wire.Ready():
                return self.greeting(message)
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
                return self.begun(turn, message)
            case wire.Warning():
                return self.remark(message)
            case wire.Audio() | wire.Mark():
                return () if turn.stops else self.heard(turn, message)
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
