"""GPUs as the memory plan sees them: memory, and whether they calculate in bfloat16."""

from __future__ import annotations

import re
from dataclasses import dataclass

MIB = 1 << 20
# The first compute capability for which vLLM's wheel has code.
_LEAST_CAPABILITY = (7, 5)
# The first one whose tensor cores multiply bfloat16.
BF16_CAPABILITY = (8, 0)


@dataclass(frozen=True)
class Card:
    """One GPU."""

    # The name that its driver tells.
    name: str
    # All of its memory.
    memory_mib: int
    # CUDA's compute capability.
    capability: tuple[int, int]
    # What no process uses now. None for a card that is only named: all.
    free_mib: int | None = None

    @property
    def is_old(self) -> bool:
        """Whether vLLM's wheel has no code for it."""
        return self.capability < _LEAST_CAPABILITY

    @property
    def has_bf16(self) -> bool:
        return self.capability >= BF16_CAPABILITY

    @classmethod
    def of_size(cls, gigabytes: float) -> Card:
        """An unknown card, or a part of one, with this many GB (of 10^9 bytes). It has bfloat16, as all since 2020."""
        if not 0 < gigabytes < float("inf"):
            raise ValueError(f"memory: expected more than 0 GB, found {gigabytes}")
        return cls(f"a card of {gigabytes:g} GB", int(gigabytes * 1e9) // MIB, BF16_CAPABILITY)


# As nvidia-smi tells name and memory.
KNOWN_CARDS = (
    Card("NVIDIA B200", 183359, (10, 0)),
    Card("NVIDIA H200", 143771, (9, 0)),
    Card("NVIDIA H100 80GB HBM3", 81559, (9, 0)),
    Card("NVIDIA A100-SXM4-80GB", 81920, (8, 0)),
    Card("NVIDIA A100-SXM4-40GB", 40960, (8, 0)),
    Card("NVIDIA L40S", 46068, (8, 9)),
    Card("NVIDIA L20", 46068, (8, 9)),
    Card("NVIDIA L4", 23034, (8, 9)),
    Card("NVIDIA A10", 23028, (8, 6)),
    Card("NVIDIA GeForce RTX 5090", 32607, (12, 0)),
    Card("NVIDIA GeForce RTX 4090", 24564, (8, 9)),
    Card("NVIDIA GeForce RTX 4060", 8188, (8, 9)),
    Card("NVIDIA GeForce RTX 3090", 24576, (8, 6)),
    Card("NVIDIA GeForce RTX 3060", 12288, (8, 6)),
    Card("Tesla T4", 15360, (7, 5)),
)


def find_card(text: str) -> Card:
    """The known card whose name has all words of `text`, in any case: "h100", "rtx 4090", "A100 40GB". A size without
    its unit is enough: "a100 40". Raises ValueError when no card has them, or several."""
    words = [word.removesuffix("gb") for word in re.findall(r"[a-z0-9]+", text.lower())]
    found = [card for card in KNOWN_CARDS if words and all(_has(card, word) for word in words)]
    if len(found) == 1:
        return found[0]
    among = ", ".join(card.name for card in found or KNOWN_CARDS)
    raise ValueError(f"card: expected a name of one of these: {among}; found {text!r}")


def _has(card: Card, word: str) -> bool:
    words = [other.removesuffix("gb") for other in re.findall(r"[a-z0-9]+", card.name.lower())]
    # A size is told in round numbers: a card of 48 GB has 45.
    is_size = word.isdecimal() and abs(int(word) * 1024 - card.memory_mib) <= 0.1 * card.memory_mib
    return word in words or is_size or word in ("nvidia", "")
