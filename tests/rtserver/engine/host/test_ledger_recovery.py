"""What a process that takes over is told, and who fails."""

from __future__ import annotations

from dataclasses import replace

from rtserver.engine.host.ledger import Ledger
from rtserver.engine.host.steps import Part, ToOwner
from rtserver.ipc.engine import Cancel, End, Failed, Feed, Flush, Flushed, Heard, Hold, Open, Started
from tests.rtserver.engine.host.ledgers import RATE, WORDS, audio, delivered, opened, running, to_acoustic


def die(ledger: Ledger, part: Part, times: int, now_s: float = 0.0) -> None:
    """A process that dies and comes back so often, to nobody's harm."""
    for _ in range(times):
        assert [s for s in ledger.down(part, "it broke", now_s) if isinstance(s, ToOwner)] == []
        come_back(ledger, part)


def come_back(ledger: Ledger, part: Part) -> None:
    if part == "acoustic":
        ledger.acoustic_up(RATE)
    else:
        ledger.talker_up()


def test_a_new_acoustic_process_gets_every_open_utterance() -> None:
    """Each is opened with its last record, then comes whether it is held, what was heard, and all that was fed."""
    ledger = running()
    name, plain, over = opened(ledger, seed=3), opened(ledger, "plain"), opened(ledger, "over")
    ledger.feed(name, WORDS)
    ledger.flush(name, "mine")
    ledger.heard(name, 0.25)
    ledger.heard(name, 0.75)
    ledger.hold(name, True)
    ledger.feed(name, WORDS[:1])
    ledger.end(name)
    ledger.from_acoustic(audio(name, 0, 480, b"first"))
    ledger.from_acoustic(audio(name, 480, 480, b"second"))
    ledger.from_acoustic(audio(name, 960, 480))  # without a record
    ledger.cancel(over)
    assert ledger.down("acoustic", "it broke", 1.0) == []
    assert ledger.acoustic_up(RATE) == to_acoustic(
        Open(name, "voice", seed=3, resume=b"second"),
        Hold(name, True),
        Heard(name, 0.75),
        Feed(name, WORDS),
        Flush(name, "0"),
        Feed(name, WORDS[:1]),
        End(name),
        Open(plain, "voice"),
    )


def test_what_was_let_go_is_not_held_again() -> None:
    """The new process hears of a hold only where one is on."""
    ledger = running()
    name = opened(ledger)
    ledger.hold(name, True)
    ledger.hold(name, False)
    ledger.down("acoustic", "it broke", 1.0)
    assert ledger.acoustic_up(RATE) == to_acoustic(Open(name, "voice"))


def test_calls_while_there_is_no_process_wait_for_it() -> None:
    """Nothing is sent to a process that is away; the next one is told the outcome in its order."""
    ledger = running()
    name, over = opened(ledger), opened(ledger, "over")
    ledger.down("acoustic", "it broke", 1.0)
    new, steps = "new", ledger.open(Open("new", "voice"), 1.5)
    assert steps == ledger.feed(new, WORDS) == ledger.flush(name, "f") == ledger.hold(name, True) == []
    assert ledger.heard(new, 0.5) == ledger.cancel(over) == ledger.end(new) == []
    assert ledger.acoustic_up(RATE) == to_acoustic(
        *(Open(name, "voice"), Hold(name, True), Flush(name, "0")),
        *(Open(new, "voice"), Heard(new, 0.5), Feed(new, WORDS), End(new)),
    )


def test_before_its_first_sound_an_utterance_keeps_the_record_it_came_with() -> None:
    """A resumed utterance whose process dies before it sounds is resumed from the same record, and goes on there."""
    ledger = running()
    name = opened(ledger, resume=b"record")
    ledger.down("acoustic", "it broke", 1.0)
    assert ledger.acoustic_up(RATE) == to_acoustic(Open(name, "voice", resume=b"record"))
    assert delivered(ledger.from_acoustic(audio(name, 960, 480))) == [audio("u", 960, 480)]


def test_a_process_that_begins_again_is_not_heard_twice() -> None:
    """Started, answers to flushes and samples that the owner has from the process before are not told again."""
    ledger = running()
    name = opened(ledger)
    ledger.flush(name, "a")
    ledger.flush(name, "b")
    ledger.from_acoustic(Started(name, "voice", 28))
    ledger.from_acoustic(audio(name, 0, 480))
    ledger.from_acoustic(Flushed(name, "0", 0.02))
    die(ledger, "acoustic", 1)
    repeats = (Started(name, "voice", 28), audio(name, 0, 240), Flushed(name, "0", 0.01), audio(name, 240, 240))
    assert [ledger.from_acoustic(message) for message in repeats] == [[]] * 4
    assert delivered(ledger.from_acoustic(Flushed(name, "1", 0.02))) == [Flushed("u", "b", 0.02)]
    assert delivered(ledger.from_acoustic(audio(name, 480, 480))) == [audio("u", 480, 480)]


def test_a_record_behind_repeated_samples_is_used() -> None:
    """Of sound that was delivered without a record the repeated one is kept; one further back is not."""
    ledger = running()
    name = opened(ledger)
    ledger.from_acoustic(audio(name, 0, 480, b"early"))
    ledger.from_acoustic(audio(name, 480, 480))
    assert ledger.from_acoustic(audio(name, 480, 480, b"same place")) == []
    assert ledger.from_acoustic(audio(name, 0, 480, b"further back")) == []
    ledger.down("acoustic", "it broke", 1.0)
    assert ledger.acoustic_up(RATE) == to_acoustic(Open(name, "voice", resume=b"same place"))


def test_one_death_of_each_process_is_forgiven() -> None:
    """A talker and an acoustic process that die once each fail nobody."""
    ledger = running()
    opened(ledger)
    die(ledger, "acoustic", 1)
    die(ledger, "talker", 1)
    assert ledger.live == 1


def test_a_process_that_was_never_ready_is_nobodys_fault() -> None:
    """Starts that fail do not count as deaths, however many they are."""
    ledger = running()
    opened(ledger)
    ledger.down("acoustic", "it broke", 0.0)
    for _ in range(5):
        assert ledger.down("acoustic", "no memory", 1.0) == []
    ledger.acoustic_up(RATE)
    assert ledger.live == 1


def test_who_waits_for_too_long_fails() -> None:
    """After recovery_s an utterance fails with engine_lost and the incidents, not a moment before."""
    ledger = running(recovery_s=30.0)
    opened(ledger)
    assert ledger.next_expiry_s is None and ledger.expire(1000.0) == []
    ledger.down("acoustic", "i_1", 10.0)
    assert ledger.next_expiry_s == 40.0
    late = opened(ledger, "late", now_s=25.0)
    assert ledger.expire(39.99) == []
    reason = "the engine did not come back within 30 s (i_1): start it again later"
    assert ledger.expire(40.0) == [ToOwner(Failed("u", "engine_lost", reason))]
    assert ledger.next_expiry_s == 55.0
    assert delivered(ledger.expire(60.0)) == [Failed("late", "engine_lost", reason)]
    assert ledger.next_expiry_s is None and ledger.live == 0
    assert ledger.acoustic_up(RATE) == [] and ledger.feed(late, WORDS) == []


def test_both_processes_must_be_back() -> None:
    """Who waits goes on waiting while either is away, from the first death on; when both are back nobody waits."""
    ledger = running(recovery_s=30.0)
    name = opened(ledger)
    ledger.down("talker", "i_1", 10.0)
    ledger.down("acoustic", "i_2", 20.0)
    ledger.talker_up()
    assert ledger.next_expiry_s == 40.0
    ledger.acoustic_up(RATE)
    assert ledger.next_expiry_s is None and ledger.expire(1000.0) == []
    reason = "the engine did not come back within 30 s (i_3): start it again later"
    ledger.down("talker", "i_3", 50.0)
    assert ledger.next_expiry_s == 80.0 and ledger.live == 1
    assert ledger.expire(80.0) == [ToOwner(Failed("u", "engine_lost", reason)), *to_acoustic(Cancel(name))]
    assert ledger.feed(name, WORDS) == []


def test_before_the_first_start_utterances_wait_too() -> None:
    """One that is opened before the processes are up is told to them, or fails when they never come."""
    ledger = Ledger(recovery_s=5.0)
    assert ledger.open(Open("u", "voice"), 1.0) == [] and ledger.next_expiry_s == 6.0
    reason = "the engine did not come back within 5 s: start it again later"
    assert delivered(ledger.expire(6.0)) == [Failed("u", "engine_lost", reason)]
    second = opened(ledger, "second", now_s=7.0)
    assert ledger.talker_up() == [] and ledger.acoustic_up(RATE) == to_acoustic(Open(second, "voice"))
    assert ledger.next_expiry_s is None


def test_the_owners_request_is_not_changed() -> None:
    """What the owner opened with is the same afterwards; the processes get copies."""
    ledger = running()
    request = Open("u", "voice", seed=3)
    ledger.open(request, 0.0)
    ledger.from_acoustic(audio("u", 0, 480, b"record"))
    die(ledger, "acoustic", 1)
    assert request == replace(Open("u", "voice"), seed=3)
