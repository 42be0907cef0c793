"""Samples two sequences side by side, and prints how far `CpuLayers` is from vLLM's own modules: for each step the
largest deviation of the last hidden states over their largest value, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from unittest.mock import patch

from torch import Tensor
from vllm.forward_context import ForwardContext
from vllm.model_executor.models.qwen2 import Qwen2Model

from bench.model.quanta import make_sequences, run
from cosyvoice.config import ModelConfig
from cosyvoice.talker import vllm_model
from cosyvoice.talker.cpu_layers import CpuLayers
from cosyvoice.talker.talker import Talker

deviations: list[float] = []


class ComparedLayers(CpuLayers):
    """Compares what the layers give with what the modules give."""

    def __init__(self, model: Qwen2Model) -> None:
        super().__init__(model)
        self._model = model

    def run(self, embedded: Tensor, positions: Tensor, context: ForwardContext) -> Tensor:
        expected = self._model(None, positions, None, embedded.clone())
        assert isinstance(expected, Tensor)
        found = super().run(embedded, positions, context)
        deviations.append(float((found - expected).abs().max() / expected.abs().max()))
        return found


if __name__ == "__main__":
    with patch.object(vllm_model, "CpuLayers", ComparedLayers):
        config = ModelConfig.load(Path(sys.argv[1]))
        talker = Talker(config, cache_dir=Path(sys.argv[2]))
        run(talker, make_sequences(config, 2, 20, 30), 15, "layers")
        print(json.dumps(deviations))
        talker.close()
