"""The talker in vLLM: every quantum is an ordinary request whose prompt is all ids of the sequence so far.

vLLM's prefix cache has the keys and values of the ids that it has seen, so at most one block is computed again. Nothing
is kept for a sequence between quanta. So appending text, waiting, and continuing in another process need no calls of
their own. All calls into vLLM are in this file. Importing it does not import vLLM; constructing `Talker` does.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cosyvoice.config import Dtype, ModelConfig
from cosyvoice.graphs import Capture
from cosyvoice.talker.draw_graphs import DrawKind, Draws
from cosyvoice.talker.export import ARCHITECTURE, export_talker
from cosyvoice.talker.layout import LayoutStage, Quantum

MIB = 1 << 20


@dataclass(frozen=True)
class TalkerOptions:
    """How vLLM runs."""

    dtype: Dtype = "float32"
    # Requests in one step.
    max_streams: int = 32
    # Limit of the memory for keys and values.
    kv_cache_bytes: int = 256 * MIB
    # Length of a block of the prefix cache. With short blocks less is computed again at the start of a quantum.
    block_tokens: int = 32
    # Longest sequence.
    max_ids: int = 2048
    # Without CUDA graphs, and on a CPU without compilation.
    enforce_eager: bool = True
    # The share of a GPU's memory that must be free at the start, without the CUDA context. It bounds nothing, because
    # `kv_cache_bytes` is given. None for vLLM's own default: nearly all of it.
    memory_share: float | None = None
    # Ids that one step computes at most: bounds the memory of activations. None for vLLM's own default.
    step_ids: int | None = None


@dataclass(frozen=True)
class Sampled:
    """All ids of a finished quantum, with the control id if it ended with one."""

    request: str
    ids: list[int]


class Talker:
    """vLLM with one exported checkpoint. One thread uses it and calls `step`."""

    def __init__(
        self,
        config: ModelConfig,
        options: TalkerOptions | None = None,
        cache_dir: Path | None = None,
        tell: Callable[[str], None] = lambda text: None,
        capture: Capture | None = None,
    ) -> None:
        """tell: is told what the start is doing. capture: how the device repeats the sampler's work; None for a CPU,
        or where CUDA graphs are not wanted."""
        self.config = config
        self.options = options or TalkerOptions()
        self.max_ids = min(self.options.max_ids, config.talker.max_positions)
        tell("preparing the weights")
        exported = export_talker(config, cache_dir)
        draws = Draws()
        self._engine = _start_engine(exported, self.options, self.max_ids, draws, tell)
        if capture is not None:
            talker, device = config.talker, self._engine.vllm_config.device_config.device
            kind = DrawKind(talker.head_rows, talker.speech_tokens, config.sampling)
            draws.speed_up(capture, kind, self.options.max_streams, device, tell)
        self._live: set[str] = set()

    def add(self, request: str, quantum: Quantum, seed: int) -> None:
        """Queues a quantum as `request`. Raises ValueError when vLLM cannot run it. Everything that vLLM asserts is
        checked here, because one bad request would stop every stream."""
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        talker = self.config.talker
        total = len(quantum.ids) + quantum.max_tokens
        if total > self.max_ids:
            raise ValueError(f"a sequence of {total} ids exceeds the talker's {self.max_ids}")
        if quantum.max_tokens < 1:
            raise ValueError(f"a quantum of {quantum.max_tokens} tokens")
        width = talker.head_rows + talker.text_rows
        if not quantum.ids or min(quantum.ids) < 0 or max(quantum.ids) >= width:
            raise ValueError(f"ids outside the merged vocabulary of {width} rows")
        if request in self._live:
            raise ValueError(f"request {request!r} is already running")
        stop_id = talker.fill if quantum.stage is LayoutStage.MID else talker.eos
        params = SamplingParams(
            temperature=0.0,
            max_tokens=quantum.max_tokens,
            stop_token_ids=[stop_id],
            ignore_eos=True,
            detokenize=False,
            output_kind=RequestOutputKind.FINAL_ONLY,
            extra_args={
                "talker": {
                    "seed": seed,
                    "history": quantum.history[-self.config.sampling.window :],
                    "stop_id": stop_id,
                    "min_tokens": quantum.min_tokens,
                    "sampling": asdict(self.config.sampling),
                    "speech_tokens": talker.speech_tokens,
                }
            },
        )
        self._engine.add_request(request, {"prompt_token_ids": list(quantum.ids)}, params)
        self._live.add(request)

    def cancel(self, request: str) -> None:
        """Stops a request and frees its memory. Does nothing for an unknown name."""
        if request in self._live:
            self._live.discard(request)
            self._engine.abort_request([request])

    @property
    def busy(self) -> bool:
        """True while a request runs or waits."""
        return bool(self._live)

    @property
    def held(self) -> dict[str, int]:
        """Number of open requests, here and in vLLM."""
        return {"quanta": len(self._live), "vllm_requests": self._engine.get_num_unfinished_requests()}

    def step(self) -> list[Sampled]:
        """One model step for as many requests as fit. Returns the quanta that are finished with it."""
        finished = [Sampled(o.request_id, list(o.outputs[0].token_ids)) for o in self._engine.step() if o.finished]
        self._live.difference_update(s.request for s in finished)
        return finished

    def forget_prefixes(self) -> None:
        """Empties the prefix cache (for measurements)."""
        self._engine.reset_prefix_cache()

    def close(self) -> None:
        """Ends all requests and shuts vLLM down."""
        self._engine.abort_request(list(self._live))
        self._live.clear()
        self._engine.engine_core.shutdown()


def _start_engine(model: Path, options: TalkerOptions, max_ids: int, draws: Draws, tell: Callable[[str], None]) -> Any:
    # vLLM reads these at import: one process, no downloads, no usage statistics. The sampler needs the model runner
    # that gives logits processors the output ids.
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    os.environ.setdefault("VLLM_USE_V2_MODEL_RUNNER", "0")
    # On a GPU vLLM tries its own sampler at the start, though nothing uses it here. FlashInfer's form of it is compiled
    # then, and the start fails where there is no nvcc.
    os.environ.setdefault("VLLM_USE_FLASHINFER_SAMPLER", "0")
    # On a GPU Triton rounds float32 products to TF32 unless it is told not to.
    os.environ.setdefault("TRITON_F32_DEFAULT", "ieee")
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    # PyTorch's Gloo opens a TCP listener for each of vLLM's process groups, on the address of the machine's name if it
    # is not told better. There is one process, so nobody ever connects.
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"
    os.environ["VLLM_HOST_IP"] = "127.0.0.1"
    # The imports make millions of objects, and all of them stay. Looking through them for garbage, again and again,
    # would be a sixth of the start.
    gc.disable()
    tell("importing vLLM")
    try:
        from vllm.engine.arg_utils import EngineArgs
        from vllm.model_executor.models.registry import ModelRegistry
        from vllm.v1.engine.llm_engine import LLMEngine

        from cosyvoice.talker.vllm_model import CosyVoiceTalkerForCausalLM, keyed_ras
    finally:
        gc.freeze()
        gc.enable()

    ModelRegistry.register_model(ARCHITECTURE, CosyVoiceTalkerForCausalLM)
    optional: dict[str, Any] = {}
    if options.memory_share is not None:
        optional["gpu_memory_utilization"] = options.memory_share
    if options.step_ids is not None:
        optional["max_num_batched_tokens"] = options.step_ids
    tell("starting vLLM")
    return LLMEngine.from_engine_args(
        EngineArgs(
            model=str(model),
            dtype=options.dtype,
            enforce_eager=options.enforce_eager,
            max_model_len=max_ids,
            max_num_seqs=options.max_streams,
            kv_cache_memory_bytes=options.kv_cache_bytes,
            block_size=options.block_tokens,
            enable_prefix_caching=True,
            skip_tokenizer_init=True,
            async_scheduling=False,
            disable_log_stats=True,
            enable_flashinfer_autotune=False,  # of operations that are not used here
            logits_processors=[keyed_ras(draws)],
            **optional,
        )
    )
