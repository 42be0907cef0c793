"""Exports the talker as a Hugging Face directory that vLLM can load.

Its vocabulary is merged: speech and control rows first, then text rows. So prompts are plain token ids, and text can
come in the middle of a sequence. The head has the speech and control rows only, so vLLM samples only these. The export
is made once and kept in a cache directory whose name depends on the contents of the weights.
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

# Raise this when the export changes, so that older exports are made again.
EXPORT_VERSION = 1
ARCHITECTURE = "CosyVoiceTalkerForCausalLM"


def export_talker(config: ModelConfig, cache_dir: Path | None = None, file: str | None = None) -> Path:
    """The directory of the exported talker. It is made when it is not in the cache.

    It is written under a temporary name and renamed at the end, so that an interrupted export leaves no half-written
    directory. Raises CheckpointError when the weights do not fit the configuration.
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
    """The model's config.json. `vocab_size` is the number of the head's rows, `embed_vocab_size` that of the merged
    table."""
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
