"""The dialect of `/ws/v1/tts` alone: frames in, messages of the session out, and back."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.outbox import Closing
from rtserver.wire.dialect import Action, Handshake
from rtserver.wire.opening import Opening
from rtserver.wire.tts_v1.dialect import MAX_WAITING, TtsDialect

STARTED = wire.Started("main", "u_1", 1, "v", "pcm_s16le", 24000, 5, 7)
DONE = wire.Done("main", 40, {}, {}, 0)


def dialect(waiting_chars: int = 10_000) -> TtsDialect:
    return TtsDialect(Handshake({}, {}, {}), upload_bytes=1000, waiting_chars=waiting_chars)


def ask(asked: TtsDialect, **fields: Any) -> list[Action]:
    return list(asked.take(asked.decode(json.dumps(fields))))


def texts(actions: Iterable[Action]) -> list[str]:
    """What is to be spoken."""
    return [action.start.text for action in actions if isinstance(action, Opening)]


def test_one_request_at_a_time_becomes_a_start() -> None:
    """The next begins when the one before is done; between them there is nothing to say."""
    tts = dialect()
    assert texts(ask(tts, text="one")) == ["one"]
    assert ask(tts, text="two") == ask(tts, text="three") == []
    for text in ("two", "three"):
        assert tts.tell(STARTED) == ()
        told, *begun = tts.tell(DONE)
        assert isinstance(told, str) and json.loads(told)["id"] == "u_1" and texts(begun) == [text]
    assert tts.tell(STARTED) == () and len(tts.tell(DONE)) == 1


def test_an_unreadable_request_is_answered_in_its_turn() -> None:
    """Answers carry no name of their request: their order is that of the requests, also of those with an error."""
    tts = dialect()
    ask(tts, text="one")
    assert ask(tts, colour="red") == ask(tts, text="three") == []
    tts.tell(STARTED)
    _, error = tts.tell(DONE)
    assert isinstance(error, MessageError) and error.code == "unknown_field"
    told, *begun = tts.tell(wire.Error("unknown_field", str(error), context="main"))
    assert isinstance(told, str) and json.loads(told)["error"]["code"] == "unknown_field"
    assert texts(begun) == ["three"]


def test_a_request_too_many_is_refused_at_once() -> None:
    """By number and by size; the answer to it changes nothing for the one that is spoken."""
    tts = dialect()
    ask(tts, text="one")
    for _ in range(MAX_WAITING):
        assert ask(tts, text="more") == []
    small = dialect(waiting_chars=30)
    ask(small, text="one")
    for full, fields in ((tts, {"text": "x"}), (small, {"text": "x" * 30})):
        (refused,) = ask(full, **fields)
        assert isinstance(refused, MessageError) and refused.code == "overloaded"
        (told,) = full.tell(wire.Error("overloaded", "full", True, refused.raw["context"]))
        assert isinstance(told, str) and json.loads(told)["error"]["retryable"] is True


def test_sound_comes_as_the_request_wants_it() -> None:
    """As bytes, or as base64 in JSON; that ends with the request."""
    tts = dialect()
    audio = wire.Audio("main", 0, 0, b"\1\2", 1)
    ask(tts, text="one", encoding="base64")
    ask(tts, text="two")
    assert [json.loads(str(told)) for told in tts.tell(audio)] == [{"type": "audio_chunk", "data": "AQI="}]
    tts.tell(STARTED)
    tts.tell(DONE)
    assert tts.tell(audio) == (b"\1\2",)


def test_the_rest_of_a_session_is_not_told() -> None:
    """`ready` and marks have no place in this protocol; a close keeps its code."""
    tts = dialect()
    assert tts.tell(wire.Ready(1, "s", "m", 24000, 1, {})) == tts.tell(wire.Mark("main", "a", 0, 0, 1, True)) == ()
    assert tts.closing(Closing(1001, "stop")) == ((), Closing(1001, "stop"))
