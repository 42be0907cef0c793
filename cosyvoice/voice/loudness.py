"""The loudness of speech in LUFS (ITU-R BS.1770), and the gain that brings a voice to the loudness of a checkpoint."""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from cosyvoice.voice.features import MEL_BINS, MEL_RATE_HZ, mel_basis

# A gain beyond this would make up for a wrong measure of loudness, not for a quiet voice.
MAX_GAIN_DB = 12.0
# Samples up to here (-4.4 dBFS) are only multiplied. Louder ones are compressed, and never exceed the ceiling
# (-1.5 dBFS), which keeps the peaks between samples below -1 dBFS.
KNEE, CEILING = 0.6, 0.84

_N_FFT = 1920
_BLOCK_FRAMES = 20  # 0.4 s
_OFFSET_LUFS = -0.691
_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
# The two filters of the K-weighting at 48 kHz, numerator and denominator.
_SHELF = ((1.53512485958697, -2.69169619940638, 1.19839281085285), (1.0, -1.69065929318241, 0.73248077421585))
_HIGH_PASS = ((1.0, -2.0, 1.0), (1.0, -1.99004745483398, 0.99007225036621))
_FILTER_RATE_HZ = 48000


def gain_db(loudness_lufs: float, target_lufs: float) -> float:
    """From a voice's loudness to the target, at most MAX_GAIN_DB up or down."""
    return max(-MAX_GAIN_DB, min(target_lufs - loudness_lufs, MAX_GAIN_DB))


def amplify(wave: Tensor, gain_db: float | None) -> Tensor:
    """The wave with a gain; None: as it is. Each sample is changed alone, so it does not matter how a stream is cut."""
    if gain_db is None:
        return wave
    louder = wave * 10 ** (gain_db / 20)
    room = CEILING - KNEE
    beyond = (louder.abs() - KNEE).clamp_min(0)
    return louder.clamp(-KNEE, KNEE) + louder.sign() * (room * torch.tanh(beyond / room))


def mel_loudness_lufs(mel: Tensor) -> float:
    """The integrated loudness of the speech of a mel [80, frames] of at least one frame. Pauses do not count. Silence
    has -70 LUFS. Exact for noise, up to 2 LU too low for clean speech: a mel band does not tell how its power is
    distributed over the band."""
    power = torch.exp(2 * mel.double().cpu()).T @ _band_weights()
    blocks = power.unfold(0, min(_BLOCK_FRAMES, len(power)), 1).mean(1)
    for relative in (False, True):
        gate = _lufs(float(blocks.mean())) + _RELATIVE_GATE_LU if relative else _GATE_LUFS
        blocks = blocks[blocks > 10 ** ((gate - _OFFSET_LUFS) / 10)]
        if not len(blocks):
            return _GATE_LUFS
    return _lufs(float(blocks.mean()))


def _lufs(power: float) -> float:
    return _OFFSET_LUFS + 10 * math.log10(power)


@cache
def _band_weights() -> Tensor:
    """For each mel band, the K-weighted power of its part of a frame per squared mel magnitude [80]."""
    basis = mel_basis(MEL_RATE_HZ, _N_FFT, MEL_BINS).double()
    hz = torch.arange(basis.shape[1], dtype=torch.float64) * MEL_RATE_HZ / _N_FFT
    total = basis.sum(1)
    heard = (basis * _k_weighting(hz)).sum(1) / total
    # Triangles overlap: half of the spectrum's lines that a band has are its own.
    lines = (basis > 0).sum(1) / 2
    window = torch.hann_window(_N_FFT, dtype=torch.float64)
    return heard * lines * 2 / (_N_FFT * window.square().sum()) / total.square()


def _k_weighting(hz: Tensor) -> Tensor:
    """The gain of power at these frequencies."""
    delay = torch.exp(-2j * math.pi * hz / _FILTER_RATE_HZ)
    gain = torch.ones_like(hz)
    for above, below in (_SHELF, _HIGH_PASS):
        ratio = sum(b * delay**i for i, b in enumerate(above)) / sum(a * delay**i for i, a in enumerate(below))
        gain = gain * torch.as_tensor(ratio).abs().square()
    return gain
