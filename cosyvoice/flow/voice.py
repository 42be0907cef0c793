"""A voice as the flow uses it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True, eq=False)
class FlowVoice:
    """A prompt that was checked and is on the model's device. Made by FlowStepper.voice. Two voices are equal only if
    they are the same object."""

    tokens: tuple[int, ...]
    # [2 * tokens, mel_bins], fp32.
    mel: Tensor
    # [spk_dim], fp32, after the affine map.
    speaker: Tensor
    # Chunks at the start of the prompt whose mel does not depend on what is said after the prompt.
    prefix_chunks: int
