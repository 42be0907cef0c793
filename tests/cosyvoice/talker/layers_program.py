"""Samples two sequences side by side, and prints how far `cpu_layers` is from vLLM's own modules: for each step the
largest deviation of the last hidden states over their largest value, as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from torch import Tensor
from vllm.forward_context import ForwardContext
from vllm.model_executor.models.qwen2 import Qwen2Model

from bench.model.quanta import make_sequences, run
from cosyvoice.config import ModelConfig
from cosyvoice.talker import cpu_layers
from cosyvoice.talker.talker import Talker

deviations: list[float] = []
run_layers = cpu_layers.run


def both(model: Qwen2Model, embedded: Tensor, positions: Tensor, context: ForwardContext) -> Tensor:
    """What `cpu_layers` gives, compared with what the modules give."""
    expected = model(None, positions, None, embedded.clone())
    assert isinstance(expected, Tensor)
    found = run_layers(model, embedded, positions, context)
    deviations.append(float((found - expected).abs().max() / expected.abs().max()))
    return found


if __name__ == "__main__":
    cpu_layers.run = both
    config = ModelConfig.load(Path(sys.argv[1]))
    talker = Talker(config, cache_dir=Path(sys.argv[2]))
    run(talker, make_sequences(config, 2, 20, 30), 15, "layers")
    print(json.dumps(deviations))
    talker.close()
