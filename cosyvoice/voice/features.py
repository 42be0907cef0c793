"""Features of a recording, as the original computes them: mel at 24 kHz, Whisper log-mel, Kaldi filter banks.

Waves are float32 tensors of shape [samples], mono, in [-1, 1]. This is the only file that imports torchaudio
(for its sinc resampler and its Kaldi filter banks, which the original uses too).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torchaudio.compliance.kaldi as kaldi
from torch import Tensor
from torchaudio.transforms import Resample

MEL_RATE_HZ = 24000
MEL_BINS = 80
MEL_HOP = 480
TOKENIZER_RATE_HZ = 16000
WHISPER_BINS = 128
FBANK_BINS = 80

_MEL_N_FFT = 1920
_WHISPER_N_FFT = 400
_WHISPER_HOP = 160


def mel_24k(wave: Tensor) -> Tensor:
    """Natural-log magnitude mel [samples // 480, 80] of a 24 kHz wave (n_fft 1920, Slaney bands 0 to 12 kHz).

    The wave needs more than 720 samples: it is reflected by that much at both ends, and frames are not centred.
    """
    pad = (_MEL_N_FFT - MEL_HOP) // 2
    padded = torch.nn.functional.pad(wave[None, None], (pad, pad), mode="reflect")[0, 0]
    spectrum = torch.stft(
        padded,
        _MEL_N_FFT,
        hop_length=MEL_HOP,
        window=torch.hann_window(_MEL_N_FFT),
        center=False,
        return_complex=True,
    )
    magnitude = torch.sqrt(spectrum.real**2 + spectrum.imag**2 + 1e-9)
    mel = mel_basis(MEL_RATE_HZ, _MEL_N_FFT, MEL_BINS) @ magnitude
    return torch.log(torch.clamp(mel, min=1e-5)).T.contiguous()


def whisper_log_mel(wave: Tensor) -> Tensor:
    """Whisper's log-mel [128, samples // 160] of a 16 kHz wave: what the speech tokenizer reads."""
    spectrum = torch.stft(
        wave,
        _WHISPER_N_FFT,
        hop_length=_WHISPER_HOP,
        window=torch.hann_window(_WHISPER_N_FFT),
        center=True,
        return_complex=True,
    )
    power = spectrum[:, :-1].abs() ** 2
    mel = mel_basis(TOKENIZER_RATE_HZ, _WHISPER_N_FFT, WHISPER_BINS) @ power
    log_mel = torch.clamp(mel, min=1e-10).log10()
    return (torch.maximum(log_mel, log_mel.max() - 8.0) + 4.0) / 4.0


def fbank(wave: Tensor) -> Tensor:
    """Kaldi log filter banks [frames, 80] of a 16 kHz wave.

    25 ms Povey windows every 10 ms without dither, the wave in [-1, 1] rather than at int16 scale.
    """
    banks: Tensor = kaldi.fbank(
        wave[None], num_mel_bins=FBANK_BINS, dither=0.0, sample_frequency=float(TOKENIZER_RATE_HZ)
    )
    return banks


def fbank_minus_mean(wave: Tensor) -> Tensor:
    """`fbank` less its mean over time: what CAM++ reads."""
    banks = fbank(wave)
    return banks - banks.mean(dim=0, keepdim=True)


def resample(wave: Tensor, from_hz: int, to_hz: int) -> Tensor:
    """The wave at another rate: torchaudio's windowed sinc with its defaults (hann, width 6, roll-off 0.99)."""
    if from_hz == to_hz:
        return wave
    resampled: Tensor = _resampler(from_hz, to_hz)(wave)
    return resampled


@lru_cache(maxsize=16)
def _resampler(from_hz: int, to_hz: int) -> Resample:
    # The transform, not functional.resample: it computes its kernel in float64, as the original's does.
    return Resample(from_hz, to_hz)


@lru_cache(maxsize=4)
def mel_basis(rate_hz: int, n_fft: int, bins: int) -> Tensor:
    """Triangular mel bands [bins, n_fft // 2 + 1] of unit area on Slaney's scale: librosa.filters.mel.

    Computed in float64 and then rounded, as librosa does: a basis in float32 moves the log-mel by 2e-5.
    """
    edges_hz = _mel_to_hz(torch.linspace(0.0, _hz_to_mel(rate_hz / 2), bins + 2, dtype=torch.float64))
    bins_hz = torch.linspace(0.0, rate_hz / 2, n_fft // 2 + 1, dtype=torch.float64)
    ramps = bins_hz[None, :] - edges_hz[:, None]
    widths = edges_hz.diff()[:, None]
    rising = ramps[:-2] / widths[:-1]
    falling = -ramps[2:] / widths[1:]
    triangles = torch.clamp(torch.minimum(rising, falling), min=0.0)
    return (triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]).float()


# Slaney's mel scale (Auditory Toolbox, 1998): linear up to 1 kHz, 27 steps per factor of 6.4 above.
_HZ_PER_MEL = 200.0 / 3.0
_KNEE_HZ = 1000.0
_KNEE_MEL = _KNEE_HZ / _HZ_PER_MEL
_LOG_STEP = math.log(6.4) / 27.0


def _hz_to_mel(hz: float) -> float:
    return _KNEE_MEL + math.log(hz / _KNEE_HZ) / _LOG_STEP if hz >= _KNEE_HZ else hz / _HZ_PER_MEL


def _mel_to_hz(mel: Tensor) -> Tensor:
    above = _KNEE_HZ * torch.exp(_LOG_STEP * (mel - _KNEE_MEL))
    return torch.where(mel >= _KNEE_MEL, above, mel * _HZ_PER_MEL)
