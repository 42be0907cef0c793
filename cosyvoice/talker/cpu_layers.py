"""The talker's layers on a CPU: vLLM's own kernels, called one after another.

A step of a small talker is mostly calls. In each layer vLLM's modules look up what there is for devices, parallel ranks
and compilation. Here the kernels that vLLM has chosen for this processor are called directly, and for few rows products
with weights in 16 bits. What they need of the modules is looked up once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from vllm._custom_ops import CPUDNNLGEMMHandler
from vllm.forward_context import ForwardContext
from vllm.model_executor.models.qwen2 import Qwen2Model

from cosyvoice.talker.few_rows import FEW_ROWS, Product


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


class _Kernels:
    """vLLM's kernels. Called by their one overload, because looking for it takes as long as a small kernel."""

    def __init__(self) -> None:
        ops = torch.ops._C
        self.add_and_norm = ops.fused_add_rms_norm.default
        self.rotate = ops.rotary_embedding.default
        self.cache = ops.cpu_attn_reshape_and_cache.default
        self.attend = ops.cpu_attention_with_kv_cache.default
        self.gate = ops.silu_and_mul.default


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

    @classmethod
    def of(cls, module: Any, product: Callable[[Any], Product]) -> _Layer:
        """product: with the matrix of a module."""
        return cls(
            module.input_layernorm.weight,
            product(module.self_attn.qkv_proj),
            _Attention.of(module.self_attn.attn),
            product(module.self_attn.o_proj),
            module.post_attention_layernorm.weight,
            product(module.mlp.gate_up_proj),
            product(module.mlp.down_proj),
        )


class CpuLayers:
    """The layers of a model. To be made when the model has its memory for keys and values."""

    def __init__(self, model: Qwen2Model, few: Mapping[nn.Module, Product]) -> None:
        """few: products for few rows, by module."""
        modules: Any = model.layers
        self._many = [_Layer.of(module, _for_many_rows) for module in modules]
        self._few = [_Layer.of(module, lambda one: few.get(one) or _for_many_rows(one)) for module in modules]
        self._kernels = _Kernels()
        self._last_norm: Any = model.norm
        first = modules[0].self_attn
        self._rotary = first.rotary_emb
        self._head_dim: int = first.head_dim
        self._qkv_dims: list[int] = [first.q_size, first.kv_size, first.kv_size]
        self._inner_dim: int = modules[0].mlp.down_proj.input_size

    def run(self, embedded: Tensor, positions: Tensor, context: ForwardContext) -> Tensor:
        """The last hidden states [ids, dim] of embedded ids [ids, dim], which are written over."""
        kernels, rotary, epsilon = self._kernels, self._rotary, self._last_norm.variance_epsilon
        of_batch: Any = context
        ids, head_dim = len(embedded), self._head_dim
        layers = self._few if ids <= FEW_ROWS else self._many
        name = layers[0].attention.name  # of all layers, what differs by batch is the same
        batch, slots = of_batch.attn_metadata[name], of_batch.slot_mapping[name]
        sum_so_far, part, inner = torch.zeros_like(embedded), embedded, embedded.new_empty(ids, self._inner_dim)
        flat_attended = embedded.new_empty(ids, self._qkv_dims[0])
        attended = flat_attended.view(ids, -1, head_dim)
        for layer in layers:
            kernels.add_and_norm(part, sum_so_far, layer.norm_before_attention, epsilon)
            flat_q, flat_k, flat_v = layer.qkv(part).split_with_sizes(self._qkv_dims, -1)
            kernels.rotate(positions, flat_q, flat_k, rotary.head_size, rotary.cos_sin_cache, rotary.is_neox_style)
            q, k, v = [one.view(ids, -1, head_dim) for one in (flat_q, flat_k, flat_v)]
            own = layer.attention
            scales = own.key_scale, own.value_scale, own.cache_dtype
            kernels.cache(k, v, own.keys, own.values, slots, own.isa, *scales)
            kernels.attend(
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
            part = layer.attended(flat_attended)
            kernels.add_and_norm(part, sum_so_far, layer.norm_before_mlp, epsilon)
            kernels.gate(inner, layer.gate_and_up(part))
            part = layer.down(inner)
        kernels.add_and_norm(part, sum_so_far, self._last_norm.weight, epsilon)
        return part


def _for_many_rows(linear: Any) -> Product:
    """What vLLM has chosen for one of its modules. oneDNN's product, which is the usual one, is called without vLLM's
    own function around it: that takes a fifth as long as the product of one row."""
    chosen, bias = linear.cpu_linear, linear.bias
    handlers = [cell.cell_contents for cell in chosen.__closure__ or ()]
    onednn = next((one for one in handlers if isinstance(one, CPUDNNLGEMMHandler)), None)
    if onednn is None:
        return lambda x: chosen(x, linear.weight, bias)
    outputs, packed, multiply = onednn.n, onednn.handler_tensor, torch.ops._C.onednn_mm.default

    def product(x: Tensor) -> Tensor:
        out = x.new_empty(x.shape[0], outputs)
        multiply(out, x, bias, packed)
        return out

    return product
