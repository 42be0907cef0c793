"""Which utterance fails when a process dies again and again, and what is refused afterwards."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from rtserver.engine.host.ledger import Ledger
from rtserver.engine.host.steps import Part, Step, ToOwner, ToProcess
from rtserver.ipc.engine import Audio, Cancel, Failed, Feed, Open, Started
from rtserver.ipc.message import Message
from rtserver.ipc.preparing import Recording
from rtserver.ipc.reading import Segment
from rtserver.ipc.talker import SampleQuantum, StopQuantum, Tokens
from tests.rtserver.engine.host.ledgers import (
    RATE,
    WORDS,
    delivered,
    number_of,
    opened,
    running,
    sample,
    to_acoustic,
)


def text(number: int) -> list[Segment]:
    """Another text for each number."""
    return [Segment([number, 1, 2], 0, True)]


def worked_on(ledger: Ledger, *names: str) -> None:
    """Open utterances with a text each, which both processes work on."""
    for number, name in enumerate(names):
        opened(ledger, name)
        ledger.feed(name, text(number))
        ledger.from_acoustic(Started(name, "voice", 1))
        ledger.from_acoustic(sample(1, utterance=name))


def die(ledger: Ledger, part: Part, now_s: float) -> list[Step]:
    """A process dies and is replaced. Returns what the owners are told, and what the new process is told."""
    steps = ledger.down(part, f"i_{now_s:g}", now_s)
    steps = [step for step in steps if isinstance(step, ToOwner)]
    return steps + (ledger.talker_up() if part == "talker" else ledger.acoustic_up(RATE))


def told(steps: Sequence[Step], part: Part) -> list[str]:
    """The utterances whose work a process gets, in order."""
    messages = [step.message for step in steps if isinstance(step, ToProcess) and step.part == part]
    return [m.utterance for m in messages if isinstance(m, Open | SampleQuantum)]


@pytest.mark.parametrize("part", ["acoustic", "talker"])
def test_one_that_was_alone_at_two_deaths_fails(part: Part) -> None:
    """With engine_lost and the incident; those that came later and gave no work go on."""
    ledger = running()
    worked_on(ledger, "u")
    assert told(die(ledger, part, 1.0), part) == ["u"]
    if part == "acoustic":
        ledger.from_acoustic(sample(1, utterance="u"))
    opened(ledger, "idle")
    ledger.from_acoustic(Started("idle", "voice", 1))
    steps = ledger.down(part, "i_2", 2.0)
    reason = (
        f"the {part} process was lost each time it worked on this utterance (i_2): the same text or recording is "
        "refused for 300 s"
    )
    assert steps[0 if part == "talker" else -1] == ToOwner(Failed("u", "engine_lost", reason, 300.0))
    assert ledger.live == 1


@pytest.mark.parametrize("part", ["acoustic", "talker"])
@pytest.mark.parametrize("culprit", ["a", "b", "c"])
def test_of_several_only_the_culprit_fails(part: Part, culprit: str) -> None:
    """After the second death each has its turn, one after the other, until the process dies of one."""
    ledger, now_s, failed = running(), 0.0, []
    names = ["a", "b", "c"]
    worked_on(ledger, *names)
    at_work = list(names)
    for _ in range(30):
        now_s += 1.0
        if culprit in at_work:
            steps = die(ledger, part, now_s)
            failed += [step.event for step in steps if isinstance(step, ToOwner)]
            at_work = told(steps, part)
            if part == "acoustic":
                for name in at_work:
                    ledger.from_acoustic(sample(1, utterance=name))
        else:  # a turn is 5 s
            at_work += told(ledger.expire(now_s), part)
    assert [event.utterance for event in failed] == [culprit]
    assert sorted(at_work) == [name for name in names if name != culprit] and ledger.live == 2


def test_a_suspects_messages_wait_for_its_turn() -> None:
    """The acoustic process hears nothing of it before; then it gets everything in order."""
    ledger = running()
    worked_on(ledger, "a", "b")
    die(ledger, "acoustic", 1.0)
    assert told(die(ledger, "acoustic", 2.0), "acoustic") == []
    new = opened(ledger, "new", 3.0)
    assert ledger.feed("a", WORDS) == ledger.hold("a", True) == [] and ledger.heard("b", 1.0) == []
    assert ledger.feed(new, WORDS) == to_acoustic(Feed(new, WORDS))
    assert told(ledger.expire(4.0), "acoustic") == ["a"]
    assert ledger.feed("b", WORDS) == [] and ledger.feed("a", WORDS) == to_acoustic(Feed("a", WORDS))
    assert ledger.cancel("b") == [] and ledger.cancel("a") == to_acoustic(Cancel("a"))
    ledger.cancel(new)
    assert not any(ledger.counts.values())


def test_a_suspects_quanta_wait_for_its_turn() -> None:
    """The talker samples those of the others meanwhile; a stop of one that waits is not sent."""
    ledger = running()
    worked_on(ledger, "a", "b")
    die(ledger, "talker", 1.0)
    assert told(die(ledger, "talker", 2.0), "talker") == []
    opened(ledger, "new", 3.0)
    assert told(ledger.from_acoustic(sample(1, utterance="new")), "talker") == ["new"]
    assert told(ledger.expire(4.0), "talker") == ["a"]
    assert ledger.from_acoustic(StopQuantum("b", 1)) == ledger.from_acoustic(sample(2, utterance="b")) == []
    steps = ledger.expire(9.0)
    assert told(steps, "talker") == ["b"]
    answer = Tokens("b", number_of(steps), [5], 0.1)
    assert ledger.from_talker(answer) == to_acoustic(Tokens("b", 2, [5], 0.1))


def test_the_same_text_is_refused_for_a_while() -> None:
    """As soon as all of it has come; the same tenant's other texts and the others' same text are not."""
    ledger = running()
    opened(ledger, "u", tenant="t")
    ledger.feed("u", text(7))
    die(ledger, "acoustic", 1.0)
    die(ledger, "acoustic", 2.0)
    opened(ledger, "again", 10.0, tenant="t")
    assert ledger.feed("again", text(7)[:0]) == to_acoustic(Feed("again", []))
    failed, cancelled = ledger.feed("again", text(7))
    reason = (
        "a process was lost over the same text or recording less than 300 s ago: send another one, or this one later"
    )
    assert failed == ToOwner(Failed("again", "engine_lost", reason, 300.0))
    assert [cancelled] == to_acoustic(Cancel("again"))
    for name, tenant, number in (("other tenant", "s", 7), ("other text", "t", 8)):
        opened(ledger, name, 10.0, tenant=tenant)
        assert ledger.feed(name, text(number)) == to_acoustic(Feed(name, text(number)))
    opened(ledger, "later", 302.0, tenant="t")
    assert ledger.feed("later", text(7)) == to_acoustic(Feed("later", text(7)))


def test_the_same_recording_is_refused_at_once() -> None:
    """For speech that needs no text."""
    ledger = running()
    source = Recording(b"\1\0" * 100, 16000)
    opened(ledger, "u", mode="vc", source_audio=source)
    die(ledger, "acoustic", 1.0)
    die(ledger, "acoustic", 2.0)
    steps = ledger.open(Open("again", "voice", mode="vc", source_audio=source), 3.0)
    (failed,) = delivered(steps[:1])
    assert isinstance(failed, Failed) and failed.retry_after_s == 300.0 and ledger.live == 0


def test_a_request_that_no_process_can_be_sent_leaves_nothing() -> None:
    """Half a surrogate pair cannot be written: the caller is told, and no process ever hears of the request."""
    ledger = running()
    with pytest.raises(ValueError, match="surrogates not allowed"):
        ledger.open(Open("u", "voice\ud800", prompt_audio=Recording(b"\1\0" * 100, 16000)), 0.0)
    assert not any(ledger.counts.values())
    assert ledger.open(Open("u", "voice"), 0.0) == to_acoustic(Open("u", "voice"))


def test_one_that_cannot_be_told_something_fails_alone() -> None:
    """A message that cannot be written ends its utterance; of one that is over nothing is said."""
    ledger = running()
    opened(ledger)
    assert ledger.unsendable("u", "no") == [ToOwner(Failed("u", "bad_message", "no")), *to_acoustic(Cancel("u"))]
    assert ledger.unsendable("u", "no") == []


def test_an_utterance_for_which_the_talker_does_nothing_fails() -> None:
    """After stalled_s, while others get their answers; the time without a talker does not count."""
    ledger = running(stalled_s=60.0)
    worked_on(ledger, "stuck", "well")
    quantum, now_s = 1, 0.0
    failed: list[Message] = []
    while not failed and now_s < 1000.0:
        assert ledger.next_expiry_s is not None
        now_s = max(now_s, ledger.next_expiry_s)
        failed = delivered([step for step in ledger.expire(now_s) if isinstance(step, ToOwner)])
        numbers = [n for n, s in ledger._unanswered.items() if s.utterance == "well"]
        ledger.from_talker(Tokens("well", numbers[0], [1], 0.1))
        quantum += 1
        ledger.from_acoustic(sample(quantum, utterance="well"))
    assert failed == [Failed("stuck", "engine_lost", "the talker gave no speech for 60 s: start it again later")]
    assert now_s == 60.0 and ledger.live == 1


def test_sound_that_goes_on_is_not_disturbed_by_anothers_turn() -> None:
    """An utterance that was at work at one death only goes on with the new process at once."""
    ledger = running()
    worked_on(ledger, "a", "b")
    die(ledger, "acoustic", 1.0)
    worked_on(ledger, "c")
    assert told(die(ledger, "acoustic", 2.0), "acoustic") == ["c"]
    sound = Audio("c", b"\0\0", 0.0, 1)
    assert delivered(ledger.from_acoustic(sound)) == [sound]
