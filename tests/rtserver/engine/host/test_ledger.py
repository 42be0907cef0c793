"""What passes between the owners of utterances and the processes while nothing dies."""

from __future__ import annotations

from dataclasses import replace

import pytest

from rtserver.engine.host.ledger import Ledger, ToOwner
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
from rtserver.ipc.framing import Message
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

NOTHING_HELD = {"utterances": 0, "fed_messages": 0, "unanswered_quanta": 0, "recording_bytes": 0}


def done(key: str) -> Done:
    return Done(key, 3, [5, 6], 1, False, {"audio": 1.0})


def test_an_utterance_goes_to_the_process_under_a_key() -> None:
    """All that its owner says reaches the acoustic process in order, under a key that is not the owner's name."""
    ledger = running()
    key, steps = ledger.open(Open("u", "voice", seed=3), 0.0)
    assert key != "u" and steps == to_acoustic(Open(key, "voice", seed=3))
    assert ledger.feed(key, WORDS) == to_acoustic(Feed(key, WORDS))
    assert ledger.flush(key, "mine") == to_acoustic(Flush(key, "0"))
    assert ledger.heard(key, 1.5) == to_acoustic(Heard(key, 1.5))
    assert ledger.hold(key, True) == to_acoustic(Hold(key, True))
    assert ledger.end(key) == to_acoustic(End(key))
    assert ledger.cancel(key) == to_acoustic(Cancel(key))


def test_events_come_back_under_the_owners_name() -> None:
    """Each event of the process is delivered once to the owner, with nothing changed but the name."""
    ledger = running()
    key = opened(ledger)
    events = (Started(key, "voice", 28), audio(key, 0, 480, b"record"), Hungry(key), done(key))
    for event in events:
        assert ledger.from_acoustic(event) == [ToOwner(key, replace(event, utterance="u"))]


def test_a_hold_that_changes_nothing_is_not_sent() -> None:
    """Holding what is held and letting go what is not do nothing."""
    ledger = running()
    key = opened(ledger)
    assert ledger.hold(key, False) == []
    assert ledger.hold(key, True) != [] and ledger.hold(key, True) == []
    assert ledger.hold(key, False) == to_acoustic(Hold(key, False))


def test_a_name_is_taken_while_it_is_open() -> None:
    """A second utterance of one name is refused, and the first goes on."""
    ledger = running()
    key = opened(ledger)
    with pytest.raises(ValueError, match="expected a new name, found utterance 'u', which is open"):
        ledger.open(Open("u", "voice"), 0.0)
    assert ledger.live == 1 and ledger.feed(key, WORDS) == to_acoustic(Feed(key, WORDS))


@pytest.mark.parametrize("end", ["done", "failed", "cancel", "fail_all"])
def test_an_utterance_that_is_over_is_forgotten(end: str) -> None:
    """After its end its name is free, nothing is held, and late calls and messages about it do nothing, also when
    its name is open again."""
    ledger = running()
    key = opened(ledger)
    ledger.feed(key, WORDS)
    ledger.flush(key, "f")
    ends = {
        "done": lambda: ledger.from_acoustic(done(key)),
        "failed": lambda: ledger.from_acoustic(Failed(key, "internal", "no")),
        "cancel": lambda: ledger.cancel(key),
        "fail_all": lambda: ledger.fail_all("over"),
    }
    assert ends[end]() != []
    assert ledger.counts == NOTHING_HELD and ledger.live == 0
    for name in (None, "u"):
        if name is not None:
            assert opened(ledger, name) != key
        late: list[Message] = [Started(key, "voice", 28), audio(key, 0, 480), Hungry(key), Flushed(key, "0", 0.0)]
        for message in (*late, done(key), Failed(key, "internal", "no")):
            assert ledger.from_acoustic(message) == []
        assert ledger.feed(key, WORDS) == ledger.flush(key, "f") == ledger.end(key) == ledger.heard(key, 1.0) == []
        assert ledger.hold(key, True) == ledger.cancel(key) == []
    assert ledger.counts == {**NOTHING_HELD, "utterances": 1}


def test_flushes_are_answered_with_the_owners_ids() -> None:
    """The process sees numbers, the owner its own ids, twice the same one too."""
    ledger = running()
    key = opened(ledger)
    ids = ["b", "a", "b"]
    assert [ledger.flush(key, i) for i in ids] == [to_acoustic(Flush(key, str(n))) for n in range(3)]
    answers = [ledger.from_acoustic(Flushed(key, str(n), n / 2)) for n in range(3)]
    assert answers == [[ToOwner(key, Flushed("u", i, n / 2))] for n, i in enumerate(ids)]


def test_a_flush_is_answered_once() -> None:
    """An answer that repeats is not told again."""
    ledger = running()
    key = opened(ledger)
    ledger.flush(key, "a")
    ledger.flush(key, "b")
    assert delivered(ledger.from_acoustic(Flushed(key, "0", 0.5))) == [Flushed("u", "a", 0.5)]
    assert ledger.from_acoustic(Flushed(key, "0", 0.5)) == []
    assert delivered(ledger.from_acoustic(Flushed(key, "1", 0.5))) == [Flushed("u", "b", 0.5)]
    assert ledger.from_acoustic(Flushed(key, "1", 0.5)) == ledger.from_acoustic(Flushed(key, "0", 0.5)) == []


def test_an_utterance_starts_once() -> None:
    """A second Started is not told."""
    ledger = running()
    key = opened(ledger)
    assert delivered(ledger.from_acoustic(Started(key, "voice", 28))) == [Started("u", "voice", 28)]
    assert ledger.from_acoustic(Started(key, "voice", 28)) == []


def test_what_a_process_has_no_business_to_say_is_nothing() -> None:
    """Messages of the wrong kind or from the wrong side change nothing."""
    ledger = running()
    key = opened(ledger)
    number = number_of(ledger.from_acoustic(sample(1)))
    foreign: list[Message] = [Tokens("key", number, [7], 0.25), Progress("acoustic", "busy"), Cancel(key), End(key)]
    assert [ledger.from_acoustic(message) for message in foreign] == [[]] * 4
    foreign = [audio(key, 0, 480), done(key), StopQuantum("key", 1), TalkerReady(100, 0.5), sample(2)]
    assert [ledger.from_talker(message) for message in foreign] == [[]] * 5
    assert ledger.counts == {"utterances": 1, "fed_messages": 0, "unanswered_quanta": 1, "recording_bytes": 0}


def test_audio_that_repeats_is_trimmed() -> None:
    """Samples that were delivered are cut off in front, whole messages of them are dropped, and each is counted."""
    ledger = running()
    key = opened(ledger)
    assert delivered(ledger.from_acoustic(audio(key, 0, 480))) == [audio("u", 0, 480)]
    assert ledger.irregular_audio == 0
    (cut,) = delivered(ledger.from_acoustic(audio(key, 240, 480)))
    assert isinstance(cut, Audio) and cut == replace(audio("u", 240, 480), pcm=pcm(480, 240), start_s=480 / RATE)
    assert ledger.from_acoustic(audio(key, 0, 480)) == ledger.from_acoustic(audio(key, 240, 480)) == []
    assert delivered(ledger.from_acoustic(audio(key, 720, 1))) == [audio("u", 720, 1)]
    assert delivered(ledger.from_acoustic(audio(key, 721, 0))) == [audio("u", 721, 0)]  # nothing repeats
    assert ledger.irregular_audio == 3


def test_a_gap_fails_the_utterance() -> None:
    """Sound that is missing cannot be made up for: `internal`, with the places, and the process stops its work."""
    ledger = running()
    key, other = opened(ledger), opened(ledger, "other")
    ledger.from_acoustic(audio(key, 0, 480))
    reason = "the acoustic process left a gap: expected audio from sample 480, found it from 481"
    failed = [ToOwner(key, Failed("u", "internal", reason)), *to_acoustic(Cancel(key))]
    assert ledger.from_acoustic(audio(key, 481, 480)) == failed
    assert ledger.irregular_audio == 1 and ledger.from_acoustic(audio(key, 480, 480)) == []
    assert delivered(ledger.from_acoustic(audio(other, 0, 480))) == [audio("other", 0, 480)]


def test_every_place_in_a_long_utterance_is_exact() -> None:
    """Positions in seconds find their sample after an hour of sound too."""
    ledger = running()
    key = opened(ledger, resume=b"record")
    first = 3600 * RATE + 1
    for _ in range(100):
        assert delivered(ledger.from_acoustic(audio(key, first, 7))) == [audio("u", first, 7)]
        first += 7
    assert ledger.irregular_audio == 0


def test_an_utterance_that_was_resumed_goes_on_anywhere() -> None:
    """With a record from before, the first sound tells where it goes on; from there on there is no gap."""
    ledger = running()
    key = opened(ledger, resume=b"record")
    assert delivered(ledger.from_acoustic(audio(key, 9600, 480))) == [audio("u", 9600, 480)]
    assert delivered(ledger.from_acoustic(audio(key, 10080, 480))) == [audio("u", 10080, 480)]
    assert ledger.irregular_audio == 0
    (failed,) = delivered(ledger.from_acoustic(audio(key, 20000, 480))[:1])
    assert isinstance(failed, Failed) and failed.code == "internal"


def test_everyone_fails_together() -> None:
    """All that is open fails with engine_lost and the reason, in the order of opening, and nothing is held."""
    ledger = running()
    keys = [opened(ledger, name) for name in "ab"]
    assert ledger.fail_all("the end") == [
        ToOwner(keys[0], Failed("a", "engine_lost", "the end")),
        *to_acoustic(Cancel(keys[0])),
        ToOwner(keys[1], Failed("b", "engine_lost", "the end")),
        *to_acoustic(Cancel(keys[1])),
    ]
    assert ledger.counts == NOTHING_HELD and ledger.fail_all("again") == []


def test_counts_tell_what_is_held() -> None:
    """Utterances, what was fed to them, and quanta that nobody has answered."""
    ledger = Ledger(30.0)
    assert ledger.counts == NOTHING_HELD
    key, other = opened(ledger), opened(ledger, "other")
    ledger.feed(key, WORDS)
    ledger.feed(other, WORDS)
    ledger.flush(key, "f")
    ledger.end(key)
    ledger.from_acoustic(sample(1))
    assert ledger.counts == {"utterances": 2, "fed_messages": 4, "unanswered_quanta": 1, "recording_bytes": 0}
    assert ledger.live == 2
    ledger.cancel(key)
    assert ledger.counts == {"utterances": 1, "fed_messages": 1, "unanswered_quanta": 1, "recording_bytes": 0}
