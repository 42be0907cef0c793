"""Features of a recording, as the original computes them: mel at 24 kHz, Whisper log-mel, Kaldi filter banks.

Waves are float32 tensors of shape [samples], mono, in [-1, 1]; features are float32 too. Steps between are float64: the
logarithm of a quiet band amplifies the rounding of the FFT, and float32 FFTs of two processors differ there by 1e-4.
This is the only file that imports torchaudio (for its sinc resampler, which the original uses too).
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor, nn

MEL_RATE_HZ = 24000
MEL_BINS = 80
MEL_HOP = 480
TOKENIZER_RATE_HZ = 16000
WHISPER_BINS = 128
FBANK_BINS = 80

_MEL_N_FFT = 1920
_WHISPER_N_FFT = 400
_WHISPER_HOP = 160
_FBANK_N_FFT = 512
_FBANK_FRAME = 400
_FBANK_HOP = 160
_FBANK_LOWEST_HZ = 20.0


def mel_24k(wave: Tensor) -> Tensor:
    """Natural-log magnitude mel [samples // 480, 80] of a 24 kHz wave (n_fft 1920, Slaney bands 0 to 12 kHz).

    The wave needs more than 720 samples: it is reflected by that much at both ends, and frames are not centred.
    """
    frames = _frames(_reflected(wave, (_MEL_N_FFT - MEL_HOP) // 2), _MEL_N_FFT, MEL_HOP)
    power = _power(frames * torch.hann_window(_MEL_N_FFT, dtype=torch.float64), _MEL_N_FFT)
    mel = torch.sqrt(power + 1e-9) @ mel_basis(MEL_RATE_HZ, _MEL_N_FFT, MEL_BINS).double().T
    return torch.log(torch.clamp(mel, min=1e-5)).float()


def whisper_log_mel(wave: Tensor) -> Tensor:
    """Whisper's log-mel [128, samples // 160] of a 16 kHz wave: what the speech tokenizer reads."""
    # Whisper leaves out the frame that is centred on the end of the wave.
    frames = _frames(_reflected(wave, _WHISPER_N_FFT // 2), _WHISPER_N_FFT, _WHISPER_HOP)[:-1]
    power = _power(frames * torch.hann_window(_WHISPER_N_FFT, dtype=torch.float64), _WHISPER_N_FFT)
    mel = mel_basis(TOKENIZER_RATE_HZ, _WHISPER_N_FFT, WHISPER_BINS).double() @ power.T
    log_mel = torch.clamp(mel, min=1e-10).log10()
    return ((torch.maximum(log_mel, log_mel.max() - 8.0) + 4.0) / 4.0).float()


def fbank(wave: Tensor) -> Tensor:
    """Kaldi log filter banks [frames, 80] of a 16 kHz wave of at least 25 ms.

    25 ms Povey windows every 10 ms without dither, the wave in [-1, 1] rather than at int16 scale. Not torchaudio's
    function: that one computes its bands in float32, which moves a band by 1e-5 from one processor to the next.
    """
    return _fbank(wave).float()


def fbank_minus_mean(wave: Tensor) -> Tensor:
    """`fbank` less its mean over time: what CAM++ reads."""
    banks = _fbank(wave)
    return (banks - banks.mean(dim=0, keepdim=True)).float()


def _fbank(wave: Tensor) -> Tensor:
    frames = _frames(wave.double(), _FBANK_FRAME, _FBANK_HOP)
    frames = frames - frames.mean(dim=1, keepdim=True)
    before = torch.cat([frames[:, :1], frames[:, :-1]], dim=1)
    window = torch.hann_window(_FBANK_FRAME, periodic=False, dtype=torch.float64) ** 0.85
    power = _power((frames - 0.97 * before) * window, _FBANK_N_FFT)
    return torch.log(torch.clamp(power @ _kaldi_basis().T, min=torch.finfo(torch.float32).eps))


def _reflected(wave: Tensor, pad: int) -> Tensor:
    """The wave in float64, continued at both ends by its mirror image."""
    return torch.nn.functional.pad(wave.double()[None], (pad, pad), mode="reflect")[0]


def _frames(wave: Tensor, size: int, hop: int) -> Tensor:
    """[frames, size], as many as fit into the wave."""
    return wave.unfold(0, size, hop)


def _power(frames: Tensor, n_fft: int) -> Tensor:
    """Power spectra [frames, n_fft // 2 + 1]."""
    spectrum = torch.fft.rfft(frames, n_fft)
    power: Tensor = spectrum.real**2 + spectrum.imag**2
    return power


def resample(wave: Tensor, from_hz: int, to_hz: int) -> Tensor:
    """The wave at another rate: torchaudio's windowed sinc with its defaults (hann, width 6, roll-off 0.99)."""
    if from_hz == to_hz:
        return wave
    resampled: Tensor = _resampler(from_hz, to_hz)(wave)
    return resampled


@lru_cache(maxsize=16)
def _resampler(from_hz: int, to_hz: int) -> nn.Module:
    # The transform, not functional.resample: it computes its kernel in float64, as the original's does.
    from torchaudio.transforms import Resample  # only here: a machine that reads no recordings does not need it

    resampler: nn.Module = Resample(from_hz, to_hz)
    return resampler


@lru_cache(maxsize=4)
def mel_basis(rate_hz: int, n_fft: int, bins: int) -> Tensor:
    """Triangular mel bands [bins, n_fft // 2 + 1] of unit area on Slaney's scale: librosa.filters.mel.

    Computed in float64 and then rounded, as librosa does: a basis in float32 moves the log-mel by 2e-5.
    """
    edges_hz = _mel_to_hz(torch.linspace(0.0, _hz_to_mel(rate_hz / 2), bins + 2, dtype=torch.float64))
    bins_hz = torch.linspace(0.0, rate_hz / 2, n_fft // 2 + 1, dtype=torch.float64)
    triangles = _triangles(bins_hz, edges_hz)
    return (triangles * (2.0 / (edges_hz[2:] - edges_hz[:-2]))[:, None]).float()


@lru_cache(maxsize=1)
def _kaldi_basis() -> Tensor:
    """Kaldi's triangular bands [80, 257], 20 Hz to 8 kHz: height 1, straight in mel rather than in Hz."""
    highest_hz = TOKENIZER_RATE_HZ / 2
    edges = torch.linspace(_kaldi_mel(_FBANK_LOWEST_HZ), _kaldi_mel(highest_hz), FBANK_BINS + 2, dtype=torch.float64)
    bins_hz = torch.linspace(0.0, highest_hz, _FBANK_N_FFT // 2 + 1, dtype=torch.float64)
    return _triangles(1127.0 * torch.log1p(bins_hz / 700.0), edges)


def _kaldi_mel(hz: float) -> float:
    return 1127.0 * math.log1p(hz / 700.0)


def _triangles(positions: Tensor, edges: Tensor) -> Tensor:
    """Heights [bands, positions]: band i rises from 0 at edges[i] to 1 at edges[i + 1] and falls to 0 at the next."""
    ramps = positions[None, :] - edges[:, None]
    widths = edges.diff()[:, None]
    return torch.clamp(torch.minimum(ramps[:-2] / widths[:-1], -ramps[2:] / widths[1:]), min=0.0)


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
