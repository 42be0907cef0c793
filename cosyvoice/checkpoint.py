"""Reads the weights of a model directory, in the released form (.pt) or the embedded one (.safetensors).

`.pt` files are opened with `weights_only=True`: no pickled code runs. Every mismatch names the file, what was
expected and what was found. Weights become float32; who serves in another type casts afterwards.
"""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from cosyvoice.config import ModelConfig, TalkerConfig
from cosyvoice.errors import CheckpointError

StateDict = dict[str, Tensor]

# `llm.rl.pt` is the released talker after reinforcement learning; take it by naming it.
TALKER_FILES = ("llm.safetensors", "llm.pt", "llm.rl.pt")
FLOW_FILES = ("flow.safetensors", "flow.pt")
VOCODER_FILES = ("hift.safetensors", "hift.pt")
ALIGNER_FILE = "aligner.safetensors"  # not every checkpoint has one

# What the two readers raise for bytes that are no complete state dict.
_BROKEN_FILE = (SafetensorError, pickle.UnpicklingError, OSError, RuntimeError, EOFError, ValueError, KeyError)

# In released files but never read: a duplicate of embed_tokens.
_UNUSED_TALKER_KEYS = ("llm.model.lm_head.weight",)


def find_file(directory: Path, names: tuple[str, ...]) -> Path:
    """The first of `names` that exists in `directory`; CheckpointError when none does."""
    if not directory.is_dir():
        raise CheckpointError(f"{directory}: expected a model directory, found {_kind(directory)}")
    for name in names:
        if (directory / name).is_file():
            return directory / name
    found = sorted(p.name for p in directory.iterdir())[:20]
    raise CheckpointError(
        f"{directory}: expected {' or '.join(names)}, found {', '.join(found) or 'an empty directory'}"
    )


def load_state(path: Path) -> StateDict:
    """The tensors of one file, floats as float32. CheckpointError when it is truncated or no state dict."""
    size = path.stat().st_size
    try:
        if path.suffix == ".safetensors":
            state = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except _BROKEN_FILE as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise CheckpointError(
            f"{path}: expected a complete state dict, found {size} bytes that fail: {reason}"
        ) from error
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise CheckpointError(f"{path}: expected a dict of tensors, found {type(state).__name__}")
    return {k: v.float() if v.is_floating_point() else v for k, v in state.items()}


def check_state(path: Path, state: Mapping[str, Tensor], expected: Mapping[str, torch.Size | tuple[int, ...]]) -> None:
    """CheckpointError unless `state` has exactly the keys and shapes of `expected`."""
    missing = [k for k in expected if k not in state]
    extra = [k for k in state if k not in expected]
    if missing or extra:
        raise CheckpointError(
            f"{path}: expected {len(expected)} tensors, found {len(state)}; "
            f"missing {_some(missing)}; unexpected {_some(extra)}"
        )
    for key, shape in expected.items():
        if tuple(state[key].shape) != tuple(shape):
            raise CheckpointError(f"{path}: {key}: expected shape {tuple(shape)}, found {tuple(state[key].shape)}")


def check_finite(path: Path, state: Mapping[str, Tensor]) -> None:
    """CheckpointError for a tensor that holds infinite numbers or none at all."""
    for key, tensor in state.items():
        if not torch.isfinite(tensor).all():
            raise CheckpointError(f"{path}: {key}: expected finite numbers, found {_some(_strange(tensor))}")


def load_module(path: Path, module: nn.Module, state: StateDict) -> None:
    """Loads `state` strictly into `module`; CheckpointError names `path`."""
    check_state(path, state, {k: v.shape for k, v in module.state_dict().items()})
    module.load_state_dict(state, strict=True, assign=True)
    module.requires_grad_(False).eval()


def talker_shapes(config: TalkerConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of the talker's tensors (Qwen2 body, speech embedding and head)."""
    c = config
    q, kv = c.hidden, c.hidden // c.heads * c.kv_heads
    body = "llm.model.model."
    shapes: dict[str, tuple[int, ...]] = {
        body + "embed_tokens.weight": (c.text_rows, c.hidden),
        body + "norm.weight": (c.hidden,),
        "speech_embedding.weight": (c.head_rows, c.hidden),
        "llm_decoder.weight": (c.head_rows, c.hidden),
    }
    for i in range(c.layers):
        layer = f"{body}layers.{i}."
        for name, rows in (("q", q), ("k", kv), ("v", kv)):
            shapes[f"{layer}self_attn.{name}_proj.weight"] = (rows, c.hidden)
            shapes[f"{layer}self_attn.{name}_proj.bias"] = (rows,)
        shapes[layer + "self_attn.o_proj.weight"] = (c.hidden, q)
        for name in ("gate", "up"):
            shapes[f"{layer}mlp.{name}_proj.weight"] = (c.ffn, c.hidden)
        shapes[layer + "mlp.down_proj.weight"] = (c.hidden, c.ffn)
        shapes[layer + "input_layernorm.weight"] = (c.hidden,)
        shapes[layer + "post_attention_layernorm.weight"] = (c.hidden,)
    return shapes


def load_talker_state(config: ModelConfig, file: str | None = None) -> tuple[Path, StateDict]:
    """The talker's tensors and the file they came from; `file` picks one by name (for example llm.rl.pt)."""
    path = find_file(config.directory, (file,) if file else TALKER_FILES)
    state = load_state(path)
    for key in _UNUSED_TALKER_KEYS:
        state.pop(key, None)
    check_state(path, state, talker_shapes(config.talker))
    return path, state


def content_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _strange(tensor: Tensor) -> list[str]:
    return [str(number) for number in tensor[~torch.isfinite(tensor)].unique().tolist()]


def _kind(path: Path) -> str:
    return "a file" if path.exists() else "no such directory"


def _some(keys: list[str]) -> str:
    return "none" if not keys else ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")
