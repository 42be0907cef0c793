"""The simulated machine: work takes what the cost table says, in the order that the engine's process has."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.load.baselines.policies import FirstCome
from bench.simulator.admission import AdmissionGate
from bench.simulator.cost_table import CostTable, QuickCosts, find_table
from bench.simulator.load import Habits, Recorded, Reply, Talkers, written
from bench.simulator.making import Making
from bench.simulator.policies import ORIGINAL, OneByOne
from bench.simulator.simulation import Simulation
from rtserver.schedule.costs import Costs
from rtserver.schedule.scheduler import Scheduler

CPU = CostTable.load(find_table("cpu_2_cores_embedded"))
GPU = CostTable.load(find_table("h100_released_bf16"))


def reply(name: str, at_s: float = 0.0, tokens: int = 100, **change: object) -> Reply:
    """All its text comes at once."""
    return replace(Reply(name, at_s, tokens, ((0.0, tokens),)), **change)  # type: ignore[arg-type]


def run(
    table: CostTable, *replies: Reply, making: Making | None = None, policy: type[Scheduler] = Scheduler
) -> Simulation:
    """All that comes of them."""
    done = Simulation(
        table, policy(table.places, table.known_costs(table.places)), Recorded(replies), making, record=True
    )
    done.run()
    return done


def test_a_first_sound_takes_what_its_quantum_its_steps_and_the_vocoder_take() -> None:
    """Alone, with nothing kept back: fifteen talker steps, five Euler steps of a whole chunk, 24 frames decoded."""
    done = run(CPU, reply("a"), making=Making(holds=False))
    quantum_s = CPU.quantum_s + 15 * (CPU.talker_step_s + CPU.talker_stream_s)
    steps_s = 5 * CPU.euler_s([(50, 3.0)])
    assert done.outcomes["a"].first_s == pytest.approx(quantum_s + steps_s + CPU.decode_s(24))


def test_what_runs_on_one_device_takes_turns() -> None:
    """The same work takes longer where talker and flow share a device, and never two pieces at a time."""
    apart, shared = (run(replace(GPU, shared_device=flag), reply("a"), reply("b")) for flag in (False, True))
    waits_s = [done.outcomes["a"].waited_s(from_first_text=True) for done in (apart, shared)]
    assert waits_s[0] < waits_s[1]
    assert sum(shared.acoustic.device.busy_s) <= shared.now_s + 1e-9


def test_a_talker_at_its_host_leaves_the_device_to_the_flow() -> None:
    """A step that needs the device for a third of its time takes as long, but the flow waits less for it."""
    whole, third = GPU, replace(GPU, talker_step_s=0.001, talker_host_s=0.002)
    alone_s = [run(table, reply("a", tokens=10)).outcomes["a"].first_s for table in (third, whole)]
    assert alone_s[0] is not None and alone_s[0] == pytest.approx(alone_s[1])
    first_s = [
        run(table, *(reply(str(n)) for n in range(8))).outcomes["7"].waited_s(from_first_text=True)
        for table in (third, whole)
    ]
    assert first_s[0] < 0.9 * first_s[1]


def test_a_prompt_that_is_not_shared_costs_every_stream_its_frames() -> None:
    """The first hop computes 75 tokens more than its own, instead of the rest of a chunk."""
    shared, own = (run(CPU, reply("a"), making=Making(holds=False, shared_prefix=flag)) for flag in (True, False))
    later_s = (own.outcomes["a"].first_s or 0) - (shared.outcomes["a"].first_s or 0)
    assert later_s == pytest.approx(5 * (CPU.euler_s([(2 * (75 + 12), 0.0)]) - CPU.euler_s([(50, 3.0)])))


def test_recomputing_all_that_was_before_costs_more_with_every_hop() -> None:
    """Without keys and values an utterance of 20 s takes several times as long to make."""
    long = reply("a", tokens=500, max_lead_s=None)
    kept, recomputed = (
        run(CPU, long, making=Making(incremental=flag)).acoustic.device.busy_s[0] for flag in (True, False)
    )
    assert recomputed > 4 * kept


def test_each_later_sequence_costs_the_flow_its_context_too() -> None:
    """A reply of three sequences computes the context twice, and each later hop of these sequences sees it."""
    long = reply("a", tokens=500, max_lead_s=None)
    none, context = (
        run(replace(CPU, frame_context_s=0.0, context_tokens=tokens), long, making=Making(holds=False))
        for tokens in (0, 25)
    )
    more_s = context.acoustic.device.busy_s[0] - none.acoustic.device.busy_s[0]
    assert more_s == pytest.approx(2 * CPU.euler_steps * 50 * CPU.frame_s)
    seen = run(replace(CPU, frame_s=0.0, vocoder_frame_s=0.0), long, making=Making(holds=False))
    alone = run(replace(CPU, frame_s=0.0, vocoder_frame_s=0.0, context_tokens=0), long, making=Making(holds=False))
    assert seen.acoustic.device.busy_s[0] > alone.acoustic.device.busy_s[0]


def test_a_long_reply_is_cut_into_sequences() -> None:
    """Their tokens and their sound are the reply's, and each begins with a first hop."""
    done = run(CPU, reply("a", tokens=500, max_lead_s=None), making=Making(holds=False))
    assert sum(e.figures[0] for e in done.log if e.what == "tokens") == 500
    seconds = [e.figures[1] for e in done.log if e.what == "sound"]
    assert sum(seconds) == pytest.approx(20.0)
    assert [seconds.index(s) for s in seconds if s == pytest.approx(0.38)] == [0, 0, 0]


def test_a_window_bounds_what_context_costs() -> None:
    """In time and in memory."""
    long = reply("a", tokens=500, max_lead_s=None)
    whole, window = (run(CPU, long, making=Making(window_s=w)) for w in (None, 3.0))
    assert window.acoustic.device.busy_s[0] < whole.acoustic.device.busy_s[0]
    assert Making(window_s=3.0).needed_bytes(GPU) == pytest.approx(3.0 * GPU.kv_bytes_per_s)
    assert Making(reserve_s=6.0, shared_prefix=False).needed_bytes(GPU) == pytest.approx(9.0 * GPU.kv_bytes_per_s)


def test_a_stream_waits_for_memory_until_another_is_over() -> None:
    """With room for one at a time the second begins when the first one's sound is made."""
    table = replace(CPU, kv_budget_bytes=(3.0 + 1.5 * 20.0) * CPU.kv_bytes_per_s)
    done = run(table, reply("a"), reply("b", at_s=0.1))
    over_s = next(entry.at_s for entry in done.log if entry.what == "over")
    assert done.outcomes["a"].memory_s == 0 and done.outcomes["b"].memory_s > 0.5
    assert (done.outcomes["b"].first_s or 0) > over_s
    assert done.acoustic.memory.peak_bytes == pytest.approx(23.0 * CPU.kv_bytes_per_s)


def test_the_original_serves_one_stream_after_the_other() -> None:
    """The second one's tokens are not even asked for before the first one's sound is made, and hops are seen every
    100 ms."""
    done = run(CPU, reply("a"), reply("b", at_s=0.1), making=ORIGINAL, policy=OneByOne)
    over_s = next(entry.at_s for entry in done.log if entry.what == "over" and entry.names == ("a",))
    assert next(entry.at_s for entry in done.log if entry.names == ("b",)) >= over_s
    first_turn_s = next(entry.at_s for entry in done.log if entry.what == "turn")
    assert first_turn_s * 10 == pytest.approx(round(first_turn_s * 10))
    assert [round(e.figures[1] * 25) for e in done.log if e.what == "sound" and e.names == ("a",)] == [22, 50, 28]


def test_whole_chunk_batches_let_nobody_in_half_way() -> None:
    """Every batch of first come, first served runs with the same streams from its first step to its last."""
    done = run(GPU, *(reply(str(n), at_s=0.003 * n) for n in range(6)), policy=FirstCome)
    turns = [entry.names for entry in done.log if entry.what == "turn"]
    batches = [turns[i : i + GPU.euler_steps] for i in range(0, len(turns), GPU.euler_steps)]
    assert len(batches) > 4 and all(len(set(batch)) == 1 for batch in batches)
    assert max(len(batch[0]) for batch in batches) > 1


def test_admission_keeps_what_it_takes_in_continuous() -> None:
    """Far beyond what two cores carry, many are refused, and hardly anybody who is taken in runs dry."""
    scheduler = Scheduler(CPU.places, CPU.known_costs(CPU.places))
    load = Talkers(16, Habits(pieces_per_s=20.0), CPU, end_s=40.0)
    summary = Simulation(CPU, scheduler, load, gate=AdmissionGate(CPU, scheduler, 3.0)).measure(16, 5.0, 40.0)
    assert summary.refused > 0.4 and summary.continuity > 0.9 and summary.replies > 50


def test_a_hopeless_load_is_cut_short() -> None:
    """Where half of the replies wait for seconds, nothing more is run."""
    load = Talkers(60, Habits(), CPU, end_s=40.0)
    done = Simulation(CPU, Scheduler(CPU.places, CPU.known_costs(CPU.places)), load)
    assert done.measure(60, 5.0, 40.0).continuity < 0.5 and done.now_s <= 22.5


def test_text_allows_tokens_in_blocks_and_all_of_them_at_its_end() -> None:
    """The first block opens with the pieces that must come before it."""
    text = [(round(at_s, 9), tokens) for at_s, tokens in written(100, GPU, 50.0)]
    assert text == [(0.08, 15), (0.18, 30), (0.24, 100)]
    assert written(10, GPU, 50.0) == ((0.0, 10),)


def test_talkers_say_the_same_to_every_server() -> None:
    """What is said depends on the seed and on how many replies there were, not on when they ended."""

    def said(delay_s: float) -> list[tuple[int, float | None]]:
        load = Talkers(1, Habits(barge_in=0.5), CPU, end_s=100.0, seed=3)
        replies = load.begin()
        while len(replies) < 6 and (following := load.after(replies[-1], replies[-1].at_s + delay_s)) is not None:
            replies.append(following)
        return [(r.tokens, r.cancel_s) for r in replies]

    assert said(2.0) == said(9.0) and len({tokens for tokens, _ in said(2.0)}) > 3


def test_quick_costs_predict_what_costs_do() -> None:
    """Also right after a note."""
    quick, slow = QuickCosts(), Costs()
    for size, seconds in ((50, 0.02), (100, 0.03), (50, 0.04), (700, 0.2)):
        for costs in (quick, slow):
            costs.note("step", size, seconds)
        for asked in (10, 50, 60, 400, 2000):
            assert quick.predict("step", asked, 2.0) == slow.predict("step", asked, 2.0)
            assert quick.predict("step", asked, 2.0) == slow.predict("step", asked, 2.0)
