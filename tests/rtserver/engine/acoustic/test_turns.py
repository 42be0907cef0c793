"""Turns of work: Euler steps for the hops whose turn it is, then the vocoder. Models compute nothing."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from torch import Tensor

from cosyvoice.errors import CacheFull
from cosyvoice.flow.hop import HopJob
from rtserver.engine.acoustic.stopwatch import DeviceStopwatch
from rtserver.engine.acoustic.turns import Turns, VocoderHop
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.ipc.engine import Audio, Open
from rtserver.ipc.reading import Segment
from rtserver.metrics.trace import Ring
from rtserver.schedule.costs import Costs
from rtserver.schedule.scheduler import Places, Scheduler
from tests.rtserver.engine.acoustic.fake_device import FakeDevice
from tests.rtserver.engine.acoustic.fakes import CONFIG, FakeModels

STEPS = CONFIG.flow.euler_steps


class Clock:
    """Every look at it takes 10 ms."""

    def __init__(self) -> None:
        self.now_s = 10.0

    def __call__(self) -> float:
        self.now_s += 0.01
        return self.now_s


def _raise(name: str, error: Exception) -> None:
    """For tests in which no work fails."""
    raise error


def turns(models: FakeModels, hops: int = 4) -> tuple[Turns, Scheduler]:
    """On a machine that gains by sharing a step."""
    scheduler = Scheduler(Places(2, hops), Costs())
    for count in (1, 2, 4):
        scheduler.costs.note("step", 50 * count, 0.01)
    return Turns(models, scheduler, _raise, Clock()), scheduler


def utterance(models: FakeModels, name: str = "u", tokens: int = 60, **change: object) -> AcousticUtterance:
    """With so many speech tokens, which are all there will be, and memory."""
    request = Open(name, "anna", **change)  # type: ignore[arg-type]
    made = AcousticUtterance(request, models, models.fake_voices.speaking, 0.0, Ring(), holds=False)
    made.take_memory()
    made.feed([Segment(list(range(20, 50)), 0, True)], 0.0)
    made.end(0.0)
    while (sample := made.send_quantum(0.0, Costs())) is not None:
        left = tokens - len(sample.history)
        ids = [7] * min(left, sample.max_tokens)
        made.accept(sample.quantum, ids if len(ids) == sample.max_tokens else [*ids, CONFIG.talker.eos], 0.1, 0.0)
    return made


def run(made: Turns, utterances: list[AcousticUtterance], count: int) -> list[Audio]:
    """So many turns."""
    sounds: list[Audio] = []
    for _ in range(count):
        for one in utterances:
            one.next_job(0.0)
        sounds += made.turn(made.runnable(utterances, 10.0), utterances)
    return sounds


def test_a_turn_is_one_euler_step() -> None:
    """After the last step of a hop comes its sound."""
    models = FakeModels()
    made, _ = turns(models)
    one = utterance(models)
    assert run(made, [one], STEPS - 1) == [] and one.job is not None and one.job.step == STEPS - 1
    (audio,) = run(made, [one], 1)
    assert one.job is None and audio.start_s == 0 and len(audio.pcm) // 2 == 12 * 960
    assert (made.totals.steps, made.totals.rows) == (STEPS, STEPS) and made.totals.audio_s == pytest.approx(0.48)


def test_hops_that_gain_share_a_step_and_a_call_of_the_vocoder() -> None:
    """And each is told its share of the time."""
    models = FakeModels()
    made, scheduler = turns(models)
    both = [utterance(models, "u"), utterance(models, "v")]
    sounds = run(made, both, STEPS)
    assert [audio.utterance for audio in sounds] == ["u", "v"] and models.decoder.decoded == [2]
    assert (made.totals.steps, made.totals.rows) == (STEPS, 2 * STEPS)
    flow_s = [one.stream.timings.flow for one in both]
    assert flow_s[0] == flow_s[1] and sum(flow_s) == pytest.approx(made.totals.flow_s)
    assert sum(one.stream.timings.vocoder for one in both) == pytest.approx(made.totals.vocoder_s)
    assert scheduler.crowded.predict("vocoder", 48) == pytest.approx(0.01)


def test_a_hop_without_a_place_waits() -> None:
    """The one that came first goes first, where nothing else tells them apart."""
    models = FakeModels()
    made, _ = turns(models, hops=1)
    early, late = utterance(models, "early"), utterance(models, "late")
    late.stream.timings.first_text = 1.0
    assert [a.utterance for a in run(made, [late, early], STEPS)] == ["early"]


def test_nothing_to_do_is_no_turn() -> None:
    """An utterance that is held, and one without tokens, may not run."""
    models = FakeModels()
    made, _ = turns(models)
    held = utterance(models, "held")
    held.next_job(0.0)
    held.hold(True, 0.0)
    assert made.runnable([held], 10.0) == [] and made.turn([], [held]) == [] and made.totals.steps == 0


def test_a_prompt_is_computed_with_the_most_urgent_who_waits_for_it() -> None:
    """Once; it is cancelled when nobody waits for it any more, and its memory comes back."""
    models = FakeModels(prompt_tokens=60)
    made, _ = turns(models)
    both = [utterance(models, "u"), utterance(models, "v")]
    flow = models.fake_voices.speaking.flow
    for one in both:
        assert one.needs_prefix
        made.begin_prefix(flow)
    assert made.prefix_jobs == 1
    (hop,) = made.runnable(both, 10.0)
    assert hop.frames == 100
    made.turn([hop], both)
    for one in both:
        one.close()
    assert made.runnable([], 10.0) == [] and made.prefix_jobs == 0
    assert models.flow.memory.budget.in_use_bytes == 0


def test_a_finished_prompt_lets_its_utterances_speak() -> None:
    """It gives no sound of its own."""
    models = FakeModels(prompt_tokens=60)
    made, _ = turns(models)
    one = utterance(models)
    made.begin_prefix(models.fake_voices.speaking.flow)
    for _ in range(STEPS):
        assert made.turn(made.runnable([one], 10.0), [one]) == []
    assert made.prefix_jobs == 0 and not one.needs_prefix
    assert len(run(made, [one], STEPS)) == 1


def test_a_prompt_without_memory_is_an_error() -> None:
    """Where no reservation holds it."""
    models = FakeModels(kv_bytes=1 << 10, prompt_tokens=60)
    made, _ = turns(models)
    with pytest.raises(CacheFull):
        made.begin_prefix(models.fake_voices.speaking.flow)


def test_batch_work_counts_for_its_tenant() -> None:
    """Realtime work does not."""
    models = FakeModels()
    made, scheduler = turns(models)
    both = [
        utterance(models, "u", service_class="batch", tenant="a"),
        utterance(models, "v", tenant="b"),
    ]
    run(made, both, STEPS)
    assert scheduler.served.had_s("a", 10.5) == pytest.approx(0.48, rel=0.01) and scheduler.served.had_s("b", 10.5) == 0


def test_the_load_says_what_is_open_and_what_it_takes() -> None:
    """Slack of listeners under way; costs for 1, 2, 4 hops; memory in use and free."""
    models = FakeModels()
    made, scheduler = turns(models)
    both = [utterance(models, "u"), utterance(models, "v")]
    run(made, both, STEPS)
    load = made.load(both, 3, 10.0)
    assert (load.utterances, load.waiting_hops, len(load.hops_s)) == (2, 3, 3)
    assert len(load.slack_s) == 2 and load.slack_s[0] == pytest.approx(0.48, abs=0.2)
    assert load.first_hop_s == scheduler.crowded.hop_s(STEPS, 50, 24)
    assert load.kv_stream_bytes > 0 and load.kv_reserve_bytes == models.least_reserve_bytes
    assert load.kv_stream_bytes + load.kv_free_bytes == 1 << 30


def test_the_load_counts_the_talker_where_it_is_slower() -> None:
    """Among several streams: flow and vocoder keep their own figure."""
    models = FakeModels()
    made, scheduler = turns(models)
    quick = made.load([], 0, 10.0)
    assert quick.hops_s[0] == quick.hop_s
    scheduler.note("quantum", models.config.talker.mix_ratio[1], 60.0, streams=2)
    slow = made.load([], 0, 10.0)
    talker_s = scheduler.talker_s(models.flow.config.chunk_tokens, models.config.talker.mix_ratio[1])
    assert slow.hops_s == [talker_s, 2 * talker_s, 4 * talker_s] and slow.hop_s == quick.hop_s < talker_s


def test_on_a_gpu_costs_are_the_times_of_the_device() -> None:
    """Calls take 1 ms, a step takes the device 8 ms and the vocoder 20 ms: schedule and utterance are told these."""
    models, device = FakeModels(), FakeDevice()
    tick, decode = models.flow.tick, models.vocoder.decode

    def slow_tick(jobs: Sequence[HopJob]) -> None:
        device.work(0.008)
        tick(jobs)

    def slow_decode(jobs: Sequence[VocoderHop]) -> list[Tensor]:
        device.work(0.020)
        return decode(jobs)

    models.flow.tick = slow_tick  # type: ignore[method-assign]
    models.vocoder.decode = slow_decode  # type: ignore[method-assign]
    scheduler, stopwatch = Scheduler(Places(2, 4), Costs()), DeviceStopwatch(device.event, device.clock)
    made, one = Turns(models, scheduler, _raise, device.clock, stopwatch), utterance(models)
    (audio,) = run(made, [one], STEPS)
    assert scheduler.costs.predict("step", 50) == pytest.approx(0.008)
    assert scheduler.costs.predict("vocoder", 24) == pytest.approx(0.020)
    assert made.totals.flow_s == pytest.approx(STEPS * 0.008) and made.totals.vocoder_s == pytest.approx(0.020)
    assert one.stream.timings.flow == pytest.approx(STEPS * 0.008)
    assert device.now_s == pytest.approx(100 + STEPS * 0.008 + 0.020) and len(audio.pcm) > 0


def test_on_a_gpu_steps_queue_without_waiting() -> None:
    """Two steps are called before the first is over; only then the host waits."""
    models, device = FakeModels(), FakeDevice()
    tick = models.flow.tick

    def slow_tick(jobs: Sequence[HopJob]) -> None:
        device.work(0.008)
        tick(jobs)

    models.flow.tick = slow_tick  # type: ignore[method-assign]
    stopwatch = DeviceStopwatch(device.event, device.clock)
    made, one = Turns(models, Scheduler(Places(2, 4), Costs()), _raise, device.clock, stopwatch), utterance(models)
    run(made, [one], 2)
    assert device.waits == 0 and made.totals.steps == 2 and made.totals.flow_s == 0
    stopwatch.begin()
    assert device.waits == 1 and made.totals.flow_s == pytest.approx(0.008)
