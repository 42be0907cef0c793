"""Operations for which torch's public functions are slower or do not return all that is needed.

This is the only file that calls private torch functions. Each operation also has a form in public functions, which
works on every device and is used where the private function is missing.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

KvSegment = tuple[Tensor, Tensor]

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
    """The same weight [out, in], in the memory layout that is fastest for `linear`.

    On a CPU that is input by input, because oneDNN then rearranges less in every product. A product of 50 frames takes
    a sixth less time, one of 400 frames a twelfth less.
    """
    return weight.t().contiguous().t() if _is_cpu_fp32(weight) else weight.contiguous()


def linear(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """x [..., in] times weight [out, in], plus bias. Inference only.

    On a CPU this uses oneDNN. For fp32 on processors that are not Intel's it is about twice as fast as the BLAS that
    F.linear uses. The results are the same within fp32 rounding.
    """
    if x.device.type == "cpu" and _has_onednn_linear(x.dtype):
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return out
    return F.linear(x, weight, bias)


def linear_gelu(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """gelu_tanh(linear(x)). Inference only.

    In fp32 on a CPU this computes x * sigmoid(2 u), which equals x * (1 + tanh(u)) / 2. Torch's sigmoid takes a quarter
    of the time of its tanh, and also of the tanh that oneDNN fuses into a product.
    """
    if _is_cpu_fp32(x):
        y = linear(x, weight, bias)
        return (y * y).mul_(_GELU_SCALE * _GELU_CUBE).add_(_GELU_SCALE).mul_(y).sigmoid_().mul_(y)
    if x.device.type == "cpu" and _has_onednn_linear(x.dtype):
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "gelu", [], "tanh")
        return out
    if x.device.type == "cpu":
        return F.gelu(F.linear(x, weight, bias), approximate="tanh")
    # One launch: cuBLASLt adds the bias and takes GELU, in its tanh form, of what it has multiplied.
    out = torch._addmm_activation(bias, x.flatten(0, -2), weight.t(), use_gelu=True)
    return out.view(*x.shape[:-1], -1)


def mish(x: Tensor) -> Tensor:
    """x * tanh(softplus(x)). Inference only.

    In fp32 on a CPU tanh(softplus(x)) is computed as n / (n + 2) with n = e^x (e^x + 2). That is one exponential
    instead of three functions, and takes a quarter of the time. Above 20 the value is 1, and n could overflow.
    """
    if _is_cpu_fp32(x):
        power = x.clamp(max=20).exp_()
        n = (power + 2).mul_(power)
        return n.div_(n + 2).mul_(x)
    return F.mish(x)


def _is_cpu_fp32(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype is torch.float32


def attend(query: Tensor, segments: Sequence[KvSegment]) -> Tensor:
    """Softmax attention of `query` [R, heads, F, dh] over all keys of several segments, as if they were one.

    A segment is (keys, values), each [R, heads, L, dh] and possibly a view; nothing is joined or copied. Attention is
    computed for each segment alone. Then the results are added with weights: each segment's share of the softmax's
    sum, whose logarithm is the log-sum-exp of the scores. Returns [R, heads, F, dh].
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
