"""How many numbers a checkpoint's networks keep, from its configuration alone. No weights are read."""

from __future__ import annotations

from dataclasses import dataclass

from cosyvoice.config import (
    CONV_GROUPS,
    CONV_KERNEL,
    Dtype,
    FlowConfig,
    ModelConfig,
    TalkerConfig,
    VocoderConfig,
)
from cosyvoice.vocoder.hop_window import POST_KERNEL, source_down

DTYPE_BYTES: dict[Dtype, int] = {"float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class ModelSizes:
    """Counts of numbers, not bytes: the data type is a choice of the plan."""

    name: str
    talker_parameters: int
    # Keys and values of one id in the talker.
    talker_id_numbers: int
    # What the serving form keeps: AdaLN's linear maps are replaced by their results.
    flow_parameters: int
    # Keys and values of one mel frame in the flow: all Euler steps, layers and guidance rows.
    flow_frame_numbers: int
    # One set of convolution tails.
    flow_tail_numbers: int
    # Keys and values of one chunk in one step and layer: what a chunk takes of which nothing is kept.
    flow_sheet_numbers: int
    # Mel frames of a chunk, and in a second.
    chunk_frames: int
    frame_rate_hz: int
    vocoder_parameters: int
    # The part of them that predicts f0, in float64.
    f0_parameters: int
    # The longest sequence, and so the most that one stream keeps.
    sequence_s: float

    @classmethod
    def of(cls, config: ModelConfig) -> ModelSizes:
        flow, dit = config.flow, config.flow.dit
        return cls(
            name=config.serving.name,
            talker_parameters=talker_parameters(config.talker),
            talker_id_numbers=_talker_id_numbers(config.talker),
            flow_parameters=flow_parameters(flow),
            flow_frame_numbers=flow.euler_steps * dit.depth * 2 * flow.rows * dit.heads * dit.head_dim,
            flow_tail_numbers=flow.euler_steps * 2 * flow.rows * dit.dim * (CONV_KERNEL - 1),
            flow_sheet_numbers=flow.chunk_frames * 2 * flow.rows * dit.heads * dit.head_dim,
            chunk_frames=flow.chunk_frames,
            frame_rate_hz=config.token_rate_hz * flow.frames_per_token,
            vocoder_parameters=vocoder_parameters(config.vocoder),
            f0_parameters=f0_parameters(config.vocoder),
            sequence_s=config.serving.max_sequence_s,
        )


# The released 0.5B checkpoint, for a plan on a machine that does not have it.
RELEASED = ModelSizes(
    name="Fun-CosyVoice3-0.5B",
    talker_parameters=506_148_480,
    talker_id_numbers=6_144,
    flow_parameters=191_670_080,
    flow_frame_numbers=901_120,
    flow_tail_numbers=1_228_800,
    flow_sheet_numbers=204_800,
    chunk_frames=50,
    frame_rate_hz=50,
    vocoder_parameters=20_765_597,
    f0_parameters=3_312_641,
    sequence_s=20.0,
)


def talker_parameters(config: TalkerConfig) -> int:
    """As vLLM loads them: the merged table, the head, and the layers."""
    head_dim = config.hidden // config.heads
    inner, kv = config.heads * head_dim, config.kv_heads * head_dim
    attention = config.hidden * (2 * inner + 2 * kv) + inner + 2 * kv
    layer = attention + 3 * config.hidden * config.ffn + 2 * config.hidden
    tables = (config.text_rows + 2 * config.head_rows) * config.hidden
    return tables + config.layers * layer + config.hidden


def _talker_id_numbers(config: TalkerConfig) -> int:
    return config.layers * 2 * config.kv_heads * (config.hidden // config.heads)


def flow_parameters(config: FlowConfig) -> int:
    """What the serving form keeps."""
    dit = config.dit
    dim, inner, wide = dit.dim, dit.heads * dit.head_dim, dit.ff_mult * dit.dim
    layer = 3 * _linear(dim, inner) + _linear(inner, dim) + _linear(dim, wide) + _linear(wide, dim)
    modulation = config.euler_steps * (6 * dit.depth + 2) * dim
    convolutions = 2 * _convolution(dim // CONV_GROUPS, dim, CONV_KERNEL)
    ends = _linear(3 * dit.mel_bins + dit.spk_dim, dim) + _linear(dim, dit.mel_bins)
    lookahead = _convolution(config.mel_bins, config.lookahead_channels, config.lookahead_tokens + 1)
    lookahead += _convolution(config.lookahead_channels, config.mel_bins, 3)
    tokens = config.vocab * config.mel_bins + _linear(config.spk_embed_dim, dit.spk_dim)
    return dit.depth * layer + modulation + convolutions + ends + lookahead + tokens


def vocoder_parameters(config: VocoderConfig) -> int:
    """With weight norm fused."""
    bins, base = config.istft_n_fft + 2, config.base_channels
    channels = [base // 2 ** (i + 1) for i in range(len(config.upsample_rates))]
    total = _convolution(config.mel_bins, base, config.look_right_frames + 1)
    total += _linear(config.harmonics + 1, 1) + _convolution(channels[-1], bins, POST_KERNEL)
    for i, width in enumerate(channels):
        total += _convolution(2 * width, width, config.upsample_kernels[i])
        total += _convolution(bins, width, source_down(config, i)[0])
        total += _residual_block(width, config.source_kernels[i], config.source_dilations[i])
        for kernel, dilations in zip(config.resblock_kernels, config.resblock_dilations, strict=True):
            total += _residual_block(width, kernel, dilations)
    return total + f0_parameters(config)


def f0_parameters(config: VocoderConfig) -> int:
    """Of the f0 predictor."""
    channels = config.f0_channels
    total = _convolution(config.mel_bins, channels, config.f0_look_right_frames + 1) + _linear(channels, 1)
    return total + sum(_convolution(channels, channels, kernel) for kernel in config.f0_kernels)


def _linear(inputs: int, outputs: int) -> int:
    return inputs * outputs + outputs


def _convolution(inputs: int, outputs: int, kernel: int) -> int:
    return inputs * outputs * kernel + outputs


def _residual_block(channels: int, kernel: int, dilations: tuple[int, ...]) -> int:
    """Two convolutions and two Snakes for each dilation."""
    return len(dilations) * 2 * (_convolution(channels, channels, kernel) + channels)
