"""The network of the causal HiFT vocoder: mel and excitation to wave (CosyVoice3's CausalHiFTGenerator)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cosyvoice.config import VocoderConfig
from cosyvoice.conv_layout import by_channels
from cosyvoice.vocoder.causal_conv import CausalConv1d, ResidualBlock
from cosyvoice.vocoder.f0 import F0Predictor
from cosyvoice.vocoder.hop_window import POST_KERNEL, HopWindow, StageWindow, hop_window, source_down
from cosyvoice.vocoder.source import HarmonicSource, Phase
from cosyvoice.vocoder.stft import Stft
from cosyvoice.vocoder.upsampling import UpsamplingConv1d

MAX_MAGNITUDE = 100.0


class Hift(nn.Module):
    """Up-samples mel to STFT columns in stages. Each stage adds the STFT of the excitation.

    State dict keys are the released ones with weight norm fused (`fuse_weight_norm`). Everything is differentiable.
    """

    def __init__(self, config: VocoderConfig) -> None:
        super().__init__()
        self.config = config
        bins = config.istft_n_fft + 2
        stages = range(len(config.upsample_rates))
        channels = [config.base_channels // 2 ** (i + 1) for i in stages]
        self.f0_predictor = F0Predictor(config)
        self.m_source = HarmonicSource(config)
        look = config.look_right_frames
        self.conv_pre = CausalConv1d(config.mel_bins, config.base_channels, look + 1, look_right=look)
        self.ups = nn.ModuleList(
            UpsamplingConv1d(2 * channels[i], channels[i], config.upsample_kernels[i], config.upsample_rates[i])
            for i in stages
        )
        self.source_downs = nn.ModuleList()
        for i in stages:
            kernel, stride, _ = source_down(config, i)
            self.source_downs.append(nn.Conv1d(bins, channels[i], kernel, stride=stride))
        self.source_resblocks = nn.ModuleList(
            ResidualBlock(channels[i], config.source_kernels[i], config.source_dilations[i]) for i in stages
        )
        self.resblocks = nn.ModuleList(
            ResidualBlock(channels[i], kernel, dilations)
            for i in stages
            for kernel, dilations in zip(config.resblock_kernels, config.resblock_dilations, strict=True)
        )
        self.conv_post = CausalConv1d(channels[-1], bins, POST_KERNEL)
        self.stft = Stft(config.istft_n_fft, config.istft_hop)

    def pack(self) -> None:
        """Brings the weights into the form that is fastest for inference. They must not change any more."""
        for module in self.modules():
            if isinstance(module, UpsamplingConv1d):
                module.pack()
            elif isinstance(module, nn.Conv1d):
                module.weight.data = by_channels(module.weight.data)

    def forward(
        self,
        mel: Tensor,
        noise: Tensor,
        f0: Tensor | None = None,
        phase: Phase = "fp64",
        cycles: Tensor | None = None,
    ) -> Tensor:
        """Whole utterances: mel [B, mel_bins, n], noise in [0, 1) [B or 1, n * samples_per_frame, harmonics + 1] ->
        wave [B, n * samples_per_frame].

        For training: `f0` [B, n] in Hz is used in place of the predicted one. `cycles` [B, n], the fundamental's phase
        at the end of each frame, is used in place of the sum over f0.
        """
        config = self.config
        rows, frames = mel.shape[0], mel.shape[2]
        if f0 is None:
            f0 = self.f0_predictor(mel)
        if cycles is None:
            start = f0.new_zeros(rows, config.harmonics + 1, dtype=torch.float64)
            harmonics = self.m_source.advance(f0, start, phase)
        else:
            harmonics = cycles.double()[..., None] * self.m_source.multiples % 1
        sines = self.m_source.sines(harmonics, phase)
        mixed = self.m_source.mix_noise(noise).unflatten(1, (frames, config.samples_per_frame))
        source = self.m_source(f0, sines, mixed)
        window = hop_window(config, 0, frames)
        mel = F.pad(mel, (0, window.mel_stop - frames))
        source = F.pad(source, (0, (window.source_stop - frames) * config.samples_per_frame))
        return self.synthesise(mel, source, window, [frames] * rows)

    def synthesise(self, mel: Tensor, source: Tensor, window: HopWindow, ends: Sequence[int | None]) -> Tensor:
        """The wave of the window's new frames, [B, new * samples_per_frame], within +-audio_limit.

        mel: frames [window.mel_start, window.mel_stop), [B, mel_bins, m].
        source: excitation of frames [window.source_start, window.source_stop), [B, s * samples_per_frame].
        ends: for each row, the number of new frames (at least 1) after which its mel ends, or None. After its end a
        row's mel must be zeros; its excitation may be anything, and its wave has no meaning.
        """
        config = self.config
        per_frame = config.samples_per_frame
        before = window.past - window.source_start
        spectrum = self.stft.analyse(source, [None if end is None else (before + end) * per_frame for end in ends])
        first_column = window.source_start * per_frame // config.istft_hop
        x = self.conv_pre(mel)
        for i, stage in enumerate(window.stages):
            x = self._upsample(i, F.leaky_relu(x, config.leaky_slope), stage)
            columns = spectrum[..., stage.column_start - first_column : stage.column_stop - first_column]
            x = x + self._source_branch(i, columns, stage)
            x = self._blocks(i, x, stage.block_skip)
        x = self.conv_post(F.leaky_relu(x, 0.01), window.post_skip)
        log_magnitude, raw_phase = x.chunk(2, dim=1)
        magnitude, phase = log_magnitude.exp().clamp(max=MAX_MAGNITUDE), raw_phase.sin()
        wave = self.stft.synthesise(
            torch.cat([magnitude * phase.cos(), magnitude * phase.sin()], dim=1),
            window.sample_start,
            window.new * per_frame,
            first=window.past == 0,
            ends=[None if end is None else end * per_frame for end in ends],
        )
        return wave.clamp(-config.audio_limit, config.audio_limit)

    def _upsample(self, i: int, x: Tensor, stage: StageWindow) -> Tensor:
        x = self.ups[i](x, stage.drop + stage.up_skip, stage.drop + stage.up_steps)
        return F.pad(x, (1, 0), mode="reflect") if stage.reflect else x

    def _source_branch(self, i: int, columns: Tensor, stage: StageWindow) -> Tensor:
        branch: Tensor = self.source_downs[i](F.pad(columns, (stage.source_pad, 0)))
        branch = self.source_resblocks[i](branch, stage.source_skip)
        return branch

    def _blocks(self, i: int, x: Tensor, skip: int) -> Tensor:
        """The mean of the stage's residual blocks."""
        count = len(self.config.resblock_kernels)
        total, *others = (block(x, skip) for block in self.resblocks[i * count : (i + 1) * count])
        for other in others:
            total = total.add_(other)
        mean: Tensor = total.div_(count)
        return mean
