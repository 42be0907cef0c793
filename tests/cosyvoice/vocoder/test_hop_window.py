"""Receptive fields of the vocoder as integers."""

import dataclasses

import pytest
import torch

from cosyvoice.config import VocoderConfig
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.hop_window import context_frames, hop_window, known_f0_frames, least_held_frames, share_context

RELEASED = VocoderConfig(base_channels=512, f0_channels=512)


def test_released_fields() -> None:
    """The released sizes reach 29 frames back through the source branch, 22 through the mel, and 5 ahead."""
    steady = hop_window(RELEASED, 1000, 50)
    assert (context_frames(RELEASED), least_held_frames(RELEASED), RELEASED.held_frames) == (29, 5, 8)
    assert (1000 - steady.source_start, 1000 - steady.mel_start, 1000 - steady.f0_start) == (29, 22, 7)
    assert (steady.mel_stop, steady.source_stop) == (1055, 1051)


def test_a_hop_far_on_is_the_same_window_moved() -> None:
    """Beyond the context nothing depends on the absolute frame: windows differ by whole frames only."""
    near, far = hop_window(RELEASED, 29, 10), hop_window(RELEASED, 529, 10)
    assert far.mel_start - near.mel_start == far.source_stop - near.source_stop == 500
    assert [s.block_skip for s in near.stages] == [s.block_skip for s in far.stages] == [120, 120, 120]
    for a, b in zip(near.stages, far.stages, strict=True):
        assert (a.drop, a.up_skip, a.source_skip, a.source_pad) == (b.drop, b.up_skip, b.source_skip, b.source_pad)
        assert b.column_start - a.column_start == b.column_stop - a.column_stop == 500 * 120


@pytest.mark.parametrize(("context", "used"), [(0, [0, 0, 0]), (5, [0, 0, 5]), (9, [0, 3, 6]), (12, [4, 2, 6])])
def test_context_goes_to_the_last_layers_first(context: int, used: list[int]) -> None:
    """With too little context the first layers pad; with all of it each layer uses its field."""
    assert share_context([4, 2, 6] if context == 12 else [4, 3, 6], context) == used


def test_fields_follow_the_configuration() -> None:
    """Longer kernels and a farther look-ahead move the borders; nothing is written down as a number of frames."""
    wide = dataclasses.replace(RELEASED, source_kernels=(21, 7, 11), f0_look_right_frames=6, look_right_frames=2)
    assert context_frames(wide) > context_frames(RELEASED)
    assert least_held_frames(wide) == 7 and wide.held_frames == 9


@pytest.fixture(scope="module")
def network() -> Hift:
    """A small vocoder in float64, where the faintest influence of a far input still shows."""
    torch.manual_seed(0)
    return Hift(VocoderConfig(base_channels=32, f0_channels=16)).double()


def test_the_context_is_exactly_what_is_heard(network: Hift) -> None:
    """A frame hears a change of the excitation 29 frames back; one 30 frames back leaves it the same to the bit."""
    config = network.config
    window = hop_window(config, 0, 41)
    generator = torch.Generator().manual_seed(2)
    mel = torch.randn(1, 80, window.mel_stop, generator=generator, dtype=torch.float64)
    source = 0.1 * torch.randn(1, window.source_stop * 480, generator=generator, dtype=torch.float64)
    with torch.no_grad():
        before = network.synthesise(mel, source, window, [None])[:, 40 * 480 :]
        for frames_back, heard in ((29, True), (30, False)):
            changed = source.clone()
            start = (40 - frames_back) * 480
            changed[:, start : start + 480] += 0.3
            after = network.synthesise(mel, changed, window, [None])[:, 40 * 480 :]
            assert bool((after != before).any()) is heard, frames_back


def test_the_least_held_frames_settle_the_wave(network: Hift) -> None:
    """With 5 frames of mel beyond it a frame cannot change any more; with 4 it still can."""
    config = network.config
    generator = torch.Generator().manual_seed(3)
    mel = torch.randn(1, 80, 40, generator=generator, dtype=torch.float64)
    noise = torch.rand(1, 40 * 480, 9, generator=generator, dtype=torch.float64)
    least = least_held_frames(config)
    with torch.no_grad():
        before = network(mel, noise)[:, : 20 * 480]
        for first_changed, same in ((20 + least, True), (20 + least - 1, False)):
            changed = mel.clone()
            changed[:, :, first_changed:] += 1.0
            after = network(changed, noise)[:, : 20 * 480]
            assert bool((after == before).all()) is same, first_changed


def test_f0_is_known_one_frame_further_than_the_wave() -> None:
    """Once a frame is out, its successor's f0 is known; before the first, none is."""
    assert [known_f0_frames(RELEASED, n) for n in (0, 1, 50)] == [0, 2, 51]
