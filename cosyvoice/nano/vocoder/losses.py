"""How far a wave is from the recording: short-time spectra at several resolutions, mel, and the phase of low bands."""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from cosyvoice.voice.features import MEL_BINS, MEL_HOP, MEL_RATE_HZ, mel_basis

_RESOLUTIONS = ((1024, 240), (512, 120), (256, 60), (128, 30))  # n_fft and hop
_COMPLEX = ((1024, 256), (512, 128))
_FULL_BELOW_HZ, _NONE_ABOVE_HZ = 2000.0, 5000.0  # where phase still matters
_MEL_N_FFT = 1920


def spectral_loss(made: Tensor, recorded: Tensor) -> Tensor:
    """Convergence and log magnitudes of waves [B, samples], the mean over resolutions."""
    total = made.new_zeros(())
    for n_fft, hop in _RESOLUTIONS:
        a, b = _magnitude(made, n_fft, hop), _magnitude(recorded, n_fft, hop)
        total = total + (a - b).norm() / (b.norm() + 1e-5) + ((a + 1e-4).log() - (b + 1e-4).log()).abs().mean()
    return total / len(_RESOLUTIONS)


def mel_loss(made: Tensor, recorded: Tensor) -> Tensor:
    """Mean absolute difference of the log mels of waves [B, samples]."""
    return (_mel(made) - _mel(recorded)).abs().mean()


def phase_loss(made: Tensor, recorded: Tensor) -> Tensor:
    """Difference of the complex spectra of waves [B, samples], whole below 2 kHz and nothing from 5 kHz on."""
    total = made.new_zeros(())
    for n_fft, hop in _COMPLEX:
        hz = torch.arange(n_fft // 2 + 1, device=made.device) * MEL_RATE_HZ / n_fft
        weight = ((_NONE_ABOVE_HZ - hz) / (_NONE_ABOVE_HZ - _FULL_BELOW_HZ)).clamp(0, 1)[:, None]
        a, b = _stft(made, n_fft, hop), _stft(recorded, n_fft, hop)
        apart = torch.view_as_real(a - b).square().sum(-1).add(1e-9).sqrt()
        total = total + (weight * apart).sum() / ((weight * b.abs()).sum() + 1e-3)
    return total / len(_COMPLEX)


def _magnitude(wave: Tensor, n_fft: int, hop: int) -> Tensor:
    return torch.view_as_real(_stft(wave, n_fft, hop)).square().sum(-1).add(1e-7).sqrt()


def _mel(wave: Tensor) -> Tensor:
    pad = (_MEL_N_FFT - MEL_HOP) // 2
    padded = F.pad(wave[:, None], (pad, pad), mode="reflect")[:, 0]
    window = _window(_MEL_N_FFT, wave.device)
    spectrum = torch.stft(padded, _MEL_N_FFT, MEL_HOP, window=window, center=False, return_complex=True)
    magnitude = torch.view_as_real(spectrum).square().sum(-1).add(1e-9).sqrt()
    return (_basis(wave.device) @ magnitude).clamp(min=1e-5).log()


def _stft(wave: Tensor, n_fft: int, hop: int) -> Tensor:
    return torch.stft(wave, n_fft, hop, window=_window(n_fft, wave.device), return_complex=True)


@lru_cache(maxsize=8)
def _window(size: int, device: torch.device) -> Tensor:
    return torch.hann_window(size, device=device)


@lru_cache(maxsize=2)
def _basis(device: torch.device) -> Tensor:
    return mel_basis(MEL_RATE_HZ, _MEL_N_FFT, MEL_BINS).to(device)
