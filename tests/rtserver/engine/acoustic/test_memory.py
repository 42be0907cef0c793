"""An utterance's room for keys and values, on the embedded voice."""

from __future__ import annotations

import pytest

from cosyvoice.errors import CacheFull
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
