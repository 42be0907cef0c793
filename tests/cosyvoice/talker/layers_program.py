"""Samples two sequences side by side, and prints as JSON for each step: how far `CpuLayers` is from vLLM's own modules
(the largest deviation of the last hidden states over their largest value), how far captured scores are from plain ones,
and how often captured work was repeated."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from unittest.mock import patch

import torch
from torch import Tensor, nn
from vllm import envs
from vllm.forward_context import ForwardContext
from vllm.model_executor.models.qwen2 import Qwen2Model

from bench.model.quanta import make_sequences, run
from cosyvoice.config import ModelConfig
from cosyvoice.serving_config import SamplingConfig
from cosyvoice.talker import draw_graphs, vllm_model
from cosyvoice.talker.cpu_layers import CpuLayers
from cosyvoice.talker.draw_graphs import GraphScores
from cosyvoice.talker.draws import draw_scores
from cosyvoice.talker.few_rows import Product
from cosyvoice.talker.talker import Talker
from tests.cosyvoice.captures import Rerun

layers: list[float] = []
scores: list[float] = []


class ComparedLayers(CpuLayers):
    """Compares what the layers give with what the modules give."""

    def __init__(self, model: Qwen2Model, few: Mapping[nn.Module, Product]) -> None:
        super().__init__(model, few)
        assert len(few) == 4 * len(self._few) + 1, "in all layers and in the head"
        self._model = model

    def run(self, embedded: Tensor, positions: Tensor, context: ForwardContext) -> Tensor:
        expected = self._model(None, positions, None, embedded.clone())
        assert isinstance(expected, Tensor)
        found = super().run(embedded, positions, context)
        layers.append(float((found - expected).abs().max() / expected.abs().max()))
        return found


class ComparedScores(GraphScores):
    """Compares captured scores with plain ones."""

    def __call__(self, logits: Tensor, numbers: Tensor, speech_tokens: int, sampling: SamplingConfig) -> Tensor:
        expected = draw_scores(logits.clone(), numbers, speech_tokens, sampling)
        found = super().__call__(logits, numbers, speech_tokens, sampling)
        same = found == expected  # also where both may not be drawn
        scores.append(float((found - expected).where(~same, torch.zeros(())).abs().max()))
        return found


if __name__ == "__main__":
    capture = Rerun()
    with (
        patch.object(vllm_model, "CpuLayers", ComparedLayers),
        patch.object(draw_graphs, "GraphScores", ComparedScores),
    ):
        config = ModelConfig.load(Path(sys.argv[1]))
        talker = Talker(config, cache_dir=Path(sys.argv[2]), capture=capture)
        assert not envs.VLLM_USE_FLASHINFER_SAMPLER, "a GPU's start would compile it"
        scores.clear()
        before = capture.repeated
        run(talker, make_sequences(config, 2, 20, 30), 15, "layers")
        print(json.dumps({"layers": layers, "scores": scores, "repeated": capture.repeated - before}))
        talker.close()
