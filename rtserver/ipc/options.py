"""The options of the child processes. The parent passes them at the start (Program.options); none is a secret.

They are apart from the programs, because the parent must not import what the programs need.
"""

from __future__ import annotations

from typing import Literal

import msgspec


class TalkerProcessOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """rtserver.engine.talker.process"""

    # Model directory.
    model: str
    # For models in the form that vLLM reads.
    cache_dir: str | None = None
    dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    # Sequences at a time.
    max_streams: int = 32
    # For the keys and values of the sequences.
    kv_cache_mib: int = 256
    # Whether vLLM captures CUDA graphs; it does not on a CPU.
    graphs: bool = False
    # The share of a GPU's memory that must be free at the start. None for vLLM's own default.
    memory_share: float | None = None
    # Ids that one step computes at most. None for vLLM's own default.
    step_ids: int | None = None


class AcousticProcessOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """rtserver.engine.acoustic.process"""

    # Model directory.
    model: str
    # For prepared voices.
    cache_dir: str | None = None
    # For flow and vocoder, as PyTorch names it. None for a GPU if there is one, else the CPU.
    device: str | None = None
    # For the flow's keys and values. 0 for a share of the machine's memory.
    kv_mib: int = 0
    # What the flow calculates in.
    flow_dtype: Literal["float32", "bfloat16", "float16"] = "float32"
    # Whether the flow keeps its memory in pages of one pool.
    flow_pages: bool = False
    # Whether a GPU may round float32 products to TF32.
    tf32: bool = False
    # The share of a GPU's memory that this process may take. None for all.
    memory_share: float | None = None
    # What work takes of a GPU's memory beside weights, keys and values.
    work_mib: int = 0
    # The sound of a sequence for which an utterance takes memory before it speaks. None for the longest.
    promised_s: float | None = None
    # Hops that share an Euler step, at most. 0 for what suits the device.
    hops: int = 0
    # Milliseconds that an Euler step of several hops may take. 0 for what suits the device.
    step_ms: float = 0.0
    # Speech tokens before the first sound. None for the checkpoint's own, 0 for what suits this machine.
    first_hop_tokens: int | None = None
    # An utterance that has waited for text for this many seconds gives its memory back.
    rest_after_s: float = 5.0
    # An utterance fails when a hop that may run takes no step for this many seconds, though the process works.
    stalled_s: float = 120.0
    # Prepared before the process is ready, as NAME or NAME:LANGUAGE. The language picks between voices of one name.
    warm_voices: tuple[str, ...] = ("default",)


class PreparerProcessOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """rtserver.engine.preparer"""

    # Model directory.
    model: str
    # For prepared voices.
    cache_dir: str | None = None
    # How long the prompt of a client's recording is kept on disk after its last use, and how many bytes of them.
    recordings_age_s: float = 30 * 86400.0
    recordings_bytes: int = 128 << 20


class ReaderProcessOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """rtserver.reader.process"""

    # Model directory.
    model: str
    # Of the text, en or zh. Loaded before the process is ready; others are loaded with their first text.
    languages: tuple[str, ...] = ()
    # File of the server's lexicon.
    lexicon: str | None = None
