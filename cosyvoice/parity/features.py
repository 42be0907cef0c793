"""The golden cases of features. They are logarithms, and are compared where the energy is.

The original computes in fp32. Its FFT errs by a share of the loudest part of the frame, whatever a band itself holds,
so in a quiet band the logarithm differs by 1e-4 between two processors. Each deviation is therefore multiplied by the
amplitude of its band over that of the frame's loudest band.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from torch import Tensor

from cosyvoice.parity.golden import Case, Golden
from cosyvoice.voice.features import fbank_minus_mean, mel_24k, whisper_log_mel

# Two fp32 computations differ by no more than 20 roundings each, of 2**-24 of the loudest band: an FFT of N points
# rounds in log2 N passes (11 for 1920), the window, the sum of the band and the stored logarithm take the others.
AMPLITUDE_TOLERANCE = 2 * 20 * 2.0**-24
# The original computes Kaldi's bands in fp32 too, whose steps at 2840 mel, the upper end, are 2**-12 mel. The edge of a
# band and a bin of the FFT may each be a step off: a share of the height of the flank between them, 34.7 mel wide.
FBANK_TOLERANCE = AMPLITUDE_TOLERANCE + 2 * 2.0**-12 / 34.7


def feature_cases(golden: Golden) -> Iterator[Case]:
    """Mel, Whisper log-mel and filter banks of the recorded waves."""
    g, _ = golden.tensors("frontend")
    wave_24k, wave_16k = g["wav24k"][0], g["wav16k_resampled"][0]
    mel = g["mel24k"][0].T
    yield Case("features mel 24 kHz", amplitude_deviation(mel_24k(wave_24k), mel, mel), AMPLITUDE_TOLERANCE)
    per_whisper = 4 * math.log(10) / 2  # whisper: (log10 of the power + 4) / 4
    whisper = g["whisper_logmel128"][0].T * per_whisper
    ours = whisper_log_mel(wave_16k).T * per_whisper
    yield Case("features whisper mel", amplitude_deviation(ours, whisper, whisper), AMPLITUDE_TOLERANCE)
    banks = g["fbank80_minus_mean"] / 2  # log of the power; the mean is taken off, so the level is in fbank80
    ours = fbank_minus_mean(wave_16k) / 2
    yield Case("features fbank", amplitude_deviation(ours, banks, g["fbank80"] / 2), FBANK_TOLERANCE)


def amplitude_deviation(ours: Tensor, golden: Tensor, level: Tensor) -> float:
    """The largest difference of natural logarithms of amplitude [frames, bands], each weighted by its band's amplitude
    exp(`level`) over that of the loudest band of its frame. Infinite when the shapes differ."""
    if ours.shape != golden.shape:
        return float("inf")
    weight = (level - level.amax(dim=1, keepdim=True)).double().exp()
    return float(((ours.double() - golden.double()).abs() * weight).max())
