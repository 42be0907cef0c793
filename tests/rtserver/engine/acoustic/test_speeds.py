"""Speaking at another speed, with the embedded voices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.model.ebur128 import loudness
from cosyvoice.models import NANO
from cosyvoice.vocoder.speed import MelSpeed
from rtserver.engine.acoustic.models import AcousticModels

SPEEDS = (0.5, 0.8, 1.25, 1.5, 2.0)


@pytest.mark.model
def test_all_speeds_have_the_loudness_of_speed_one(tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the flow makes of each stored voice's prompt has within 1 LU the same loudness at all speeds."""
    models = AcousticModels(NANO, kv_bytes=64 << 20, cache_dir=tmp_path_factory.mktemp("cache"))
    serving = models.config.serving
    for info in models.voices.infos():
        c = models.voice(info.name, "sft", "", None).conditioning
        mel = models.flow.full(c.flow_tokens, c.flow_tokens, c.flow_mel, c.speaker, block_mask=True, finalize=True)[0]

        def at(speed: float, mel: torch.Tensor = mel) -> float:
            stretched = MelSpeed(
                speed,
                keeps_energy=serving.speed_keeps_energy,
                gain_db_per_octave=serving.speed_gain_db_per_octave,
            ).feed(mel, True)
            wave = models.vocoder.decode([(models.vocoder.open(), stretched, True)])[0].numpy()
            return loudness(wave.astype(np.float32), models.config.sample_rate).integrated_lufs

        plain = at(1.0)
        for speed in SPEEDS:
            assert abs(at(speed) - plain) < 1.0, (info.name, speed, at(speed) - plain)
