"""Exports the talker as a Hugging Face directory that vLLM loads: one merged vocabulary, speech and control rows
first, text rows after them; the head covers the speech and control rows only.

vLLM then sees plain token ids in prompts (text may enter in the middle of a sequence) and samples over the narrow
head. The export is made once and kept in a cache directory named by the content of the weights.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import save_file

from cosyvoice.checkpoint import TALKER_FILES, content_hash, find_file, load_talker_state
from cosyvoice.config import ModelConfig
from cosyvoice.models import default_cache_dir

# Raise it when what is written below changes: older exports are then made anew.
EXPORT_VERSION = 1
ARCHITECTURE = "CosyVoiceTalkerForCausalLM"


def export_talker(config: ModelConfig, cache_dir: Path | None = None, file: str | None = None) -> Path:
    """The directory of the exported talker, made if the cache does not hold it.

    Written under a temporary name and renamed at the end, so an interrupted export leaves nothing half made.
    Raises CheckpointError when the weights do not fit the configuration.
    """
    source = find_file(config.directory, (file,) if file else TALKER_FILES)
    key = f"{content_hash(source)[:24]}-{config.talker.max_positions}-v{EXPORT_VERSION}"
    target = (cache_dir or default_cache_dir()) / "talker" / key
    if (target / "model.safetensors").is_file() and (target / "config.json").is_file():
        return target
    _, state = load_talker_state(config, file)
    merged = {
        "model.embed_tokens.weight": torch.cat(
            [state.pop("speech_embedding.weight"), state.pop("llm.model.model.embed_tokens.weight")]
        ),
        "lm_head.weight": state.pop("llm_decoder.weight"),
    }
    merged.update({k.removeprefix("llm.model."): v for k, v in state.items()})
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{key}-", dir=target.parent))
    try:
        save_file({k: v.contiguous() for k, v in merged.items()}, temporary / "model.safetensors")
        (temporary / "config.json").write_text(json.dumps(_hf_config(config), indent=1), encoding="utf-8")
        if target.exists():  # incomplete: an earlier version of this file was interrupted
            shutil.rmtree(target)
        temporary.rename(target)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return target


def _hf_config(config: ModelConfig) -> dict[str, object]:
    """`vocab_size` is the head's width, so that vLLM's sampler sees only speech and control rows;
    `embed_vocab_size` is the merged table's."""
    c = config.talker
    return {
        "architectures": [ARCHITECTURE],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "hidden_size": c.hidden,
        "intermediate_size": c.ffn,
        "num_hidden_layers": c.layers,
        "num_attention_heads": c.heads,
        "num_key_value_heads": c.kv_heads,
        "max_position_embeddings": c.max_positions,
        "rms_norm_eps": c.rms_eps,
        "rope_theta": c.rope_theta,
        "use_sliding_window": False,
        "tie_word_embeddings": False,
        "vocab_size": c.head_rows,
        "embed_vocab_size": c.head_rows + c.text_rows,
        "dtype": "float32",
    }
