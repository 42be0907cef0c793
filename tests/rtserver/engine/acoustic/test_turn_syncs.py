"""How often a turn of the acoustic process waits for a GPU: on PyTorch's device `meta`, with the embedded voice."""

from __future__ import annotations

import pytest
import torch

from cosyvoice.models import NANO
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.turns import Turns
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.ipc.engine import Audio, Open
from rtserver.ipc.reading import Segment
from rtserver.metrics.trace import Ring
from rtserver.schedule.costs import Costs
from rtserver.schedule.scheduler import Places, Scheduler
from tests.host_syncs import HostSyncs

pytestmark = pytest.mark.model


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> AcousticModels:
    """With pages, as on a GPU."""
    cache = tmp_path_factory.mktemp("cache")
    return AcousticModels(NANO, kv_bytes=1 << 34, cache_dir=cache, device="meta", paged=True)


def _speaking(models: AcousticModels, name: str) -> AcousticUtterance:
    """With memory, and 60 speech tokens."""
    request = Open(name, "default", language="en")
    utterance = AcousticUtterance(request, models, models.voices.voice(request), 0.0, Ring(), holds=False)
    utterance.take_memory()
    utterance.feed([Segment(list(range(20, 50)), 0, True)], 0.0)
    utterance.end(0.0)
    while (sample := utterance.send_quantum(0.0, Costs())) is not None:
        left = 60 - len(sample.history)
        ids = [7] * min(left, sample.max_tokens)
        eos = [models.config.talker.eos] * (len(ids) < sample.max_tokens)
        utterance.accept(sample.quantum, [*ids, *eos], 0.1, 0.0)
    return utterance


def _fail(name: str, error: Exception) -> None:
    raise error


def test_a_turn_waits_once_where_sound_comes_out_and_otherwise_never(models: AcousticModels) -> None:
    """Two listeners side by side: each turn has one upload, and the last one brings samples and resume records of both
    in one copy."""
    scheduler = Scheduler(Places(quanta=2, hops=4), Costs())
    for count in (1, 2, 4):
        scheduler.costs.note("step", 50 * count, 0.01)
    turns = Turns(models, scheduler, _fail, lambda: 10.0)
    utterances = [_speaking(models, name) for name in ("a", "b")]
    turns.begin_prefix(utterances[0].voice.flow)
    while any(utterance.needs_prefix for utterance in utterances):
        turns.turn(turns.runnable(utterances, 0.0), utterances)
    with torch.inference_mode():
        for utterance in utterances:
            utterance.next_job(0.0)
    sounds = list[Audio]()
    downloads = list[int]()
    while not sounds:
        hops = turns.runnable(utterances, 0.0)
        with HostSyncs() as syncs:
            sounds = turns.turn(hops, utterances)
        assert syncs.uploads == 1
        downloads.append(syncs.downloads)
    assert downloads == [0] * (models.flow.config.euler_steps - 1) + [1]
    assert {sound.utterance for sound in sounds} == {"a", "b"}
    assert all(sound.pcm and sound.resume for sound in sounds)
