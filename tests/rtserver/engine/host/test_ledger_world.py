"""What holds however calls, messages, deaths and restarts follow each other."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rtserver.engine.host.ledger import Ledger
from rtserver.engine.host.steps import PARTS, Step, ToOwner
from rtserver.ipc.engine import Audio, Done, Failed, Flushed, Open, Started
from rtserver.ipc.message import Message
from rtserver.ipc.talker import Refused, SampleQuantum, StopQuantum, Tokens
from tests.rtserver.engine.host.ledger_world import Owned, World
from tests.rtserver.engine.host.ledgers import RATE, WORDS, audio, pcm, running, sample

# Living is commoner than dying, so that something comes about in between.
LIFE = ("open", "feed", "feed", "flush", "end", "hold", "heard") + ("take", "work", "read") * 5
DEATH = ("cancel", "die", "notice", "start", "start", "wait")
STEPS = st.lists(st.tuples(st.sampled_from(LIFE + DEATH), st.integers(0, 11)), max_size=120)
NOTHING_HELD = {"utterances": 0, "fed_messages": 0, "unanswered_quanta": 0, "recording_bytes": 0, "suspects": 0}


def lived(steps: list[tuple[str, int]]) -> World:
    """A world behind these steps and at rest."""
    world = World()
    for part in (0, 1):
        world.start(part)
    for step, choice in steps:
        getattr(world, step)(choice)
    world.settle()
    return world


@settings(max_examples=300, deadline=None)
@given(STEPS)
def test_everyone_gets_all_of_the_sound_once_or_one_failure(steps: list[tuple[str, int]]) -> None:
    """Whatever dies when: samples are delivered without gap or repeat, flushes are answered in order behind their
    sound, one Done or Failed is the last event, and afterwards nothing is held."""
    world = lived(steps)
    for owned in world.owned.values():
        assert owned.over
        if isinstance(owned.closing, Done):
            assert owned.started and owned.samples == owned.text and owned.flushed == len(owned.flush_ids)
        elif owned.closing is not None:
            assert owned.closing.code == "engine_lost"
    assert world.ledger.counts == NOTHING_HELD


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(LIFE), st.integers(0, 11)), max_size=120))
def test_where_nothing_dies_nothing_is_irregular(steps: list[tuple[str, int]]) -> None:
    """Without a death everyone is done and no sample comes twice."""
    world = lived(steps)
    assert all(isinstance(owned.closing, Done) for owned in world.owned.values())
    assert world.ledger.irregular_audio == 0


@pytest.mark.parametrize("victim", [0, 1])
@pytest.mark.parametrize("after", range(0, 60, 3))
def test_one_death_costs_nobody_anything(victim: int, after: int) -> None:
    """At whatever moment one process dies, every utterance is done with all of its sound."""
    steps = [("open", 0), ("feed", 4), ("open", 1), ("flush", 0), ("feed", 9), ("end", 0)]
    life = [(step, choice) for choice in (0, 1, 2, 3, 6, 7) for step in ("take", "take", "read", "work", "read")] * 2
    world = lived([*steps, *life[:after], ("die", victim), ("feed", 3), *life[after:]])
    assert [owned.samples for owned in world.owned.values()] == [owned.text for owned in world.owned.values()]
    assert [type(owned.closing) for owned in world.owned.values()] == [Done, Done]


# -- processes that say anything ------------------------------------------------------------------------------------

SAID = st.lists(
    st.tuples(
        st.sampled_from(["start", "flushed", "done", "failed", "sample", "stop", "answer", "death"] + ["audio"] * 8),
        st.integers(0, 1),
        st.integers(0, 12),
        st.integers(0, 6),
    ),
    max_size=60,
)


class Owners:
    """Takes what is delivered, and fails when samples are not those that come next or something follows an end."""

    def __init__(self) -> None:
        self.owned: dict[str, Owned] = {}
        self.numbers: list[int] = []

    def take(self, steps: list[Step]) -> None:
        for step in steps:
            if not isinstance(step, ToOwner):
                if isinstance(step.message, SampleQuantum) and step.part == "talker":
                    self.numbers.append(step.message.quantum)
            elif not isinstance(step.event, Audio) or step.event.pcm:
                self.owned[step.event.utterance].put(step.event)


@settings(max_examples=300, deadline=None)
@given(SAID)
def test_processes_that_say_anything_harm_nobody(said: list[tuple[str, int, int, int]]) -> None:
    """With processes that repeat, skip and contradict themselves, owners still get samples in order, without gap or
    repeat, at most one end and nothing behind it; at the end nothing is held."""
    ledger, owners = running(), Owners()
    for name in ("a", "b"):
        ledger.open(Open(name, "voice"), 0.0)
        owners.owned[name] = Owned(name, flush_ids=["f", "g", "h"], flush_points=[0, 0, 0])
        for flush_id in ("f", "g", "h"):
            ledger.flush(name, flush_id)
        ledger.feed(name, WORDS)
    names = list(owners.owned)
    for what, who, first, samples in said:
        name = names[who]
        flush = min(first, owners.owned[name].flushed, 2)  # the next one, or one that was answered
        acoustic: dict[str, Message] = {
            "start": Started(name, "voice", 1),
            "audio": audio(name, first, samples, b"record"),
            "flushed": Flushed(name, str(flush), 0.0),
            "done": Done(name, 1, [], 1, False, {}),
            "failed": Failed(name, "internal", "no"),
            "sample": sample(samples, utterance="x"),
            "stop": StopQuantum("x", samples),
        }
        if what in acoustic:
            owners.take(ledger.from_acoustic(acoustic[what]))
        elif what == "answer" and owners.numbers:
            number = owners.numbers[first % len(owners.numbers)]
            owners.take(ledger.from_talker(Refused("x", number, "no") if who else Tokens("x", number, [1], 0.1)))
        elif what == "death":
            owners.take(ledger.down(PARTS[who], "it broke", 0.0))
            owners.take(ledger.talker_up() if who == 0 else ledger.acoustic_up(RATE))
    owners.take(ledger.fail_all("the end"))
    assert all(owned.closing is not None for owned in owners.owned.values())
    owners.take(ledger.down("acoustic", "it broke", 0.0))
    assert ledger.counts == NOTHING_HELD and ledger.next_expiry_s is None


def test_the_world_notices_a_repeat_and_a_gap() -> None:
    """The owners of these tests fail on what must not be."""
    for wrong in (audio("u", 0, 5), audio("u", 6, 5), Audio("u", pcm(0, 5), 5 / RATE, 0), audio("other", 5, 5)):
        owned = Owned("u")
        owned.put(audio("u", 0, 5))
        with pytest.raises(AssertionError):
            owned.put(wrong)
    with pytest.raises(AssertionError, match="after the end"):
        Owned("u", cancelled=True).put(audio("u", 0, 5))
    assert Ledger(1.0).counts == NOTHING_HELD
