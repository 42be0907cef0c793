"""What a stage of the runbook is given, and what it gives."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from bench.gpu.bench_sizes import BenchSizes
from cosyvoice.config import Dtype
from rtserver.engine.acoustic.device import device_free_bytes
from rtserver.engine.card.cards import BF16_CAPABILITY

Row = dict[str, Any]
Rows = Iterator[Row]


@dataclass(frozen=True)
class Bench:
    """What is measured where."""

    device: str
    sizes: BenchSizes
    # Whether vLLM is measured too.
    vllm: bool = False

    @property
    def on_gpu(self) -> bool:
        return self.device.startswith("cuda")

    @property
    def dtype(self) -> Dtype:
        """What the server would take here."""
        has_bf16 = self.on_gpu and torch.cuda.get_device_capability(self.device) >= BF16_CAPABILITY
        return "bfloat16" if has_bf16 else "float32"

    @property
    def kv_bytes(self) -> int:
        """For the flow's keys and values: most of what a GPU has free."""
        free_bytes = device_free_bytes(self.device)
        return 4 << 30 if free_bytes is None else int(0.6 * free_bytes)
