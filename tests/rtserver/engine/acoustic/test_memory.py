"""An utterance's room for keys and values, on the embedded voice."""

from __future__ import annotations

import pytest
import torch

from cosyvoice.errors import CacheFull
from cosyvoice.flow.stream import FlowStream
from cosyvoice.models import NANO
from rtserver.engine.acoustic.memory import Memory
from rtserver.engine.acoustic.models import LEAST_WINDOW_TOKENS, AcousticModels

pytestmark = pytest.mark.model

SEQUENCE_TOKENS = 500


@pytest.fixture(scope="module")
def models() -> AcousticModels:
    return AcousticModels(NANO, kv_bytes=100 << 20)


def test_rooms_shrink_to_windows_then_there_is_none(models: AcousticModels) -> None:
    """As many whole ones as fit, then windows of at least 4 s of their own sound, then none; all comes back."""
    voice = models.voice("英文女", "sft", "", "en").flow
    before_bytes = models.flow.memory.budget.in_use_bytes
    rooms: list[Memory] = []
    while True:
        room = Memory(models, voice)
        try:
            room.take(0)
        except CacheFull:
            break
        rooms.append(room)
    windows_s = [(room.window_tokens, room.window_s) for room in rooms]
    free_bytes = models.flow.memory.budget.free_bytes
    with pytest.raises(CacheFull, match=r"kv_mib \(--kv-mib\) than 100 has room for more streams"):
        Memory(models, voice).take(0)
    for room in rooms:
        room.close()
        room.close()
    assert models.flow.memory.budget.in_use_bytes == before_bytes
    assert windows_s[:2] == [(None, None)] * 2 and free_bytes < models.least_reserve_bytes
    last_tokens, last_s = windows_s[-1]
    assert last_tokens is not None and LEAST_WINDOW_TOKENS <= last_tokens < SEQUENCE_TOKENS
    assert last_s == last_tokens / 25


def test_what_goes_on_behind_a_crash_keeps_its_window(models: AcousticModels) -> None:
    """Another one would be heard at the join; with none of that size left it takes what there is."""
    voice = models.voice("英文女", "sft", "", "en").flow
    same = Memory(models, voice, window_tokens=200)
    same.take(0)
    assert same.window_tokens == 200
    same.close()


def test_a_longer_recording_takes_more_room(models: AcousticModels) -> None:
    """A piece of a recording may be longer than any sequence of the talker's."""
    voice = models.voice("英文女", "sft", "", "en").flow
    usual, longer = Memory(models, voice), Memory(models, voice)
    usual.take(SEQUENCE_TOKENS)
    longer.take(SEQUENCE_TOKENS + 200)
    assert usual.reservation is not None and longer.reservation is not None
    assert longer.reservation.size_bytes > usual.reservation.size_bytes
    usual.close()
    longer.close()


def test_a_voice_speaks_the_same_from_pages() -> None:
    """Its shared prompt, a first hop, full ones and a last one, in an utterance's memory: the mel is that of blocks."""
    mels = []
    for paged in (False, True):
        models = AcousticModels(NANO, kv_bytes=100 << 20, paged=paged)
        room = Memory(models, models.voice("英文女", "sft", "", "en").flow)
        room.take(0)
        assert room.reservation is not None
        stream = FlowStream(models.flow, room.reservation.voice, room.reservation)
        tokens = list(range(90))
        hops = []
        while not stream.ended:
            left = tokens[stream.tokens_done :]
            count = stream.hop_tokens() + models.flow.config.lookahead_tokens
            hops.append(models.flow.run(stream.hop(left[:count], final=count > len(left))))
        room.close()
        mels.append(torch.cat(hops, 1))
    torch.testing.assert_close(mels[1], mels[0], rtol=0, atol=2e-5)


def test_on_a_gpu_memory_is_taken_for_a_reply() -> None:
    """Not for the longest sequence, so more utterances fit. What is longer takes more as it grows, and what goes on
    after a crash has room at once for what it computes again."""
    whole = AcousticModels(NANO, kv_bytes=100 << 20)
    reply = AcousticModels(NANO, kv_bytes=100 << 20, promised_s=6.0)
    voice, other = (models.voice("英文女", "sft", "", "en").flow for models in (whole, reply))
    longest, usual, resumed = Memory(whole, voice), Memory(reply, other), Memory(reply, other, done_tokens=300)
    for memory in (longest, usual, resumed):
        memory.take(0)
    sizes = [memory.reservation.size_bytes for memory in (longest, usual, resumed) if memory.reservation is not None]
    assert (whole.promised_tokens, reply.promised_tokens) == (SEQUENCE_TOKENS, 150)
    assert sizes[1] < 0.4 * sizes[0] and sizes[1] < sizes[2] < sizes[0]
    assert usual.window_tokens is None
