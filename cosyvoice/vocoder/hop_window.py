"""Which steps of every vocoder layer one hop computes: receptive fields as plain integers, no tensors.

The causal HiFT is a chain of up-sampling stages. For some output frames, each stage needs a little more of its input on
the left (its receptive field) and one or two steps on the right. Each stage computes exactly these steps, so a hop is
exact and cheap: early stages have long fields but few steps, late stages have many steps but short fields.

All positions count from the window's first frame: the stream's frame 0, or `context_frames` before the hop. A window
does not depend on where the mel ends: after the end the mel is zero, and `Stft` corrects both ends of the wave.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import prod

from cosyvoice.config import VocoderConfig

POST_KERNEL = 7


@dataclass(frozen=True)
class StageWindow:
    """One up-sampling stage. A "skip" is the number of steps at the start that a layer reads as left context and gives
    no output for. A layer with less context than its field is at the stream's start: it pads with zeros, as in
    training.
    """

    # Steps of the repeated input that are left out at its start.
    drop: int
    # Steps of the repeated input that are read after those.
    up_steps: int
    # Context of the up-sampling convolution.
    up_skip: int
    # Whether the stage begins with the reflected first step: in the last stage, at the stream's start.
    reflect: bool
    # First STFT column of the source that source_downs reads.
    column_start: int
    # One after the last of these columns.
    column_stop: int
    # Zero columns to put before them.
    source_pad: int
    # Context of the source block.
    source_skip: int
    # Context of the residual blocks.
    block_skip: int


@dataclass(frozen=True)
class HopWindow:
    """The steps that turn mel into the wave of the next `new` frames, with `past` frames of context before them."""

    # Frames before the hop that are kept; fewer than `context_frames` only at the stream's start.
    past: int
    # Frames to output.
    new: int
    # First mel frame that the f0 predictor reads.
    f0_start: int
    # How many of the frames that it reads are context.
    f0_skip: int
    # First frame whose excitation is made.
    source_start: int
    # One after the last of these frames. Their f0 needs `f0_look_right_frames` of mel more.
    source_stop: int
    # First mel frame that the convolutions read.
    mel_start: int
    # One after the last of these frames.
    mel_stop: int
    # Context of the last convolution, in STFT columns.
    post_skip: int
    # First sample of the overlapped columns that is kept.
    sample_start: int
    stages: tuple[StageWindow, ...]


def block_fields(kernel: int, dilations: tuple[int, ...]) -> list[int]:
    """Steps of left context of each convolution in a residual block: a dilated and a plain one for each dilation."""
    return [(kernel - 1) * d for dilation in dilations for d in (dilation, 1)]


def share_context(fields: Sequence[int], context: int) -> list[int]:
    """How many of the `context` steps each layer of a chain uses: all that the layers after it do not need.

    Less context than the sum of the fields means that the signal starts here. The first layers then use none: they see
    zeros on their left, and their outputs there are the context of the later layers.
    """
    used = []
    ahead = sum(fields)
    for field in fields:
        ahead -= field
        used.append(max(0, context - ahead))
        context -= used[-1]
    return used


def source_down(config: VocoderConfig, stage: int) -> tuple[int, int, int]:
    """(kernel, stride, left padding) of the convolution that brings the source STFT to a stage's rate."""
    stride = prod(config.upsample_rates[stage + 1 :])
    return (1 if stride == 1 else 2 * stride), stride, stride - 1


def known_f0_frames(config: VocoderConfig, emitted: int) -> int:
    """Frames whose f0 is known when `emitted` frames are out."""
    return _source_stop(config, emitted) if emitted else 0


@cache
def context_frames(config: VocoderConfig) -> int:
    """Frames before a hop that its wave depends on: the longest of the paths from the mel through the convolutions,
    from f0 through the source blocks, and from the mel through the f0 predictor."""
    far = 1 << 20  # far from the stream's start nothing is cut off, so the starts show the whole field
    window = hop_window(config, far, 1)
    return far - min(window.mel_start, window.source_start, window.f0_start)


@cache
def least_held_frames(config: VocoderConfig) -> int:
    """Frames at the end of an unfinished mel whose samples can still change. The original holds back a few more
    (`config.held_frames`): it cuts the mel once for each look-ahead, although both read the same frames."""
    far = 1 << 20
    window = hop_window(config, far, 1)
    return max(window.mel_stop, window.source_stop + config.f0_look_right_frames) - (far + 1)


@lru_cache(maxsize=4096)
def hop_window(config: VocoderConfig, past: int, new: int, *, leads: bool = False) -> HopWindow:
    """Goes back from the samples of frames [past, past + new) to the first step that each layer must output.

    leads: whether the `past` frames are a stream's lead, which nothing was computed for. Their f0 is then computed in
    this hop.
    """
    end = past + new
    stops = _stage_stops(config, end)
    columns_per_frame = prod(config.upsample_rates)
    post_start = max(0, columns_per_frame * past - _edge_columns(config))
    out = max(0, post_start - (POST_KERNEL - 1))
    post_skip = post_start - out
    blocks = zip(config.resblock_kernels, config.resblock_dilations, strict=True)
    block_field = max(sum(block_fields(kernel, dilations)) for kernel, dilations in blocks)
    stages: list[StageWindow] = []
    for stage in reversed(range(len(stops))):
        rate = config.upsample_rates[stage]
        last = stage == len(stops) - 1
        start = max(0, out - block_field)
        source = max(0, start - sum(block_fields(config.source_kernels[stage], config.source_dilations[stage])))
        kernel, stride, padding = source_down(config, stage)
        column = max(0, source * stride - padding)
        # The last stage has one step more than its input: its first step is a reflection, and step j is input j - 1.
        up = max(0, start - last)
        up_start = max(0, up - (config.upsample_kernels[stage] - 1))
        previous = up_start // rate
        stages.append(
            StageWindow(
                drop=up_start - previous * rate,
                up_steps=stops[stage] - up_start,
                up_skip=up - up_start,
                reflect=last and start == 0,
                column_start=column,
                column_stop=(stops[stage] + last - 1) * stride - padding + kernel,
                source_pad=column - (source * stride - padding),
                source_skip=start - source,
                block_skip=out - start,
            )
        )
        out = previous
    stages.reverse()
    first_column = min(stage.column_start for stage in stages)
    reach = config.istft_n_fft // 2
    known = 0 if leads else known_f0_frames(config, past)
    f0_start = max(0, known - sum(kernel - 1 for kernel in config.f0_kernels))
    return HopWindow(
        past=past,
        new=new,
        f0_start=f0_start,
        f0_skip=known - f0_start,
        source_start=max(0, (first_column * config.istft_hop - reach) // config.samples_per_frame),
        source_stop=_source_stop(config, end),
        mel_start=out,
        mel_stop=-(-stops[0] // config.upsample_rates[0]) + config.look_right_frames,
        post_skip=post_skip,
        sample_start=config.samples_per_frame * past - config.istft_hop * post_start + reach,
        stages=tuple(stages),
    )


def _stage_stops(config: VocoderConfig, end: int) -> list[int]:
    """One after the last step of each stage's input: the end of the hop, and the STFT columns that overlap it."""
    stops = [end * prod(config.upsample_rates[: i + 1]) for i in range(len(config.upsample_rates))]
    beyond = _edge_columns(config)
    for i in reversed(range(len(stops))):
        stops[i] += beyond
        beyond = -(-beyond // config.upsample_rates[i])
    return stops


def _source_stop(config: VocoderConfig, end: int) -> int:
    """One after the last frame whose excitation is heard before frame `end`."""
    last_column = 0
    for stage, stop in enumerate(_stage_stops(config, end)):
        kernel, stride, padding = source_down(config, stage)
        last_step = stop if stage == len(config.upsample_rates) - 1 else stop - 1
        last_column = max(last_column, last_step * stride - padding + kernel - 1)
    samples = last_column * config.istft_hop + config.istft_n_fft // 2
    return -(-samples // config.samples_per_frame)


def _edge_columns(config: VocoderConfig) -> int:
    """STFT columns on each side of a sample's own column that overlap with it."""
    return (config.istft_n_fft // 2 - 1) // config.istft_hop
