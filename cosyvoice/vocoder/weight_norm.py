"""Weight normalisation of the vocoder: released checkpoints hold norm and direction; serving needs the product."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

from cosyvoice.errors import CheckpointError
from cosyvoice.vocoder.causal_conv import CausalConv1d
from cosyvoice.vocoder.upsampling import UpsamplingConv1d

_NORM = ".parametrizations.weight.original0"  # [out, 1, 1]
_DIRECTION = ".parametrizations.weight.original1"  # [out, in, kernel]


def fuse_weight_norm(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """A state dict with `X.weight` in place of norm and direction: w = norm * direction / |direction|. The length is
    taken over all axes but the output channel.

    The tensors of the f0 predictor become float64, because it runs in float64; all others become float32. The substring
    `generator.`, which keys of training checkpoints have, is removed. Weights that are fused already stay as they are.
    Raises CheckpointError when one half of a pair is missing.
    """
    named = {key.replace("generator.", ""): tensor for key, tensor in state.items()}
    fused: dict[str, Tensor] = {}
    for key, tensor in named.items():
        value = tensor.double()
        if key.endswith(_NORM):
            name = key.removesuffix(_NORM)
            direction = _partner(named, key, name + _DIRECTION).double()
            lengths = direction.flatten(1).norm(dim=1).view(-1, *[1] * (direction.dim() - 1))
            key, value = name + ".weight", value * direction / lengths
        elif key.endswith(_DIRECTION):
            _partner(named, key, key.removesuffix(_DIRECTION) + _NORM)
            continue
        fused[key] = value if key.startswith("f0_predictor.") else value.float()
    return fused


def add_weight_norm(module: nn.Module) -> None:
    """Splits the weights of every causal convolution of `module` into norm and direction again, for training. The state
    dict then has the released keys; the weights do not change."""
    for child in list(module.modules()):
        if isinstance(child, CausalConv1d | UpsamplingConv1d):
            weight_norm(child)


def _partner(state: Mapping[str, Tensor], key: str, partner: str) -> Tensor:
    if partner not in state:
        raise CheckpointError(f"vocoder weights: {key}: expected its other half {partner}, found none")
    return state[partner]
