"""The flow and vocoder of one sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from cosyvoice.errors import StreamError
from rtserver.engine.acoustic.resume import ResumeRecord
from rtserver.engine.acoustic.sequence_streams import SequenceStreams
from rtserver.engine.acoustic.text_plan import History
from rtserver.schedule.hops import HopPlan
from rtserver.schedule.playback import Playback
from tests.rtserver.engine.acoustic.fakes import FakeModels

TOKENS = [7] * 300
AHEAD = 3
SPEED = {"speed": 1.0, "received": 0, "emitted": 0, "held": None, "held_from": 0}
RECORD = ResumeRecord(History([], [TOKENS]), 0, 187, 0, 4800, {}, SPEED, Playback(), {}, None, 0)


def streams(models: FakeModels, record: ResumeRecord | None = None, context: Sequence[int] = ()) -> SequenceStreams:
    voice = models.fake_voices.speaking.flow
    return SequenceStreams.open(models, models.flow.memory.reserve(voice, 500), 1.0, context, record)


def test_a_hop_is_its_own_tokens_and_the_look_ahead() -> None:
    """A first hop has the frames of a whole chunk, which the prompt begins. A last hop has no look-ahead."""
    models = FakeModels()
    made = streams(models)
    assert made.catch_up(TOKENS, AHEAD) is None
    first = made.next_hop(TOKENS, AHEAD, HopPlan(0, 0, 12, False))
    assert (first.frames, first.unheard_frames) == (50, 26)
    models.flow.run(first)
    assert made.flow.tokens_done == 12
    last = made.next_hop(TOKENS[:30], AHEAD, HopPlan(0, 12, 18, True))
    assert last.frames == 36
    models.flow.run(last)
    assert made.flow.ended


def test_the_context_is_computed_with_the_first_hop_and_not_heard() -> None:
    """Tokens done, and the mel, are those of the sequence alone, also after a crash."""
    models = FakeModels()
    made = streams(models, context=[5] * 25)
    first = made.next_hop(TOKENS, AHEAD, HopPlan(1, 0, 12, False))
    assert (first.frames, first.unheard_frames) == (100, 76)
    assert models.flow.run(first).shape[1] == 24 and made.flow.tokens_done == 12
    again = streams(FakeModels(), RECORD, context=[5] * 25).catch_up(TOKENS, AHEAD)
    assert again is not None and (again.frames, again.unheard_frames) == (300, 76)


def test_a_plan_that_does_not_fit_the_chunk_grid_is_an_error() -> None:
    """The stream's sizes and the flow's must agree."""
    with pytest.raises(ValueError, match="to end on the chunk grid, found 13 and 3"):
        streams(FakeModels()).next_hop(TOKENS, AHEAD, HopPlan(0, 0, 13, False))


def test_after_a_crash_what_is_out_is_computed_again_in_large_pieces() -> None:
    """So that a turn is not long; the next hop goes on where the sound ended."""
    models = FakeModels()
    made = streams(models, RECORD)
    assert (made.out_tokens, made.samples) == (187, 4800)
    sizes = []
    while (job := made.catch_up(TOKENS, AHEAD)) is not None:
        before = made.flow.tokens_done
        models.flow.run(job)
        sizes.append(made.flow.tokens_done - before)
    assert sizes == [112, 75]
    assert made.next_hop(TOKENS, AHEAD, HopPlan(0, 187, 25, False)).frames == 50


def test_a_record_at_the_beginning_of_a_sequence_has_nothing_to_catch_up() -> None:
    """It has no streams either."""
    made = streams(FakeModels(), replace(RECORD, vocoder=None, speed=None, hop_tokens_done=0))
    assert (made.out_tokens, made.samples) == (0, 0) and made.catch_up(TOKENS, AHEAD) is None


def test_a_bad_record_leaves_the_memory_free() -> None:
    """Another stream can use it."""
    models = FakeModels()
    memory = models.flow.memory.reserve(models.fake_voices.speaking.flow, 500)
    with pytest.raises(StreamError):
        SequenceStreams.open(models, memory, 1.0, (), replace(RECORD, speed={"speed": "fast"}))
    assert SequenceStreams.open(models, memory, 1.0, (), None).flow.tokens_done == 0
