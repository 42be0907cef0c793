"""An utterance that waits for text gives its place back, and takes one again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtserver.ipc.engine import Failed, Open, Rested, Started
from tests.rtserver.engine.acoustic.loads import load_of
from tests.rtserver.front.scripted import Scripted, audio, letters


def scripted(streams: int = 1) -> Scripted:
    """On a machine that is said to carry so many streams that begin together."""
    made = Scripted()
    made.engine.load = load_of(streams)
    return made


def places(s: Scripted) -> tuple[int, int]:
    """What admission and the account count."""
    return s.admission.live("realtime"), s.accounts.held["places"]


def test_without_text_it_gives_its_place_back() -> None:
    """When the engine says that it rests. Its context is held on; another utterance has the place."""
    s = scripted()
    s.open()
    s.wait(5.0)
    s.engine.send(Rested("u", 0))
    assert places(s) == (0, 0) and s.accounts.held["contexts"] == 1
    s.open(Open("other", "voice"))
    assert places(s) == (1, 1)


def test_with_text_it_takes_a_place_again() -> None:
    """Text, a flush and the end go on in order."""
    s = scripted()
    utterance = s.open()
    s.wait(5.0)
    s.engine.send(Rested("u", 0))
    utterance.say("one ")
    utterance.flush("f")
    utterance.end()
    assert places(s) == (1, 1) and s.reader.told == ["one ", "flush", "end"]


def test_without_a_place_its_text_is_refused() -> None:
    """Nothing was heard of it: its client can try again elsewhere."""
    s = scripted()
    utterance = s.open()
    s.wait(5.0)
    s.engine.send(Rested("u", 0))
    s.open(Open("other", "voice"))
    utterance.say("one ")
    (failed,) = s.events
    assert isinstance(failed, Failed) and failed.code == "overloaded" and failed.retry_after_s
    assert "drop" in s.reader.told and s.accounts.held["contexts"] == 1


def fill(s: Scripted) -> None:
    """Others have all places of a machine that takes two that begin together: three, because their listeners have
    slack."""
    s.engine.load = replace(load_of(2), slack_s=[9.0] * 3)
    for name in ("other", "more", "third"):
        s.open(Open(name, "voice"))


def in_mid_turn(s: Scripted) -> None:
    """An utterance that was heard rests, and others have all places."""
    utterance = s.open()
    s.engine.send(Started("u", "voice", 1))
    utterance.say("one ")
    s.read(letters(4))
    s.engine.send(audio(1.0))
    s.wait(45.0)
    s.engine.send(Rested("u", 1))
    assert places(s) == (0, 0)
    fill(s)
    utterance.say("two ")
    utterance.end()


def test_in_mid_turn_it_waits_for_a_place() -> None:
    """45 s without text, and the machine is full: its text goes on when the next place is free."""
    s = scripted(2)
    in_mid_turn(s)
    s.wait(2.0)
    assert s.reader.told == ["one "]
    s.admission.over("other", s.now_s)
    s.wait(0.2)
    assert s.reader.told == ["one ", "two ", "end"] and not any(isinstance(event, Failed) for event in s.events)


def test_in_mid_turn_it_does_not_wait_for_ever() -> None:
    """After `ttfa_s` its client hears that there is no place."""
    s = scripted(2)
    in_mid_turn(s)
    s.wait(2.9)
    assert not any(isinstance(event, Failed) for event in s.events)
    s.wait(0.2)
    assert isinstance(s.events[-1], Failed) and s.events[-1].code == "overloaded"
    assert s.accounts.held["contexts"] == 3


def test_text_that_crosses_the_rest_keeps_the_place() -> None:
    """The engine rested before the text came to it."""
    s = scripted()
    utterance = s.open()
    s.wait(5.0)
    utterance.say("one ")
    s.engine.send(Rested("u", 0))
    assert places(s) == (1, 1)
    s.read(letters(4))
    s.wait(60.0)
    assert places(s) == (1, 1)


@pytest.mark.parametrize("rests_first", [True, False])
def test_text_of_which_nothing_comes_to_the_engine_keeps_no_place(rests_first: bool) -> None:
    """A piece of a word, which the reader holds back: after five seconds the place is free."""
    s = scripted()
    utterance = s.open()
    s.wait(5.0)
    if rests_first:
        s.engine.send(Rested("u", 0))
    utterance.say("wo")
    s.engine.send(Rested("u", 0))
    s.wait(4.9)
    assert places(s) == (1, 1)
    s.wait(0.2)
    assert places(s) == (0, 0)


def test_one_whose_sound_is_not_taken_gives_its_place_back() -> None:
    """After five seconds. When its client reads again it goes on, as soon as there is a place."""
    s = scripted(2)
    utterance = s.open()
    s.engine.send(Started("u", "voice", 1))
    s.engine.send(audio(1.0))
    utterance.hold(True)
    told = s.engine.utterance.told
    s.wait(4.9)
    assert places(s) == (1, 1) and told == [("hold", True)]
    s.wait(0.2)
    assert places(s) == (0, 0)
    fill(s)
    utterance.hold(False)
    s.wait(1.0)
    assert told == [("hold", True)]
    s.admission.over("other", s.now_s)
    s.wait(0.2)
    assert told == [("hold", True), ("hold", False)] and s.admission.live("realtime") == 3


def test_a_short_hold_keeps_the_place() -> None:
    """Also many of them."""
    s = scripted(1)
    utterance = s.open()
    for _ in range(10):
        utterance.hold(True)
        s.wait(3.0)
        utterance.hold(False)
        s.wait(3.0)
    assert places(s) == (1, 1) and s.engine.utterance.told == [("hold", True), ("hold", False)] * 10


def test_text_goes_on_to_an_engine_that_is_held() -> None:
    """It needs no place to keep text."""
    s = scripted(1)
    utterance = s.open()
    utterance.hold(True)
    s.wait(6.0)
    utterance.say("one ")
    assert places(s) == (0, 0) and s.reader.told == ["one "]


def test_what_is_over_holds_nothing() -> None:
    """While it rests, and while it waits for a place; no call comes later."""
    for waits in (False, True):
        s = scripted(2)
        if waits:
            in_mid_turn(s)
        utterance = s.open(Open("last", "voice")) if not waits else None
        if utterance is not None:
            s.engine.send(Rested("last", 0))
            utterance.stop()
            assert not +s.accounts.held
        s.wait(10.0)
