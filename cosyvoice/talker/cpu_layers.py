"""The talker's layers on a CPU: vLLM's own kernels, called one after another.

A step of a small talker is mostly calls. In each layer vLLM's modules look up what there is for devices, parallel ranks
and compilation. Here the kernels that vLLM has chosen for this processor are called directly, and its fused norm is
used instead of five operations.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from vllm.forward_context import ForwardContext
from vllm.model_executor.models.qwen2 import Qwen2Model


def can_run(model: Qwen2Model, context: ForwardContext) -> bool:
    """Whether this step can be computed so: on a CPU, and with memory for keys and values. The step with which vLLM
    measures its own memory has none."""
    first: Any = model.layers[0]
    return (
        isinstance(context.attn_metadata, dict)
        and hasattr(first.mlp.down_proj, "cpu_linear")
        and hasattr(torch.ops._C, "fused_add_rms_norm")
    )


def run(model: Qwen2Model, embedded: Tensor, positions: Tensor, context: ForwardContext) -> Tensor:
    """The last hidden states [ids, dim] of embedded ids [ids, dim], which are written over."""
    sum_so_far, part = torch.zeros_like(embedded), embedded
    layers: Any = model.layers
    for layer in layers:
        normed = _add_and_norm(part, sum_so_far, layer.input_layernorm)
        part = _attention(layer.self_attn, normed, positions, context)
        normed = _add_and_norm(part, sum_so_far, layer.post_attention_layernorm)
        gate, up = _product(layer.mlp.gate_up_proj, normed).chunk(2, -1)
        part = _product(layer.mlp.down_proj, F.silu(gate).mul_(up))
    return _add_and_norm(part, sum_so_far, model.norm)


def _add_and_norm(part: Tensor, sum_so_far: Tensor, norm: Any) -> Tensor:
    """Adds `part` to the sum, and returns the norm of the sum in the memory of `part`."""
    torch.ops._C.fused_add_rms_norm(part, sum_so_far, norm.weight, norm.variance_epsilon)
    return part


def _product(linear: Any, x: Tensor) -> Tensor:
    product: Tensor = linear.cpu_linear(x, linear.weight, linear.bias)
    return product


def _attention(module: Any, x: Tensor, positions: Tensor, context: Any) -> Tensor:
    """Writes keys and values into vLLM's cache, and attends to all of the sequence."""
    attention, rotary = module.attn, module.rotary_emb
    q, k, v = _product(module.qkv_proj, x).split([module.q_size, module.kv_size, module.kv_size], -1)
    torch.ops._C.rotary_embedding(positions, q, k, rotary.head_size, rotary.cos_sin_cache, rotary.is_neox_style)
    q, k, v = [part.unflatten(-1, (-1, module.head_dim)) for part in (q, k, v)]
    name, attended = attention.layer_name, x.new_empty(q.shape)
    attention.impl.do_kv_cache_update(attention, k, v, attention.kv_cache, context.slot_mapping[name])
    attention.impl.forward(attention, q, k, v, attention.kv_cache, context.attn_metadata[name], attended)
    return _product(module.o_proj, attended.flatten(1))
