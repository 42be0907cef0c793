"""What passes between the owners of utterances and the processes while nothing dies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtserver.engine.host.ledger import Ledger
from rtserver.engine.host.steps import ToOwner
from rtserver.ipc.engine import (
    Audio,
    Cancel,
    Done,
    End,
    Failed,
    Feed,
    Flush,
    Flushed,
    Heard,
    Hold,
    Hungry,
    Open,
    Started,
)
from rtserver.ipc.message import Message
from rtserver.ipc.process import Progress
from rtserver.ipc.talker import StopQuantum, TalkerReady, Tokens
from tests.rtserver.engine.host.ledgers import (
    RATE,
    WORDS,
    audio,
    delivered,
    number_of,
    opened,
    pcm,
    running,
    sample,
    to_acoustic,
)

NOTHING_ELSE = {"recording_bytes": 0, "suspects": 0}
NOTHING_HELD = {"utterances": 0, "fed_messages": 0, "unanswered_quanta": 0, **NOTHING_ELSE}


def done(name: str) -> Done:
    return Done(name, 3, [5, 6], 1, False, {"audio": 1.0})


def test_all_that_an_owner_says_goes_to_the_process() -> None:
    """The acoustic process gets it in order, with a number for each flush."""
    ledger = running()
    name = "u"
    assert ledger.open(Open(name, "voice", seed=3), 0.0) == to_acoustic(Open(name, "voice", seed=3))
    assert ledger.feed(name, WORDS) == to_acoustic(Feed(name, WORDS))
    assert ledger.flush(name, "mine") == to_acoustic(Flush(name, "0"))
    assert ledger.heard(name, 1.5) == to_acoustic(Heard(name, 1.5))
    assert ledger.hold(name, True) == to_acoustic(Hold(name, True))
    assert ledger.end(name) == to_acoustic(End(name))
    assert ledger.cancel(name) == to_acoustic(Cancel(name))


def test_events_come_back_as_they_are() -> None:
    """Each event of the process is delivered once to the owner."""
    ledger = running()
    name = opened(ledger)
    events = (Started(name, "voice", 28), audio(name, 0, 480, b"record"), Hungry(name), done(name))
    for event in events:
        assert ledger.from_acoustic(event) == [ToOwner(event)]


def test_a_hold_that_changes_nothing_is_not_sent() -> None:
    """Holding what is held and letting go what is not do nothing."""
    ledger = running()
    name = opened(ledger)
    assert ledger.hold(name, False) == []
    assert ledger.hold(name, True) != [] and ledger.hold(name, True) == []
    assert ledger.hold(name, False) == to_acoustic(Hold(name, False))


def test_a_name_is_taken_while_it_is_open() -> None:
    """A second utterance of one name is refused, and the first goes on."""
    ledger = running()
    name = opened(ledger)
    with pytest.raises(ValueError, match="expected a new utterance, found 'u', which is open"):
        ledger.open(Open("u", "voice"), 0.0)
    assert ledger.live == 1 and ledger.feed(name, WORDS) == to_acoustic(Feed(name, WORDS))


@pytest.mark.parametrize("end", ["done", "failed", "cancel", "fail_all"])
def test_an_utterance_that_is_over_is_forgotten(end: str) -> None:
    """After its end nothing is held, and late calls and messages about it do nothing, also when another is open."""
    ledger = running()
    name = opened(ledger)
    ledger.feed(name, WORDS)
    ledger.flush(name, "f")
    ends = {
        "done": lambda: ledger.from_acoustic(done(name)),
        "failed": lambda: ledger.from_acoustic(Failed(name, "internal", "no")),
        "cancel": lambda: ledger.cancel(name),
        "fail_all": lambda: ledger.fail_all("over"),
    }
    assert ends[end]() != []
    assert ledger.counts == NOTHING_HELD and ledger.live == 0
    for other in (None, "other"):
        if other is not None:
            opened(ledger, other)
        late: list[Message] = [Started(name, "voice", 28), audio(name, 0, 480), Hungry(name), Flushed(name, "0", 0.0)]
        for message in (*late, done(name), Failed(name, "internal", "no")):
            assert ledger.from_acoustic(message) == []
        assert ledger.feed(name, WORDS) == ledger.flush(name, "f") == ledger.end(name) == ledger.heard(name, 1.0) == []
        assert ledger.hold(name, True) == ledger.cancel(name) == []
    assert ledger.counts == {**NOTHING_HELD, "utterances": 1}


def test_flushes_are_answered_with_the_owners_ids() -> None:
    """The process sees numbers, the owner its own ids, twice the same one too."""
    ledger = running()
    name = opened(ledger)
    ids = ["b", "a", "b"]
    assert [ledger.flush(name, i) for i in ids] == [to_acoustic(Flush(name, str(n))) for n in range(3)]
    answers = [ledger.from_acoustic(Flushed(name, str(n), n / 2)) for n in range(3)]
    assert answers == [[ToOwner(Flushed("u", i, n / 2))] for n, i in enumerate(ids)]


def test_a_flush_is_answered_once() -> None:
    """An answer that repeats is not told again."""
    ledger = running()
    name = opened(ledger)
    ledger.flush(name, "a")
    ledger.flush(name, "b")
    assert delivered(ledger.from_acoustic(Flushed(name, "0", 0.5))) == [Flushed("u", "a", 0.5)]
    assert ledger.from_acoustic(Flushed(name, "0", 0.5)) == []
    assert delivered(ledger.from_acoustic(Flushed(name, "1", 0.5))) == [Flushed("u", "b", 0.5)]
    assert ledger.from_acoustic(Flushed(name, "1", 0.5)) == ledger.from_acoustic(Flushed(name, "0", 0.5)) == []


def test_an_utterance_starts_once() -> None:
    """A second Started is not told."""
    ledger = running()
    name = opened(ledger)
    assert delivered(ledger.from_acoustic(Started(name, "voice", 28))) == [Started("u", "voice", 28)]
    assert ledger.from_acoustic(Started(name, "voice", 28)) == []


def test_what_a_process_has_no_business_to_say_is_nothing() -> None:
    """Messages of the wrong kind or from the wrong side change nothing."""
    ledger = running()
    name = opened(ledger)
    number = number_of(ledger.from_acoustic(sample(1)))
    foreign: list[Message] = [Tokens("key", number, [7], 0.25), Progress("acoustic", "busy"), Cancel(name), End(name)]
    assert [ledger.from_acoustic(message) for message in foreign] == [[]] * 4
    foreign = [audio(name, 0, 480), done(name), StopQuantum("key", 1), TalkerReady(100, 0.5), sample(2)]
    assert [ledger.from_talker(message) for message in foreign] == [[]] * 5
    assert ledger.counts == {"utterances": 1, "fed_messages": 0, "unanswered_quanta": 1, **NOTHING_ELSE}


def test_audio_that_repeats_is_trimmed() -> None:
    """Samples that were delivered are cut off in front, whole messages of them are dropped, and each is counted."""
    ledger = running()
    name = opened(ledger)
    assert delivered(ledger.from_acoustic(audio(name, 0, 480))) == [audio("u", 0, 480)]
    assert ledger.irregular_audio == 0
    (cut,) = delivered(ledger.from_acoustic(audio(name, 240, 480)))
    assert isinstance(cut, Audio) and cut == replace(audio("u", 240, 480), pcm=pcm(480, 240), start_s=480 / RATE)
    assert ledger.from_acoustic(audio(name, 0, 480)) == ledger.from_acoustic(audio(name, 240, 480)) == []
    assert delivered(ledger.from_acoustic(audio(name, 720, 1))) == [audio("u", 720, 1)]
    assert delivered(ledger.from_acoustic(audio(name, 721, 0))) == [audio("u", 721, 0)]  # nothing repeats
    assert ledger.irregular_audio == 3


def test_a_gap_fails_the_utterance() -> None:
    """Sound that is missing cannot be made up for: `internal`, with the places, and the process stops its work."""
    ledger = running()
    name, other = opened(ledger), opened(ledger, "other")
    ledger.from_acoustic(audio(name, 0, 480))
    reason = "the acoustic process left a gap: expected audio from sample 480, found it from 481"
    failed = [ToOwner(Failed("u", "internal", reason)), *to_acoustic(Cancel(name))]
    assert ledger.from_acoustic(audio(name, 481, 480)) == failed
    assert ledger.irregular_audio == 1 and ledger.from_acoustic(audio(name, 480, 480)) == []
    assert delivered(ledger.from_acoustic(audio(other, 0, 480))) == [audio("other", 0, 480)]


def test_every_place_in_a_long_utterance_is_exact() -> None:
    """Positions in seconds find their sample after an hour of sound too."""
    ledger = running()
    name = opened(ledger, resume=b"record")
    first = 3600 * RATE + 1
    for _ in range(100):
        assert delivered(ledger.from_acoustic(audio(name, first, 7))) == [audio("u", first, 7)]
        first += 7
    assert ledger.irregular_audio == 0


def test_an_utterance_that_was_resumed_goes_on_anywhere() -> None:
    """With a record from before, the first sound tells where it goes on; from there on there is no gap."""
    ledger = running()
    name = opened(ledger, resume=b"record")
    assert delivered(ledger.from_acoustic(audio(name, 9600, 480))) == [audio("u", 9600, 480)]
    assert delivered(ledger.from_acoustic(audio(name, 10080, 480))) == [audio("u", 10080, 480)]
    assert ledger.irregular_audio == 0
    (failed,) = delivered(ledger.from_acoustic(audio(name, 20000, 480))[:1])
    assert isinstance(failed, Failed) and failed.code == "internal"


def test_everyone_fails_together() -> None:
    """All that is open fails with engine_lost and the reason, in the order of opening, and nothing is held."""
    ledger = running()
    names = [opened(ledger, name) for name in "ab"]
    assert ledger.fail_all("the end") == [
        ToOwner(Failed("a", "engine_lost", "the end")),
        *to_acoustic(Cancel(names[0])),
        ToOwner(Failed("b", "engine_lost", "the end")),
        *to_acoustic(Cancel(names[1])),
    ]
    assert ledger.counts == NOTHING_HELD and ledger.fail_all("again") == []


def test_counts_tell_what_is_held() -> None:
    """Utterances, what was fed to them, and quanta that nobody has answered."""
    ledger = Ledger(30.0)
    assert ledger.counts == NOTHING_HELD
    name, other = opened(ledger), opened(ledger, "other")
    ledger.feed(name, WORDS)
    ledger.feed(other, WORDS)
    ledger.flush(name, "f")
    ledger.end(name)
    ledger.from_acoustic(sample(1))
    assert ledger.counts == {"utterances": 2, "fed_messages": 4, "unanswered_quanta": 1, **NOTHING_ELSE}
    assert ledger.live == 2
    ledger.cancel(name)
    assert ledger.counts == {"utterances": 1, "fed_messages": 1, "unanswered_quanta": 1, **NOTHING_ELSE}
