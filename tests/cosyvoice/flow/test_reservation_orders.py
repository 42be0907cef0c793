"""Reservations, streams and voices in any order: nothing beyond the budget, no hop refused, everything given back."""

from __future__ import annotations

import random
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cosyvoice.errors import CacheFull
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.kv import KvBlock, KvShape
from cosyvoice.flow.reservation import FlowReservation
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from cosyvoice.flow.voice import FlowVoice
from tests.cosyvoice.flow.speaking import SMALL, ids, make_voice, next_hop, serve

pytestmark = pytest.mark.model

PROMPTS = [0, 7, 8, 13]  # tokens; the first two have no prefix
CHUNKS, TAILS = 8, 8  # that the budget holds
ORDER_STEPS = 60


@dataclass(eq=False)
class Speaking:
    """An utterance, and the sequence it is at."""

    reservation: FlowReservation
    tokens: int
    stream: FlowStream | None = None
    job: HopJob | None = None
    said: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class WatchedShape(KvShape):
    """Remembers the blocks it made that are still in memory."""

    blocks: list[weakref.ref[KvBlock]] = field(default_factory=list)

    def block(self, frames: int) -> KvBlock:
        made = super().block(frames)
        self.blocks.append(weakref.ref(made))
        return made

    @property
    def live_bytes(self) -> int:
        return sum(block.tensor.nbytes for ref in self.blocks if (block := ref()) is not None)


class RandomUse:
    """What an acoustic process does with its flow and others do to its memory, drawn by chance. Any CacheFull but from
    `reserve` is raised."""

    def __init__(self, flow: FlowStepper, rng: random.Random, seen: Counter[str]) -> None:
        self.flow, self.rng, self.seen = flow, rng, seen
        self.shape = WatchedShape(**vars(flow.memory.kv_shape))
        flow.memory.kv_blocks = self.shape
        self.voices = [make_voice(flow, tokens, seed=n) for n, tokens in enumerate(PROMPTS)]
        self.speaking: list[Speaking] = []
        self.prefix_jobs: dict[FlowVoice, HopJob] = {}
        self.taken_bytes = 0  # by others

    def step(self) -> None:
        """One thing happens."""
        actions: list[Callable[[], object]] = [
            self.reserve,
            self.begin_prefix,
            self.cancel_prefix,
            self.tick,
            self.others_take,
        ]
        actions.append(self.others_give_back)
        if self.speaking:
            actions += [self.begin_hop, self.speak_hop_without_free_memory, self.speak_hop_without_free_memory]
            actions += [self.cancel_hop, self.close_sequence, self.close]
        self.rng.choice(actions)()
        self.check()

    def reserve(self) -> None:
        before = self.flow.memory.budget.in_use_bytes - self.flow.memory.prefixes.size_bytes
        tokens, least = self.rng.randint(1, 60), self.rng.choice([None, 1, 1, 5, 10])
        try:
            reservation = self.flow.memory.reserve(self.rng.choice(self.voices), tokens, min_window_tokens=least)
        except CacheFull:
            assert self.flow.memory.budget.in_use_bytes - self.flow.memory.prefixes.size_bytes == before
            self.seen["refused"] += 1
        else:
            self.seen["full" if reservation.window_frames is None else "windowed"] += 1
            self.speaking.append(Speaking(reservation, tokens))

    def begin_sequence(self, s: Speaking) -> FlowStream:
        if s.stream is not None:
            s.stream.close()
        s.stream, s.job = FlowStream(self.flow, s.reservation.voice, reservation=s.reservation), None
        s.said = ids(self.rng.randint(1, s.tokens), seed=self.rng.randint(0, 99))
        return s.stream

    def begin_hop(self) -> Speaking:
        s = self.rng.choice(self.speaking)
        stream = self.begin_sequence(s) if s.stream is None or s.stream.ended else s.stream
        s.job = next_hop(stream, s.said, self.rng.choice([1, 1, 6, 40]))
        return s

    def speak_hop_without_free_memory(self) -> None:
        others_bytes = self.evict_unused()
        s = self.begin_hop()
        assert s.job is not None
        self.flow.run(s.job)
        s.job = None
        self.flow.memory.budget.release(others_bytes)
        self.seen["hop of a window" if s.reservation.window_frames else "hop"] += 1

    def tick(self) -> None:
        """Everything that is under way, as one batch."""
        jobs = [s.job for s in self.speaking if s.job is not None] + list(self.prefix_jobs.values())
        self.flow.tick([job for job in jobs if not job.done and not job.cancelled])

    def cancel_hop(self) -> None:
        s = self.rng.choice(self.speaking)
        if s.stream is not None:
            s.stream.cancel()

    def close_sequence(self) -> None:
        s = self.rng.choice(self.speaking)
        if s.stream is not None:
            s.stream.close()
            s.stream = s.job = None

    def close(self) -> None:
        s = self.rng.choice(self.speaking)
        self.speaking.remove(s)
        s.reservation.close()

    def begin_prefix(self) -> None:
        voice = self.rng.choice(self.voices)
        if self.speaking:
            voice = self.rng.choice(self.speaking).reservation.voice
        elif self.flow.memory.budget.free_bytes < 4 * self.flow.memory.tails_shape.size_bytes:
            return
        job = self.flow.prefix_job(voice)
        if job is not None:
            self.prefix_jobs[voice] = job

    def cancel_prefix(self) -> None:
        job = self.prefix_jobs.pop(self.rng.choice(self.voices), None)
        if job is not None:
            job.cancel()

    def evict_unused(self) -> int:
        """All that is free or belongs to unused voices goes to others: the bytes."""
        unused = sum(
            p.size_bytes for v in self.voices if (p := self.flow.memory.prefixes.find(v)) and p.ready and not p.users
        )
        size = self.flow.memory.budget.free_bytes + unused
        self.flow.memory.budget.reserve(size, "others")
        return size

    def others_take(self) -> None:
        """Voices that nobody uses are evicted, and only some of their memory comes back."""
        size = self.evict_unused()
        taken = int(size * self.rng.uniform(0, 0.8))
        self.flow.memory.budget.release(size - taken)
        self.taken_bytes += taken

    def others_give_back(self) -> None:
        self.flow.memory.budget.release(self.taken_bytes)
        self.taken_bytes = 0

    def check(self) -> None:
        """What is in use is what reservations, prefixes and others hold; what is in memory is within it; the voices of
        reservations are."""
        prefixes = {v: p for v in self.voices if (p := self.flow.memory.prefixes.find(v)) is not None}
        held = sum(s.reservation.size_bytes for s in self.speaking) + sum(p.size_bytes for p in prefixes.values())
        assert self.flow.memory.budget.in_use_bytes == held + self.taken_bytes <= self.flow.memory.budget.total_bytes
        assert self.shape.live_bytes <= held
        voices = {s.reservation.voice for s in self.speaking if s.reservation.voice.prefix_chunks > 0}
        assert voices <= set(prefixes)

    def end(self) -> None:
        """Everybody goes: what remains is what the voices hold."""
        while self.speaking:
            self.close()
        while self.prefix_jobs:
            self.prefix_jobs.popitem()[1].cancel()
        self.others_give_back()
        prefix_bytes = self.flow.memory.prefixes.size_bytes
        assert self.flow.memory.budget.in_use_bytes == prefix_bytes
        assert self.flow.memory.prefixes.users == 0
        assert (
            self.shape.live_bytes
            == prefix_bytes - len(self.flow.memory.prefixes) * self.flow.memory.tails_shape.size_bytes
        )


@pytest.mark.parametrize("block_chunks", [1, 3])
def test_any_order_keeps_the_budget_and_refuses_no_hop(weights: Flow, block_chunks: int) -> None:
    """Opening, hopping, cancelling, closing and evicting at random, with memory short: every byte is accounted for, and
    CacheFull comes from reservations alone."""
    probe, seen = serve(weights), Counter[str]()
    size = CHUNKS * SMALL.chunk_frames * probe.memory.kv_shape.frame_bytes + TAILS * probe.memory.tails_shape.size_bytes

    @settings(max_examples=15, deadline=None)
    @given(seed=st.integers(0, 1 << 32))
    def run(seed: int) -> None:
        use = RandomUse(serve(weights, kv_bytes=size, block_chunks=block_chunks), random.Random(seed), seen)
        for _ in range(ORDER_STEPS):
            use.step()
        use.end()

    run()
    assert set(seen) == {"full", "windowed", "refused", "hop", "hop of a window"}
