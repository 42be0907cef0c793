"""A dialect for tests: a key in the first message, sound and its words in one message, and no context ids.

> {"key": "..."}
> {"sing": "one two three"}      as often as one likes
> {"stop": true}                 drops what is sung
< {"words": ["one"], "sound": "..."}
< {"sung": true}, {"stopped": true}, {"sorry": "..."}
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable
from typing import Any

from aiohttp import web

from rtserver.front.access import Credentials
from rtserver.front.app import App
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.outbox import Closing, WsFrame
from rtserver.wire.dialect import Action, Dialect, Handshake
from rtserver.wire.door import socket_route

Message = dict[str, Any]


class Karaoke(Dialect[Message]):
    """Songs follow each other: one that comes while another is sung waits. `?format=` is how they sound."""

    key_in_first_message = True

    def __init__(self, handshake: Handshake) -> None:
        super().__init__(handshake)
        self._waiting: list[str] = []
        self._sings = False
        self._words: list[str] = []

    def credentials_in(self, message: Message) -> Credentials:
        return Credentials(message.get("key"))

    def refusal(self, error: wire.Error) -> web.Response | None:
        return None  # told on the socket

    def decode(self, frame: WsFrame) -> Message:
        try:
            message = json.loads(frame)
        except ValueError as error:
            raise MessageError("bad_message", f"expected JSON, found {frame[:20]!r}") from error
        if not isinstance(message, dict) or not isinstance(message.get("sing", ""), str):
            raise MessageError("bad_message", "expected an object, with a string to sing")
        return message

    def take(self, message: Message) -> Iterable[Action]:
        if "sing" in message:
            self._waiting.append(message["sing"])
            return self._next()
        if "stop" in message:
            self._waiting.clear()
            return (wire.Cancel(),)
        return ()

    def tell(self, message: wire.ServerMessage) -> Iterable[Action]:
        match message:
            case wire.Mark():
                self._words.append(message.text)
            case wire.Audio():
                words, self._words = self._words, []
                return (json.dumps({"words": words, "sound": base64.b64encode(message.data).decode()}),)
            case wire.Done() | wire.Cancelled():
                self._sings = False
                over = "sung" if isinstance(message, wire.Done) else "stopped"
                return (json.dumps({over: True}), *self._next())
            case wire.Error():
                self._sings = self._sings and message.context is None
                return (json.dumps({"sorry": message.message, "id": message.id}), *self._next())
        return ()

    def closing(self, closing: Closing) -> tuple[Iterable[WsFrame], Closing]:
        return ('{"bye": true}',), closing

    def _next(self) -> Iterable[Action]:
        if self._sings or not self._waiting:
            return ()
        self._sings, self._words = True, []
        song = self._waiting.pop(0)
        return (wire.Start(format=self.handshake.query.get("format", "pcm_s16le"), text=song, end=True, seed=3),)


def routes(app: App) -> list[web.RouteDef]:
    return [web.get("/karaoke", socket_route(app, Karaoke))]
