"""Torch operations that the public interface hides or runs slower. The only file that calls private ones.

Each has a plain form that works on every device; the private one is taken where it exists.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Segment = tuple[Tensor, Tensor]

_GELU_CUBE = 0.044715
_GELU_SCALE = 2 * math.sqrt(2 / math.pi)


@functools.cache
def _has_onednn_linear(dtype: torch.dtype) -> bool:
    """Half precision is multiplied by oneDNN only where the processor can (for bf16, with AVX-512)."""
    if not (torch._C._has_mkldnn and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return False
    if dtype is torch.bfloat16:
        return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
    return dtype is torch.float32


@functools.cache
def _has_cpu_flash() -> bool:
    return hasattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu")


def for_linear(weight: Tensor) -> Tensor:
    """The same weight [out, in], laid out in memory as `linear` reads it fastest.

    On a CPU that is by input: oneDNN then has less to rearrange in every product. One of 50 frames takes a sixth less
    time, one of 400 a twelfth.
    """
    return weight.t().contiguous().t() if _is_cpu_fp32(weight) else weight.contiguous()


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x [..., in] times weight [out, in], plus bias. Inference only.

    On a CPU oneDNN runs it: for fp32 on processors other than Intel's it is about twice as fast as the BLAS
    behind F.linear, and the same numbers within fp32 rounding.
    """
    if x.device.type == "cpu" and _has_onednn_linear(x.dtype):
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return out
    return F.linear(x, weight, bias)


def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """gelu_tanh(linear(x)). Inference only.

    In fp32 on a CPU this is x * sigmoid(2 u), the same as x * (1 + tanh(u)) / 2: torch's sigmoid takes a quarter of the
    time of its tanh, or of the tanh that oneDNN fuses into a product.
    """
    if _is_cpu_fp32(x):
        y = linear(x, weight, bias)
        return (y * y).mul_(_GELU_SCALE * _GELU_CUBE).add_(_GELU_SCALE).mul_(y).sigmoid_().mul_(y)
    if x.device.type == "cpu" and _has_onednn_linear(x.dtype):
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu", [], "tanh")
        return out
    return F.gelu(F.linear(x, weight, bias), approximate="tanh")


def mish(x: Tensor) -> Tensor:
    """x * tanh(softplus(x)). Inference only.

    In fp32 on a CPU tanh(softplus(x)) is worked out as n / (n + 2) with n = e^x (e^x + 2): one exponential in place of
    three functions, a quarter of the time. Beyond 20 it is 1, and n would overflow.
    """
    if _is_cpu_fp32(x):
        power = x.clamp(max=20).exp_()
        n = (power + 2).mul_(power)
        return n.div_(n + 2).mul_(x)
    return F.mish(x)


def _is_cpu_fp32(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype is torch.float32


def attend(query: Tensor, segments: Sequence[Segment]) -> Tensor:
    """Softmax attention of `query` [R, heads, F, dh] over all keys of several segments, as if they were one.

    A segment is (keys, values), each [R, heads, L, dh] and possibly a view; nothing is joined or copied. Each
    segment is attended alone, then the results are weighed by their share of the softmax's sum (its logarithm is the
    log-sum-exp of the scores). Returns [R, heads, F, dh].
    """
    out, total = _attend_one(query, *segments[0])
    for keys, values in segments[1:]:
        part, part_total = _attend_one(query, keys, values)
        share = torch.sigmoid(part_total - total).unsqueeze(-1)
        out = torch.lerp(out, part, share.to(out.dtype))
        total = torch.logaddexp(total, part_total)
    return out


def _attend_one(query: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """Attention output [R, heads, F, dh] and log-sum-exp of the scores [R, heads, F] (fp32)."""
    if query.device.type == "cpu" and _has_cpu_flash():
        out, total = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu(query, keys, values)
        return out, total
    return attend_plain(query, keys, values)


def attend_plain(query: Tensor, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
    """The same as `_attend_one` in public operations, for devices without the private one."""
    scores = (query @ keys.transpose(-1, -2)).float() * query.shape[-1] ** -0.5
    total = torch.logsumexp(scores, -1)
    return torch.exp(scores - total.unsqueeze(-1)).to(values.dtype) @ values, total
