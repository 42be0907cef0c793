"""What Aura and Flux have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

from aiohttp import web

from rtserver.front.access import Credentials
from rtserver.messages import wire
from rtserver.wire.deepgram.errors import http_error
from rtserver.wire.deepgram.messages import Close, Flush, Speak, SpeakMessage
from rtserver.wire.deepgram.query import SpeakOffer, SpeakQuery
from rtserver.wire.dialect import Action, Handshake
from rtserver.wire.turns import Turn, TurnDialect

_SCHEMES = ("token", "bearer")


def credentials_of(handshake: Handshake) -> Credentials:
    """`Authorization: Token KEY`, or the subprotocols `token, KEY` of a browser, beside the usual places."""
    scheme, _, token = handshake.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "token" and token.strip():
        return Credentials(token.strip())
    offered = handshake.offered
    if len(offered) == 2 and offered[0] in _SCHEMES:
        return Credentials(offered[1])
    return Credentials.of(handshake.headers, handshake.query)


class SpeakDialect(TurnDialect[SpeakMessage]):
    """A `speak` socket. Its query says how all turns are spoken."""

    subprotocols = _SCHEMES

    def __init__(self, handshake: Handshake, *, offer: SpeakOffer) -> None:
        super().__init__(handshake)
        self._offer = offer
        self._query: SpeakQuery | None = None  # until `check`
        self.speed = 1.0  # of the next turn

    @abstractmethod
    def command(self, message: SpeakMessage) -> Sequence[Action]:
        """The client has sent another message than Speak, Flush and Close."""

    @property
    def query(self) -> SpeakQuery:
        """What the client asked for when it came in."""
        assert self._query is not None, "nothing is said before the check"
        return self._query

    def credentials(self) -> Credentials:
        return credentials_of(self.handshake)

    def check(self) -> None:
        self._query = self._offer.on_a_socket(self.handshake.query)
        self.speed = self._query.speed

    def refusal(self, error: wire.Error) -> web.Response | None:
        return http_error(error)

    def take(self, message: SpeakMessage) -> Sequence[Action]:
        if self.closes:
            return ()
        match message:
            case Speak(text):
                return self.speak(text)
            case Flush():
                return self.flush()
            case Close():
                return self.close()
            case _:
                return self.command(message)

    def opening(self, turn: Turn) -> wire.Start:
        query = self.query
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

    def heard(self, turn: Turn, message: wire.Audio | wire.Mark) -> Sequence[Action]:
        return (message.data,) if isinstance(message, wire.Audio) else ()
