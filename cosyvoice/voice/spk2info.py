"""spk2info.pt: the voices that a checkpoint stores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from cosyvoice.errors import CheckpointError
from cosyvoice.voice.features import MEL_BINS
from cosyvoice.voice.prompt import FRAMES_PER_TOKEN, SPEAKER_DIM, Prompt

VOICES_FILE = "spk2info.pt"


def load_spk2info(path: Path, vocab: int) -> dict[str, Prompt]:
    """The stored prompts by name; none when there is no such file. `vocab` is the number of speech tokens.

    An entry has either a whole prompt (the original's add_zero_shot_spk) or only an `embedding`, from supervised
    fine-tuning. Raises CheckpointError, which names the file, the voice and the tensor.
    """
    if not path.exists():
        return {}
    try:
        entries = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises errors of many kinds for files that are not its own
        raise CheckpointError(f"{path}: expected a dict of voices saved by torch, found {error}") from error
    if not isinstance(entries, dict) or not all(isinstance(entry, dict) for entry in entries.values()):
        raise CheckpointError(f"{path}: expected a dict of dicts of tensors, found something else")
    return {str(name): _prompt(entry, f"{path}: {name}", vocab) for name, entry in entries.items()}


def _prompt(entry: dict[str, Any], where: str, vocab: int) -> Prompt:
    if "flow_prompt_speech_token" not in entry:
        speaker = _numbers(entry, "embedding", (1, SPEAKER_DIM), where)[0]
        return Prompt(transcript="", speech_tokens=(), mel=torch.zeros(0, MEL_BINS), speaker=speaker)
    tokens = _ids(entry, "flow_prompt_speech_token", where, vocab)
    if _ids(entry, "llm_prompt_speech_token", where, vocab) != tokens:
        raise CheckpointError(f"{where}: expected the same speech tokens for the talker and the flow, found others")
    return Prompt(
        transcript="",
        speech_tokens=tokens,
        mel=_numbers(entry, "prompt_speech_feat", (1, FRAMES_PER_TOKEN * len(tokens), MEL_BINS), where)[0],
        speaker=_numbers(entry, "flow_embedding", (1, SPEAKER_DIM), where)[0],
        text_ids=_ids(entry, "prompt_text", where, None),
    )


def _numbers(entry: dict[str, Any], key: str, shape: tuple[int, ...], where: str) -> Tensor:
    value = entry.get(key)
    if not isinstance(value, Tensor) or tuple(value.shape) != shape or not value.isfinite().all():
        found = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise CheckpointError(f"{where}: {key}: expected finite numbers of shape {shape}, found {found}")
    return value.float()


def _ids(entry: dict[str, Any], key: str, where: str, vocab: int | None) -> tuple[int, ...]:
    value = entry.get(key)
    if not isinstance(value, Tensor) or value.dim() != 2 or value.shape[0] != 1 or value.is_floating_point():
        found = f"{value.dtype} {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise CheckpointError(f"{where}: {key}: expected integers of shape (1, length), found {found}")
    ids = tuple(int(i) for i in value[0])
    if vocab is not None and not all(0 <= i < vocab for i in ids):
        raise CheckpointError(f"{where}: {key}: expected ids from 0 to {vocab - 1}, found {min(ids)} to {max(ids)}")
    return ids
