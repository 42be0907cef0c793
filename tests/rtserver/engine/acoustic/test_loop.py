"""The acoustic process's loop, with models that compute nothing, in simulated time."""

from __future__ import annotations

import pytest

from bench.load.baselines.policies import FirstCome
from cosyvoice.models import NANO
from rtserver.engine.acoustic.resume import ResumeRecord
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
    Rested,
    Started,
)
from rtserver.ipc.preparing import Dismiss, Prepare, Prepared
from rtserver.ipc.process import Count, Counted, Shutdown
from rtserver.ipc.reading import Segment
from rtserver.ipc.talker import Refused, SampleQuantum, StopQuantum, Tokens
from rtserver.schedule.waits import FIRST_TEXT_PATIENCE_S, HUNGRY_BEFORE_S
from tests.rtserver.engine.acoustic.fakes import FakeModels, World
from tests.rtserver.engine.acoustic.loops import HOP_TOKENS, SENTENCE, SOURCE, VOICE, held, opened, spoken


def test_a_text_becomes_quanta_then_sound_then_done() -> None:
    """Quanta of what the hops need, sounds without a gap, all tokens told at the end, and nothing is held."""
    world = World()
    spoken(world)
    world.run()
    assert [type(m).__name__ for m in (world.of(Started)[0], world.of(Done)[0])] == ["Started", "Done"]
    assert [q.max_tokens for q in world.of(SampleQuantum)] == [15, 25, 25]
    assert [len(a.pcm) // 2 / 960 for a in world.of(Audio)] == HOP_TOKENS
    (done,) = world.of(Done)
    assert world.audio_s() == done.seconds["audio"] == 2.4 and len(done.speech_tokens) == 60
    assert set(held(world).values()) == {0}


def test_a_name_that_is_open_is_refused() -> None:
    """The second request fails, and with it the first: they cannot be told apart."""
    world = World()
    opened(world)
    opened(world)
    world.run()
    assert world.of(Failed)[0].message == "utterance 'u' is already open"


def test_an_error_ends_its_utterance_and_nothing_else() -> None:
    """A mode that is none, text that the talker does not have, a quantum that it refuses."""
    world = World()
    opened(world, "mode", mode="sing")
    opened(world, "text")
    world.at(100.0, Feed("text", [Segment([10**6], 0, True)]))
    world.silent = {"refused"}
    spoken(world, "refused")
    world.at(100.1, Refused("refused", 1, "too long"))
    spoken(world)
    world.run()
    failures = {name: world.of(Failed, name)[0] for name in ("mode", "text", "refused")}
    assert [f.code for f in failures.values()] == ["unknown_mode", "bad_message", "internal"]
    assert "too long" in failures["refused"].message and world.of(Done) != []


def test_a_cancel_stops_the_quantum_and_gives_everything_back() -> None:
    """No message about the utterance follows."""
    world = World()
    world.silent = {"u"}
    spoken(world)
    world.at(100.5, Cancel("u"))
    world.run()
    assert world.of(StopQuantum) == [StopQuantum("u", 1)] and world.quanta == {}
    assert world.of(Audio) == world.of(Done) == world.of(Failed) == [] and set(held(world).values()) == {0}


def test_an_answer_for_an_utterance_that_is_over_is_dropped() -> None:
    """So is one to another quantum, and messages to a stranger."""
    world = World()
    spoken(world)
    world.at(100.01, Tokens("u", 7, [1, 2], 0.1), Tokens("stranger", 1, [1], 0.1), Feed("stranger", [SENTENCE]))
    world.run()
    assert world.audio_s() == 2.4 and world.of(Failed, "stranger") == []


# -- the first sound --------------------------------------------------------------------------------------------------


def test_a_first_sound_goes_out_when_the_second_will_follow_it() -> None:
    """With a policy that does not keep it back it goes out when it is made."""
    times_s = []
    for world in (World(turn_s=0.15), World(turn_s=0.15, policy=FirstCome)):
        spoken(world)
        world.run()
        times_s.append(world.when(Audio)[0])
    assert times_s[0] > times_s[1] + 0.05


def test_batch_work_is_not_kept_back() -> None:
    """Nobody listens to it while it is made."""
    kept, batch = World(turn_s=0.15), World(turn_s=0.15)
    spoken(kept)
    spoken(batch, service_class="batch")
    for world in (kept, batch):
        world.run()
    assert batch.when(Audio)[0] < kept.when(Audio)[0]


# -- text -------------------------------------------------------------------------------------------------------------


def test_an_utterance_without_text_asks_for_more_and_is_closed() -> None:
    """First it asks, once; after the patience the text so far is spoken."""
    world = World()
    opened(world, streaming=True)
    world.at(100.0, Feed("u", [Segment([20, 21, 22], 0, False)]))
    world.run()
    close_at_s = 100.0 + FIRST_TEXT_PATIENCE_S
    assert world.when(Hungry) == [pytest.approx(close_at_s - HUNGRY_BEFORE_S, abs=0.01)]
    assert world.when(SampleQuantum)[0] == pytest.approx(close_at_s, abs=0.01)
    assert world.audio_s() > 0 and world.of(Done) == []


def test_a_flush_is_answered_after_its_sound() -> None:
    """Before the sound of the text that comes later."""
    world = World()
    opened(world)
    world.at(100.0, Feed("u", [SENTENCE]), Flush("u", "f"), Feed("u", [SENTENCE]), End("u"))
    world.run()
    (flushed,) = world.of(Flushed)
    kinds = [type(m) for _, m in world.sent if isinstance(m, Audio | Flushed)]
    assert flushed.id == "f" and flushed.audio_s == 2.4 and kinds.index(Flushed) == 3
    assert world.audio_s() == 4.8


def test_a_held_utterance_does_no_work() -> None:
    """It goes on when its sound is taken again."""
    world = World()
    spoken(world)
    world.at(100.15, Hold("u", True))
    world.at(105.0, Hold("u", False))
    world.run()
    assert [at_s for at_s in world.when(Audio) if 100.2 < at_s < 105.0] == []
    assert world.audio_s() == 2.4 and world.when(Done)[0] > 105.0


def test_work_stops_at_the_lead_and_goes_on_by_itself() -> None:
    """A report that the listener is further behind makes it wait longer."""
    done_s = []
    for heard in (False, True):
        world = World()
        world.tokens_per_sequence = 150
        spoken(world, max_lead_s=1.0)
        if heard:
            world.at(101.0, Heard("u", 0.0))
        world.run()
        assert world.audio_s() == 6.0
        done_s.append(world.when(Done)[0])
    assert 103.0 < done_s[0] < done_s[1] - 0.2


# -- preparing --------------------------------------------------------------------------------------------------------


def test_what_is_said_while_a_voice_is_prepared_is_not_lost() -> None:
    """It is asked for once for two utterances; both go on when it is there, and the wait is told."""
    models = FakeModels()
    models.fake_voices.missing_keys = [VOICE]
    world = World(models)
    spoken(world)
    spoken(world, "v")
    world.at(103.0, Prepared(VOICE))
    world.run()
    assert [m for _, m in world.sent if isinstance(m, Prepare)] == [Prepare(VOICE)]
    assert world.when(Started) == world.when(Started, "v") == [103.0]
    assert world.audio_s() == world.audio_s("v") == 2.4 and world.of(Done)[0].seconds["prepare"] == 3.0
    spoken(world, "later", world.now_s)
    world.run()
    assert world.of(Done, "later") != []  # it is in the cache now


def test_what_cannot_be_prepared_fails_all_who_wait_for_it() -> None:
    """Also when it was prepared and is no prompt. What only they wanted is not prepared any more."""
    for answer in (Prepared(VOICE, "bad_audio", "silence"), Prepared(VOICE, prompt=b"nonsense")):
        models = FakeModels()
        models.fake_voices.missing_keys = [VOICE, SOURCE]
        world = World(models)
        spoken(world)
        world.at(103.0, answer)
        world.run()
        assert world.of(Failed)[0].code == (answer.code or "internal") and world.of(Started) == []
        assert [m for _, m in world.sent if isinstance(m, Dismiss)] == [Dismiss(SOURCE)]
        assert set(held(world).values()) == {0}


# -- memory -----------------------------------------------------------------------------------------------------------


def test_realtime_is_refused_without_memory_and_batch_work_waits_for_it() -> None:
    """The one that waits begins when the other is over."""
    models = FakeModels()
    small = FakeModels(kv_bytes=int(1.2 * models.least_reserve_bytes))
    world = World(small)
    spoken(world)
    spoken(world, "refused", 100.05)
    spoken(world, "batch", 100.05, service_class="batch")
    world.run()
    assert world.of(Failed, "refused")[0].code == "overloaded" and world.of(Started, "refused") == []
    assert world.when(Audio, "batch")[0] > world.when(Done)[0] and world.of(Done, "batch") != []


def test_batch_work_fails_where_nobody_holds_the_memory_that_it_needs() -> None:
    """It would wait for ever."""
    world = World(FakeModels(kv_bytes=1 << 10))
    spoken(world, service_class="batch")
    world.run()
    assert world.of(Failed)[0].code == "overloaded"


def test_a_prompt_is_computed_once_for_all_who_wait_for_it() -> None:
    """Then both speak."""
    models = FakeModels(prompt_tokens=60)
    world = World(models)
    spoken(world)
    spoken(world, "v")
    world.run()
    assert world.audio_s() == world.audio_s("v") == 2.4
    assert models.flow.memory.prefixes.size_bytes > 0 and held(world)["prefix_users"] == 0


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sounds", [1, 2, 3])
def test_another_loop_goes_on_after_the_samples_that_are_out(sounds: int) -> None:
    """With the record of the last of them and the same text: the same sound from there on."""
    first, second = World(), World()
    spoken(first)
    first.run()
    whole, record = first.of(Audio), first.of(Audio)[sounds - 1].resume
    assert ResumeRecord.unpack(record).samples == sum(len(a.pcm) // 2 for a in whole[:sounds])
    spoken(second, resume=record)
    second.run()
    assert [(a.start_s, a.pcm) for a in second.of(Audio)] == [(a.start_s, a.pcm) for a in whole[sounds:]]
    assert second.of(Done)[0].seconds["audio"] == 2.4 and set(held(second).values()) == {0}


def test_a_bad_record_is_an_error() -> None:
    """Of the one utterance."""
    world = World()
    spoken(world, resume=b"nonsense")
    world.run()
    assert "resume record" in world.of(Failed)[0].message


def test_the_load_is_told_while_there_is_work_and_once_after() -> None:
    """A few times a second; the last one says that nothing is open."""
    world = World()
    spoken(world)
    spoken(world, "v", 120.0)
    world.run()
    assert [load.utterances for load in world.loads] == [0, 1, 0, 1, 1, 0]
    assert (
        world.loads[-1].audio_s == pytest.approx(4.8)
        and world.loads[-1].steps == 6 * world.models.flow.config.euler_steps
    )


def test_a_shutdown_ends_it_at_once() -> None:
    """As does a front that is gone; open utterances or not."""
    world = World()
    spoken(world)
    world.at(100.05, Shutdown())
    assert world.run() == "shutdown" and world.of(Done) == []
    assert World().run() == "front lost: the world is over"


def test_the_fakes_have_the_sizes_of_the_embedded_checkpoint() -> None:
    """Otherwise the figures here mean nothing."""
    assert FakeModels().config.directory == NANO and FakeModels().sequence_tokens > 60


def rested(world: World) -> list[tuple[float, Rested]]:
    return [(at_s, message) for at_s, message in world.sent if isinstance(message, Rested)]


@pytest.mark.parametrize("service_class", ["realtime", "batch"])
def test_an_utterance_without_text_gives_its_memory_back(service_class: str) -> None:
    """After five seconds, and says so once. With text it takes memory again and speaks."""
    world = World()
    opened(world, service_class=service_class)
    world.run()
    ((at_s, message),) = rested(world)
    assert at_s == pytest.approx(105.0, abs=0.01) and message == Rested("u", 0)
    assert held(world)["kv_bytes"] == 0
    world.at(200.0, Feed("u", [SENTENCE]), End("u"))
    world.run()
    assert world.audio_s() == 2.4 and len(rested(world)) == 1
    assert set(held(world).values()) == {0}


def test_an_utterance_that_waits_in_mid_turn_rests_too() -> None:
    """45 s without text after a sentence: it rests when the sentence is made, and the next one is spoken."""
    world = World()
    opened(world)
    world.at(100.0, Feed("u", [SENTENCE]), Flush("u", "f"))
    world.at(145.0, Feed("u", [SENTENCE]), End("u"))
    world.run()
    ((at_s, message),) = rested(world)
    assert 105.0 < at_s < 145.0 and message == Rested("u", 2)
    assert world.audio_s() == 4.8 and world.of(Done)
    assert set(held(world).values()) == {0}


def test_sound_made_far_ahead_keeps_no_memory() -> None:
    """The listener has sound left to hear: the sequence is closed when the utterance is about to rest, not when the
    listener runs dry."""
    world = World(rest_after_s=0.3)
    opened(world, max_lead_s=3600.0, streaming=True)
    world.at(100.0, Feed("u", [SENTENCE]))
    world.at(101.2, Count())
    world.run()
    counted = [m for _, m in world.sent if isinstance(m, Counted)]
    assert world.audio_s() == 2.4 and counted[0].held["kv_bytes"] == 0 and rested(world)[-1][0] < 101.2


def test_text_in_time_is_no_rest() -> None:
    """A writer who pauses for less keeps its memory."""
    world = World()
    opened(world)
    for number in range(5):
        world.at(104.0 + 4 * number, Feed("u", [SENTENCE]), Flush("u", "f"))
    world.at(124.0, End("u"))
    world.run()
    assert not rested(world) and world.audio_s() == 12.0
