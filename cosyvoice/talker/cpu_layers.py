"""The talker's layers on a CPU: vLLM's own kernels, called one after another.

A step of a small talker is mostly calls. In each layer vLLM's modules look up what there is for devices, parallel ranks
and compilation. Here the kernels that vLLM has chosen for this processor are called directly. What they need of the
modules is looked up once, and all layers write into the same tensors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from vllm._custom_ops import CPUDNNLGEMMHandler
from vllm.forward_context import ForwardContext
from vllm.model_executor.models.qwen2 import Qwen2Model

# Writes the product of its first argument [ids, dim] with a matrix into its second one.
Product = Callable[[Tensor, Tensor], None]


def can_run(model: Qwen2Model, context: ForwardContext) -> bool:
    """Whether this step can be computed so: on a CPU, and with memory for keys and values. The step with which vLLM
    measures its own memory has none."""
    first: Any = model.layers[0]
    return (
        isinstance(context.attn_metadata, dict)
        and hasattr(first.mlp.down_proj, "cpu_linear")
        and hasattr(torch.ops._C, "fused_add_rms_norm")
        and hasattr(torch.ops._C, "silu_and_mul")
    )


@dataclass(frozen=True, slots=True)
class _Attention:
    """Of one layer, with its part of vLLM's cache."""

    name: str
    keys: Tensor
    values: Tensor
    scale: float
    sliding_window: int
    softcap: float
    # Which instructions of the processor vLLM uses.
    isa: str
    key_scale: float
    value_scale: float
    cache_dtype: str

    @classmethod
    def of(cls, attention: Any) -> _Attention:
        impl, cache = attention.impl, attention.kv_cache
        blocks, heads, block_tokens, _ = cache.shape
        keys, values = cache.view(blocks, heads, 2 * block_tokens, -1).chunk(2, 2)
        return cls(
            attention.layer_name,
            keys,
            values,
            impl.scale,
            impl.sliding_window,
            impl.logits_soft_cap,
            attention.isa,
            attention._k_scale_float,
            attention._v_scale_float,
            impl.kv_cache_dtype,
        )


@dataclass(frozen=True, slots=True)
class _Layer:
    """What is used of one of vLLM's layers."""

    norm_before_attention: Tensor
    qkv: Product
    attention: _Attention
    attended: Product
    norm_before_mlp: Tensor
    gate_and_up: Product
    down: Product


class CpuLayers:
    """The layers of a model. To be made when the model has its memory for keys and values."""

    def __init__(self, model: Qwen2Model) -> None:
        modules: Any = model.layers
        self._layers = [
            _Layer(
                module.input_layernorm.weight,
                _product(module.self_attn.qkv_proj),
                _Attention.of(module.self_attn.attn),
                _product(module.self_attn.o_proj),
                module.post_attention_layernorm.weight,
                _product(module.mlp.gate_up_proj),
                _product(module.mlp.down_proj),
            )
            for module in modules
        ]
        self._last_norm: Any = model.norm
        first = modules[0].self_attn
        self._rotary = first.rotary_emb
        self._head_dim: int = first.head_dim
        self._qkv_dims: list[int] = [first.q_size, first.kv_size, first.kv_size]
        self._inner_dim: int = modules[0].mlp.down_proj.input_size

    def run(self, embedded: Tensor, positions: Tensor, context: ForwardContext) -> Tensor:
        """The last hidden states [ids, dim] of embedded ids [ids, dim], which are written over."""
        kernels, rotary, epsilon = torch.ops._C, self._rotary, self._last_norm.variance_epsilon
        of_batch: Any = context
        name = self._layers[0].attention.name  # of all layers, what differs by batch is the same
        batch, slots = of_batch.attn_metadata[name], of_batch.slot_mapping[name]
        ids, new = len(embedded), embedded.new_empty
        sum_so_far, part = torch.zeros_like(embedded), embedded
        qkv = new(ids, sum(self._qkv_dims))
        gate_and_up, inner = new(ids, 2 * self._inner_dim), new(ids, self._inner_dim)
        flat_q, flat_k, flat_v = qkv.split(self._qkv_dims, -1)
        q, k, v = [one.unflatten(-1, (-1, self._head_dim)) for one in (flat_q, flat_k, flat_v)]
        attended = new(q.shape)
        flat_attended = attended.flatten(1)
        for layer in self._layers:
            kernels.fused_add_rms_norm(part, sum_so_far, layer.norm_before_attention, epsilon)
            layer.qkv(part, qkv)
            kernels.rotary_embedding(
                positions, flat_q, flat_k, rotary.head_size, rotary.cos_sin_cache, rotary.is_neox_style
            )
            own = layer.attention
            scales = own.key_scale, own.value_scale, own.cache_dtype
            kernels.cpu_attn_reshape_and_cache(k, v, own.keys, own.values, slots, own.isa, *scales)
            kernels.cpu_attention_with_kv_cache(
                q,
                own.keys,
                own.values,
                attended,
                batch.query_start_loc,
                batch.seq_lens,
                own.scale,
                batch.causal,
                None,  # no ALiBi
                own.sliding_window,
                batch.block_table,
                own.softcap,
                batch.scheduler_metadata,
                None,  # no sinks
                batch.dynamic_causal,
                *scales,
            )
            layer.attended(flat_attended, part)
            kernels.fused_add_rms_norm(part, sum_so_far, layer.norm_before_mlp, epsilon)
            layer.gate_and_up(part, gate_and_up)
            kernels.silu_and_mul(inner, gate_and_up)
            layer.down(inner, part)
        kernels.fused_add_rms_norm(part, sum_so_far, self._last_norm.weight, epsilon)
        return part


def _product(linear: Any) -> Product:
    """The product that vLLM has chosen for a module. oneDNN's, which is the usual one, is called without vLLM's own
    function around it: that makes a new tensor each time, and takes a fifth as long as the product."""
    chosen, bias = linear.cpu_linear, linear.bias
    handlers = [cell.cell_contents for cell in chosen.__closure__ or ()]
    handler = next((one.handler_tensor for one in handlers if isinstance(one, CPUDNNLGEMMHandler)), None)
    multiply = torch.ops._C.onednn_mm

    def by_onednn(x: Tensor, out: Tensor) -> None:
        multiply(out, x, bias, handler)

    def by_another(x: Tensor, out: Tensor) -> None:
        out.copy_(chosen(x, linear.weight, bias))

    return by_another if handler is None else by_onednn
