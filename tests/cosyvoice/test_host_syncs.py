"""How often the host waits for a GPU: never within a step of flow, vocoder or sampler, and once for a hop's samples."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from cosyvoice.config import ModelConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.flow.stream import FlowStream
from cosyvoice.models import NANO
from cosyvoice.serving_config import SamplingConfig
from cosyvoice.talker.draw_graphs import DrawKind, Draws
from cosyvoice.talker.draws import DrawState
from cosyvoice.transfer import HostCopies, upload
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.speed import MelSpeed
from cosyvoice.vocoder.vocoder import Vocoder
from tests.cosyvoice.captures import Rerun
from tests.host_syncs import META, HostSyncs

CONFIG = ModelConfig.load(NANO)


def test_the_counter_sees_every_copy() -> None:
    """In both directions, and the ways in which they hide."""
    device, host = torch.empty(3, device=META), torch.ones(3)
    uploads: list[Callable[[], object]] = [
        lambda: torch.tensor([1, 2], device=META),
        lambda: device.new_tensor(0.5),
        lambda: host.to(META),
        lambda: device.copy_(host),
        lambda: upload([1, 2], META),
    ]
    for upload_one in uploads:
        with HostSyncs() as syncs:
            upload_one()
        assert (syncs.uploads, syncs.downloads) == (1, 0)
    downloads: list[Callable[[], object]] = [device.cpu, lambda: float(device[0]), lambda: int(device.sum())]
    for download_one in downloads:
        with HostSyncs() as syncs:
            download_one()
        assert (syncs.uploads, syncs.downloads) == (0, 1)
    with HostSyncs() as syncs:
        device * 2 + device[torch.arange(3, device=META)]
    assert (syncs.uploads, syncs.downloads, syncs.operations) == (0, 0, 3)


@pytest.fixture(scope="module")
def stepper() -> FlowStepper:
    return FlowStepper(Flow(CONFIG.flow), FlowMemory(CONFIG.flow, kv_bytes=1 << 40, device=META))


def hops(stepper: FlowStepper, count: int) -> list[HopJob]:
    """First hops of so many streams."""
    mel = torch.zeros(2 * 30, CONFIG.flow.mel_bins)
    voice = stepper.voice([1] * 30, mel, torch.ones(CONFIG.flow.spk_embed_dim))
    return [FlowStream(stepper, voice).hop([1] * 23, final=False) for _ in range(count)]


def test_no_step_of_the_flow_waits(stepper: FlowStepper) -> None:
    """Also not one of hops that are at different steps."""
    jobs = hops(stepper, 2)
    stepper.tick(jobs[:1])
    with HostSyncs() as syncs:
        stepper.tick(jobs)
    assert (syncs.uploads, syncs.downloads) == (0, 0) and syncs.operations > 100


def test_a_hop_has_one_upload(stepper: FlowStepper) -> None:
    """Its tokens."""
    with HostSyncs() as syncs:
        hops(stepper, 1)  # and its voice: speaker, mel
    voices = HostSyncs()
    mel = torch.zeros(2 * 30, CONFIG.flow.mel_bins)
    with voices:
        stepper.voice([1] * 30, mel, torch.ones(CONFIG.flow.spk_embed_dim))
    prefixes = 1  # the voice's prompt, computed here with a job of its own
    assert (syncs.uploads - voices.uploads - prefixes, syncs.downloads) == (1, 0)


@pytest.mark.parametrize("captured", [False, True])
def test_the_vocoder_does_not_wait_and_a_batch_comes_down_in_one_copy(captured: bool) -> None:
    """Samples and resume records of all streams, whatever is final and whatever their speed; also with hops that a GPU
    repeats."""
    vocoder, capture = Vocoder(Hift(CONFIG.vocoder).to(META), lead_frames=4), Rerun()
    if captured:
        with HostSyncs():  # every deviation is then 0
            vocoder.speed_up(capture, (80,), 50, lambda _: None)
    streams, speeds = [vocoder.open() for _ in range(3)], [MelSpeed(1.25) for _ in range(3)]
    with HostSyncs() as syncs, torch.inference_mode():
        mels = [speed.feed(torch.empty(80, 100, device=META), final=False) for speed in speeds]
        waves = vocoder.decode([(stream, mel, number == 1) for number, (stream, mel) in enumerate(zip(streams, mels))])
        assert (syncs.uploads, syncs.downloads) == (0, 0)
        copies = HostCopies()
        for wave, stream, speed in zip(waves, streams, speeds):
            copies.want(wave, *stream.tensors, *speed.tensors)
        copies.fetch()
        records = [stream.resume_record(copies) for stream in streams]
        records += [speed.resume_record(copies) for speed in speeds]
        sizes = [copies(wave).numel() for wave in waves]
    assert (syncs.uploads, syncs.downloads) == (0, 1) and (capture.repeated > 0) == captured
    assert sizes == [wave.numel() for wave in waves] and min(sizes) > 0
    tensors = [value for record in records for value in record.values() if isinstance(value, torch.Tensor)]
    assert len(tensors) == 12 and {tensor.device.type for tensor in tensors} == {"cpu"}


@pytest.mark.parametrize("captured", [False, True])
def test_a_step_of_the_sampler_has_one_upload_and_never_waits(captured: bool) -> None:
    """What its draws depend on, for all rows together; the number of operations does not depend on the rows. Also with
    scores that a GPU repeats."""
    draws, sampling = Draws(), SamplingConfig()
    if captured:
        with HostSyncs():  # every deviation is then 0
            draws.speed_up(Rerun(), DrawKind(6761, 6561, sampling), 32, META, lambda _: None)
    counts = []
    # The first step makes what all steps share.
    draws.rows(torch.empty(1, 6761, device=META), {0: DrawState(0, 5, [], 6562, 0, sampling, 6561, [])})
    for rows in (2, 32):
        states = [DrawState(row, 5, [1, 2], 6562, row % 3, sampling, 6561, [7, 8]) for row in range(rows)]
        for others in (0, 1):  # rows of the batch that are not the talker's
            with HostSyncs() as syncs:
                draws.rows(torch.empty(rows + others, 6761, device=META), dict(enumerate(states)))
            assert (syncs.uploads, syncs.downloads) == (1, 0)
            counts.append(syncs.operations)
    alone, beside_others = counts[:2]
    assert counts == [alone, beside_others] * 2 and alone < beside_others
