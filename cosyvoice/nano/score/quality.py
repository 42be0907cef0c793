"""How natural a wave sounds to DistillMOS, from 1 to 5."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from cosyvoice.voice.features import resample

_RATE = 16000


class Naturalness:
    """DistillMOS on one core. ModuleNotFoundError when its packages are not installed."""

    def __init__(self) -> None:
        import distillmos

        self._model: Any = distillmos.ConvTransformerSQAModel().eval()

    def __call__(self, wave: NDArray[np.float32], rate: int) -> float:
        """The opinion on a wave [samples]."""
        sound = resample(torch.from_numpy(wave), rate, _RATE)
        sound = sound / max(1.0, float(sound.abs().max()))
        with torch.inference_mode():
            return float(self._model(sound[None]))
