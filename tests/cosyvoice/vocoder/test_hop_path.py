"""Captured hops of the vocoder: what they give, which hops are captured, and what happens where they are wrong."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cosyvoice.config import VocoderConfig
from cosyvoice.graphs import Capture
from cosyvoice.vocoder.hift import Hift
from cosyvoice.vocoder.hop_path import GRAPH_ROWS, windows_of
from cosyvoice.vocoder.stream import VocoderStream
from cosyvoice.vocoder.vocoder import Vocoder, size_class
from tests.cosyvoice.captures import Rerun, impossible, stale

pytestmark = pytest.mark.model

CONFIG = VocoderConfig(base_channels=16, f0_channels=8)
FIRST, FRAMES = 14, 50


def vocoder() -> Vocoder:
    """With random weights, always the same."""
    torch.manual_seed(0)
    return Vocoder(Hift(CONFIG).requires_grad_(False), held_frames=5, lead_frames=4, lead_log_mel=-11.5)


def captured(capture: Capture) -> tuple[Vocoder, list[str]]:
    """A vocoder, and what it told."""
    made, told = vocoder(), list[str]()
    made.speed_up(capture, (FIRST,), FRAMES, told.append)
    return made, told


def speak(made: Vocoder, rows: int) -> list[Tensor]:
    """The waves of so many streams side by side: a first hop, two others, a last one for all but the first stream."""
    streams = [made.open() for _ in range(rows)]
    waves = list[Tensor]()
    generator = torch.Generator().manual_seed(1)
    for number, frames in enumerate((FIRST, FRAMES, FRAMES, FRAMES)):
        jobs = list[tuple[VocoderStream, Tensor, bool]]()
        for row, stream in enumerate(streams):
            mel = torch.randn(CONFIG.mel_bins, frames, generator=generator)
            jobs.append((stream, mel, number == 3 and row > 0))
        waves += made.decode(jobs)
    return waves


@pytest.fixture(scope="module")
def fast() -> tuple[Vocoder, Rerun]:
    """Whose hops are captured."""
    capture = Rerun()
    made, told = captured(capture)
    assert told == ["the vocoder uses CUDA graphs: it deviates from plain PyTorch by 0.0e+00 at most"]
    return made, capture


@pytest.mark.parametrize("rows", [1, 3, 11])
def test_streams_sound_as_they_do_without_it(fast: tuple[Vocoder, Rerun], rows: int) -> None:
    """Whatever their number. 11 are a batch of 8 and one of 3, which takes 4 rows. Last hops are not captured."""
    made, capture = fast
    before = capture.repeated
    waves = speak(made, rows)
    assert capture.repeated - before == (7 if rows == 11 else 4)
    for wave, right in zip(waves, speak(vocoder(), rows), strict=True):
        torch.testing.assert_close(wave, right, rtol=0, atol=1e-5)


def test_every_hop_of_a_stream_has_a_captured_one(fast: tuple[Vocoder, Rerun]) -> None:
    """Its first, its second, and all others: three windows, each for some numbers of rows."""
    windows = windows_of(CONFIG, 5, 4, (FIRST,), FRAMES, size_class)
    assert [(window.past, window.new) for window in windows] == [(4, 12), (13, 50), (29, 50)]
    assert fast[1].captured == len(windows) * len(GRAPH_ROWS)


def test_long_first_hops_share_what_comes_after_them() -> None:
    """With 29 frames of context behind it a hop does not depend on how the stream began."""
    windows = windows_of(CONFIG, 5, 4, (32, 40, FRAMES), FRAMES, size_class)
    assert [(window.past, window.new) for window in windows] == [(4, 28), (29, 50), (4, 36), (4, 50)]


@pytest.mark.parametrize(
    ("capture", "told"),
    [
        (stale, "the vocoder does not use CUDA graphs: with "),
        (impossible, "the vocoder does not use CUDA graphs: RuntimeError: operation not permitted"),
    ],
)
def test_what_is_wrong_or_impossible_does_not_serve(capture: Capture, told: str) -> None:
    """It is told, and plain PyTorch serves."""
    made, lines = captured(capture)
    assert lines[0].startswith(told) and lines[1] == "the vocoder uses plain PyTorch"
    torch.testing.assert_close(speak(made, 2), speak(vocoder(), 2), rtol=0, atol=0)
