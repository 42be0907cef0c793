"""The special tokens that CosyVoice3 adds to Qwen2's vocabulary, in the order of their ids."""

from __future__ import annotations

import json

from cosyvoice.models import DATA

_FILE = DATA / "special_tokens_v3.json"

# Token i (from 0) has the id i + 1 after Qwen2's base vocabulary, because <|endoftext|> comes first.
SPECIAL_TOKENS: tuple[str, ...] = tuple(json.loads(_FILE.read_text(encoding="utf-8")))


def is_control(name: str) -> bool:
    """Whether a special token controls the talker (`<|endofprompt|>`). The others are markup that users may write."""
    return name.startswith("<|") and name.endswith("|>")


MARKUP = frozenset(name for name in SPECIAL_TOKENS if not is_control(name))
