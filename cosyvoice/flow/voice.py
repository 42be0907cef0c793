"""A voice as the flow sees it, and the keys and values of its prompt that all its streams share."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from cosyvoice.flow.cache import KvSpan


@dataclass(frozen=True, eq=False)
class FlowVoice:
    """A prompt, checked and on the model's device. Small; made by PreparedFlow.voice, compared by identity."""

    tokens: tuple[int, ...]
    mel: Tensor  # [2 * tokens, mel_bins] fp32
    speaker: Tensor  # [spk_dim] fp32, after the affine map
    prefix_chunks: int  # chunks that do not depend on what is said after the prompt


@dataclass(eq=False)
class VoicePrefix:
    """Keys, values and convolution tails of a voice's prompt chunks: immutable once computed, shared by reference
    count."""

    span: KvSpan
    tails: Tensor
    bytes: int
    users: int = 0


class PrefixStore:
    """The prefixes held in memory, least recently used first. Bytes are reserved by whoever computes a prefix."""

    def __init__(self) -> None:
        self._prefixes: dict[FlowVoice, VoicePrefix] = {}

    def __len__(self) -> int:
        return len(self._prefixes)

    def __contains__(self, voice: FlowVoice) -> bool:
        return voice in self._prefixes

    @property
    def size_bytes(self) -> int:
        return sum(prefix.bytes for prefix in self._prefixes.values())

    @property
    def users(self) -> int:
        """Streams that use one."""
        return sum(prefix.users for prefix in self._prefixes.values())

    def put(self, voice: FlowVoice, prefix: VoicePrefix) -> None:
        assert voice not in self._prefixes, "a voice has one prefix"
        self._prefixes[voice] = prefix

    def acquire(self, voice: FlowVoice) -> VoicePrefix | None:
        """The voice's prefix, held until `release`; None when it is not in memory."""
        prefix = self._prefixes.pop(voice, None)
        if prefix is not None:
            prefix.users += 1
            self._prefixes[voice] = prefix  # last place: most recently used
        return prefix

    def release(self, prefix: VoicePrefix) -> None:
        assert prefix.users > 0, "release without acquire"
        prefix.users -= 1

    def reclaim(self, short_bytes: int) -> int:
        """Drops unused prefixes, least recently used first, until `short_bytes` are free; returns the bytes freed.
        Drops none when all of them together would not do."""
        unused = [(voice, prefix.bytes) for voice, prefix in self._prefixes.items() if prefix.users == 0]
        if sum(size for _, size in unused) < short_bytes:
            return 0
        freed = 0
        for voice, size in unused:
            if freed >= short_bytes:
                break
            del self._prefixes[voice]
            freed += size
        return freed
