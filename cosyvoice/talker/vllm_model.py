"""The talker inside vLLM: the model class with the merged vocabulary, and the sampler as a logits processor.

Importing this file imports vLLM, so only the talker's process imports it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from vllm import SamplingParams
from vllm.config import VllmConfig
from vllm.forward_context import get_forward_context
from vllm.model_executor.layers.linear import LinearBase
from vllm.model_executor.layers.logits_processor import LogitsProcessor as HeadProcessor
from vllm.model_executor.layers.vocab_parallel_embedding import ParallelLMHead, VocabParallelEmbedding
from vllm.model_executor.models.qwen2 import Qwen2ForCausalLM, Qwen2Model
from vllm.model_executor.models.utils import AutoWeightsLoader, maybe_prefix
from vllm.sequence import IntermediateTensors
from vllm.v1.sample.logits_processor import BatchUpdate, LogitsProcessor
from vllm.v1.sample.logits_processor.builtin import process_dict_updates

from cosyvoice.serving_config import SamplingConfig
from cosyvoice.talker.cpu_layers import CpuLayers, can_run
from cosyvoice.talker.draw_graphs import Draws
from cosyvoice.talker.draws import DrawState
from cosyvoice.talker.few_rows import FEW_ROWS, Product, few_row_products


class CosyVoiceTalkerForCausalLM(Qwen2ForCausalLM):
    """Qwen2 with more rows in its embedding table than in its head: text ids can be read but not sampled."""

    def __init__(self, *, vllm_config: VllmConfig, prefix: str = "") -> None:
        nn.Module.__init__(self)
        config = vllm_config.model_config.hf_config.get_text_config()
        self.config, self.quant_config = config, vllm_config.quant_config
        self.model = Qwen2Model(vllm_config=vllm_config, prefix=maybe_prefix(prefix, "model"))
        self.model.embed_tokens = VocabParallelEmbedding(
            config.embed_vocab_size, config.hidden_size, prefix=maybe_prefix(prefix, "model.embed_tokens")
        )
        self.lm_head = ParallelLMHead(config.vocab_size, config.hidden_size, prefix=maybe_prefix(prefix, "lm_head"))
        self.logits_processor = HeadProcessor(config.vocab_size)
        self.make_empty_intermediate_tensors = self.model.make_empty_intermediate_tensors
        self._few: dict[nn.Module, Product] = {}
        self._cpu_layers: CpuLayers | None = None

    def forward(
        self,
        input_ids: Tensor | None,
        positions: Tensor,
        intermediate_tensors: IntermediateTensors | None = None,
        inputs_embeds: Tensor | None = None,
    ) -> Tensor | IntermediateTensors:
        context = get_forward_context()
        if input_ids is not None and can_run(self.model, context):
            self._cpu_layers = self._cpu_layers or CpuLayers(self.model, self._few)
            return self._cpu_layers.run(self.model.embed_input_ids(input_ids), positions, context)
        return super().forward(input_ids, positions, intermediate_tensors, inputs_embeds)

    def compute_logits(self, hidden_states: Tensor) -> Tensor | None:
        few = self._few.get(self.lm_head)
        if few is not None and len(hidden_states) <= FEW_ROWS:
            return few(hidden_states)[:, : self.config.vocab_size]
        logits: Tensor | None = self.logits_processor(self.lm_head, hidden_states)
        return logits

    def load_weights(self, weights: Iterable[tuple[str, Tensor]]) -> set[str]:
        loaded = AutoWeightsLoader(self).load_weights(weights)
        self._few = few_row_products([m for m in self.modules() if isinstance(m, LinearBase | ParallelLMHead)])
        return loaded


def draw_state(params: SamplingParams, prompt: list[int] | None, output: list[int]) -> DrawState | None:
    """Of a request of `Talker.add`. None for another."""
    args: dict[str, Any] | None = (params.extra_args or {}).get("talker")
    if args is None:
        return None
    return DrawState(
        seed=args["seed"],
        first_position=len(prompt or ()),
        history=args["history"],
        stop_id=args["stop_id"],
        min_tokens=args["min_tokens"],
        sampling=SamplingConfig(**args["sampling"]),
        speech_tokens=args["speech_tokens"],
        output=output,
    )


def keyed_ras(draws: Draws) -> type[LogitsProcessor]:
    """The sampler, as the class that vLLM makes its own object of."""

    class KeyedRas(LogitsProcessor):
        """Turns logits into log-probability plus keyed noise. vLLM takes their maximum (temperature 0), the RAS
        draw."""

        def __init__(self, vllm_config: VllmConfig, device: torch.device, is_pin_memory: bool) -> None:
            self._rows: dict[int, DrawState] = {}

        def is_argmax_invariant(self) -> bool:
            return False

        def update_state(self, batch_update: BatchUpdate | None) -> None:
            process_dict_updates(self._rows, batch_update, draw_state)

        def apply(self, logits: Tensor) -> Tensor:
            return draws.rows(logits, self._rows)

    return KeyedRas
