"""Who speaks, by Resemblyzer: unit vectors of voices, and how near two of them are."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from cosyvoice.voice.features import mel_basis, resample

_RATE, _N_FFT, _HOP, _BINS, _SIZE = 16000, 400, 160, 40, 256
_LEVEL = 10 ** (-30 / 20)  # quieter waves are raised to it (root mean square)
_PARTIAL, _STEP = 160, 77  # frames of a partial, and from one to the next
_COVERED = 0.75  # this much of the last partial must be sound


class Likeness:
    """Resemblyzer's voice encoder with the weights of its package, of which nothing else is used: its code wants
    librosa and a voice detector, and these waves have no long silence. ModuleNotFoundError when it is not there."""

    def __init__(self) -> None:
        spec = importlib.util.find_spec("resemblyzer")
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError("expected Resemblyzer: pip install --no-deps Resemblyzer==0.1.4")
        path = Path(spec.submodule_search_locations[0]) / "pretrained.pt"
        weights = torch.load(path, map_location="cpu", weights_only=True)["model_state"]
        self._network = _Encoder()
        self._network.load_state_dict({k: w for k, w in weights.items() if not k.startswith("similarity")})
        self._basis = mel_basis(_RATE, _N_FFT, _BINS)

    @torch.inference_mode()
    def __call__(self, wave: NDArray[np.float32], rate: int) -> NDArray[np.float32]:
        """A wave [samples] as a unit vector [256]."""
        sound = resample(torch.from_numpy(wave), rate, _RATE)
        sound = sound * max(1.0, _LEVEL / max(float(sound.square().mean().sqrt()), 1e-9))
        starts = partials(len(sound))
        sound = F.pad(sound, (0, max(0, (starts[-1] + _PARTIAL) * _HOP - len(sound))))
        window = torch.hann_window(_N_FFT)
        spectrum = torch.stft(sound, _N_FFT, _HOP, window=window, center=True, pad_mode="constant", return_complex=True)
        mel = (self._basis @ spectrum.abs().square()).T
        vectors = self._network(torch.stack([mel[start : start + _PARTIAL] for start in starts]))
        vector: NDArray[np.float32] = F.normalize(vectors.mean(0), dim=0).numpy()
        return vector


class _Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.lstm = nn.LSTM(_BINS, _SIZE, 3, batch_first=True)
        self.linear = nn.Linear(_SIZE, _SIZE)

    def forward(self, mel: Tensor) -> Tensor:
        """[B, frames, 40] -> unit vectors [B, 256]."""
        hidden = self.lstm(mel)[1][0][-1]
        return F.normalize(F.relu(self.linear(hidden)), dim=-1)


def partials(samples: int) -> list[int]:
    """The frames at which the encoder's overlapping looks at a 16 kHz wave begin."""
    frames = -(-(samples + 1) // _HOP)
    starts = list(range(0, max(1, frames - _PARTIAL + _STEP + 1), _STEP))
    covered = (samples - starts[-1] * _HOP) / (_PARTIAL * _HOP)
    return starts[:-1] if covered < _COVERED and len(starts) > 1 else starts


def nearest(vector: NDArray[np.float32], others: Sequence[NDArray[np.float32]], own: int) -> tuple[bool, float, float]:
    """Whether the nearest of `others` is the one numbered `own`, the cosine to that, and to the best of the rest."""
    cosines = np.stack(others) @ vector
    rest = float(np.delete(cosines, own).max())
    return bool(cosines[own] > rest), float(cosines[own]), rest
