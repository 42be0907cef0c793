"""The vocoder's f0 predictor: pitch in Hz from mel, frame by frame."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.config import VocoderConfig
from cosyvoice.vocoder.causal_conv import CausalConv1d
from cosyvoice.vocoder.hop_window import share_context


class F0Predictor(nn.Module):
    """Five convolutions and a linear layer in float64.

    f0 is summed into a phase, over 480 samples a frame and for nine harmonics. With float32 the rounding errors of f0
    would soon give a different wave, and the wave would depend on how the mel was cut into hops.
    """

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.look_right = config.f0_look_right_frames
        self._fields = [0] + [kernel - 1 for kernel in config.f0_kernels]
        channels = config.f0_channels
        layers: list[nn.Module] = [
            CausalConv1d(config.mel_bins, channels, self.look_right + 1, look_right=self.look_right),
            nn.ELU(),
        ]
        for kernel in config.f0_kernels:
            layers += [CausalConv1d(channels, channels, kernel), nn.ELU()]
        self.condnet = nn.Sequential(*layers)
        self.classifier = nn.Linear(channels, 1)
        self.double()

    def forward(self, mel: Tensor, *, skip: int = 0, final: bool = True) -> Tensor:
        """Mel [B, mel_bins, skip + n (+ look_right)] -> f0 in Hz [B, n], near 0 where there is no voice.

        The first `skip` frames are left context; fewer than the layers' field means that the stream starts here. With
        `final` the frames ahead are zeros; otherwise the last `look_right` frames are look-ahead.
        """
        x = mel.to(self.classifier.weight.dtype)
        if final:
            x = F.pad(x, (0, self.look_right))
        for i, context in enumerate(share_context(self._fields, skip)):
            x = F.elu(self.condnet[2 * i](x, context))
        f0: Tensor = self.classifier(x.transpose(1, 2))[..., 0].abs()
        return f0
