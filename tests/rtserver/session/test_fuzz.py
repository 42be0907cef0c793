"""Whatever a client sends, the native wire's input path answers it, and the session stays whole."""

from __future__ import annotations

import json
from random import Random

import msgpack
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from bench.load.fuzz import fuzz
from bench.load.fuzzing.frames import FIELDS, NAMES
from bench.load.fuzzing.player import BrokenRule, Outcome, Player
from rtserver.messages import wire
from rtserver.messages.codec import MessageError
from rtserver.session.effects import Effect, Send
from rtserver.session.session import Session

pytestmark = pytest.mark.model

EXAMPLES = settings(max_examples=200, deadline=None)
ANSWERS = wire.CODES | {"taken", "ignored"}
CHARACTERS = st.characters(exclude_categories=["Cs"])  # half a surrogate pair has no msgpack form
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(CHARACTERS)
    | st.sampled_from([*NAMES, *FIELDS, "type", "sft"])
)
VALUES = st.recursive(LEAVES, lambda v: st.lists(v) | st.dictionaries(st.text(CHARACTERS), v), max_leaves=8)
FIELD_NAMES = st.sampled_from([name for names in FIELDS.values() for name in names])
MESSAGES = st.builds(
    lambda kind, values: {"type": kind} | values,
    st.sampled_from(list(FIELDS)),
    st.dictionaries(FIELD_NAMES, VALUES, max_size=3),
)


def player_with_a_context() -> Player:
    """A session in which `main` is open."""
    player = Player(Random(3))
    assert player.take('{"type":"start"}').answer == "taken" and len(player.streams) == 1
    return player


def answer_of(outcome: Outcome) -> tuple[str, bool]:
    return outcome.answer, outcome.ended


@EXAMPLES
@given(st.binary())
def test_any_bytes_are_answered(data: bytes) -> None:
    """Bytes have an answer; after one that begins nothing in msgpack it is one error, and no context ends."""
    assert answer_of(player_with_a_context().take(b"\xc1" + data)) == ("bad_message", False)
    assert player_with_a_context().take(data).answer in ANSWERS


@EXAMPLES
@given(st.text())
def test_any_text_is_answered(text: str) -> None:
    """Text has an answer; after a character that begins nothing in JSON it is one error, and no context ends."""
    assert answer_of(player_with_a_context().take("!" + text)) == ("bad_message", False)
    assert player_with_a_context().take(text).answer in ANSWERS


@EXAMPLES
@given(VALUES | st.dictionaries(st.sampled_from(["type", "text", "context"]), VALUES))
def test_any_value_without_a_known_type_is_refused(value: object) -> None:
    """A JSON value is a message by its `type` alone; without a known one it ends nothing, in either form."""
    kind = value.get("type") if isinstance(value, dict) else None
    assume(kind not in list(FIELDS))
    expected = ("unknown_type" if isinstance(kind, str) else "bad_message", False)
    assert answer_of(player_with_a_context().take(json.dumps(value))) == expected
    assert answer_of(player_with_a_context().take(msgpack.packb(value))) == expected


@EXAMPLES
@given(MESSAGES)
def test_both_forms_are_answered_alike(message: dict[str, object]) -> None:
    """A message means the same as JSON and as msgpack, right or wrong."""
    in_json, in_msgpack = player_with_a_context(), player_with_a_context()
    outcome = in_json.take(json.dumps(message))
    assert answer_of(in_msgpack.take(msgpack.packb(message))) == answer_of(outcome)
    assert in_msgpack.streams == in_json.streams


@EXAMPLES
@given(VALUES.filter(lambda value: not isinstance(value, str)), st.sampled_from(["main", "a"]))
def test_text_that_cannot_be_read_ends_its_context(value: object, name: str) -> None:
    """A value where text is wanted ends the context that the message names, if it is open, and no other."""
    player = player_with_a_context()
    outcome = player.take(json.dumps({"type": "text", "text": value, "context": name}))
    assert answer_of(outcome) == ("bad_message", name == "main")
    assert len(player.streams) == (0 if name == "main" else 1)


def test_three_thousand_frames_break_nothing() -> None:
    """The fuzzer's first frames, of every source, are all answered, with every code that messages alone can reach."""
    report = fuzz(3000, 0)
    assert report.crashes == []
    assert report.frames == sum(report.answers.values()) == 3000
    assert set(report.sources) == {"good", "changed", "damaged", "noise", "nested", "crowd", "edge"}
    answers = {answer for answer, _ in report.answers}
    assert answers >= {"taken", "ignored", "bad_message", "unknown_field", "unknown_type", "unknown_context"}
    assert answers >= {"context_exists", "message_too_big", "text_too_long", "bad_audio"}
    assert answers <= ANSWERS
    assert report.ended["bad_message"] > 0


def test_a_crash_is_replayed_by_its_session(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fuzzer goes on after a crash, and its seed and number of frames show the same one again."""

    def refuse(session: Session, error: MessageError, now_s: float) -> list[Effect]:
        raise LookupError(f"cannot say {error.code}")

    monkeypatch.setattr(Session, "malformed", refuse)
    report = fuzz(20, 5)
    assert len(report.crashes) > 1
    assert report.crashes[1].error.startswith("LookupError: cannot say ")
    assert fuzz(report.crashes[1].frames, report.crashes[1].seed).crashes == [report.crashes[1]]


@pytest.mark.parametrize(
    ("effects", "broken"),
    [
        ([], "expected one error, found 0"),
        ([Send(wire.Error("bad_message", "no"))] * 2, "expected one error, found 2"),
        ([Send(wire.Pong("x")), Send(wire.Error("bad_message", "no"))], "the end of one context"),
        ([Send(wire.Error("bad_message", "x" * 1001))], "error bad_message of 1001 characters"),
        ([Send(wire.Error("bad_message", "\ud800"))], "Error cannot be encoded"),
    ],
)
def test_a_wrong_answer_is_found(effects: list[Effect], broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer that a bad frame may not get is told as a broken rule."""
    monkeypatch.setattr(Session, "malformed", lambda session, error, now_s: effects)
    with pytest.raises(BrokenRule, match=broken):
        player_with_a_context().take("nothing")
