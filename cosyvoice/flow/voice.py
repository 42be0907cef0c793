"""A voice as the flow sees it, and the keys and values of its prompt that all its streams share."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from cosyvoice.flow.cache import KvSpan
from cosyvoice.flow.hop import HopJob


@dataclass(frozen=True, eq=False)
class FlowVoice:
    """A prompt, checked and on the model's device. Small; made by PreparedFlow.voice, compared by identity."""

    tokens: tuple[int, ...]
    mel: Tensor  # [2 * tokens, mel_bins] fp32
    speaker: Tensor  # [spk_dim] fp32, after the affine map
    prefix_chunks: int  # chunks that do not depend on what is said after the prompt


@dataclass(eq=False)
class VoicePrefix:
    """Keys, values and convolution tails of a voice's prompt chunks: computed once, by `job`, then immutable, shared by
    reference count. `bytes` are in the budget as long as it is in the store."""

    voice: FlowVoice
    span: KvSpan
    tails: Tensor
    bytes: int
    users: int = 0
    ready: bool = False  # computed
    job: HopJob | None = None  # under way


class PrefixStore:
    """The prefixes in memory, least recently used first: those computed, and those whose memory is taken already."""

    def __init__(self) -> None:
        self._prefixes: dict[FlowVoice, VoicePrefix] = {}

    def __len__(self) -> int:
        """Computed ones."""
        return sum(prefix.ready for prefix in self._prefixes.values())

    def __contains__(self, voice: FlowVoice) -> bool:
        """Whether the voice's prefix is computed."""
        return voice in self._prefixes and self._prefixes[voice].ready

    @property
    def size_bytes(self) -> int:
        """Of computed ones."""
        return sum(prefix.bytes for prefix in self._prefixes.values() if prefix.ready)

    @property
    def unused_bytes(self) -> int:
        """Of computed ones that nobody holds: `reclaim` can free them."""
        return sum(prefix.bytes for prefix in self._prefixes.values() if prefix.ready and prefix.users == 0)

    @property
    def users(self) -> int:
        """Streams and reservations that hold one."""
        return sum(prefix.users for prefix in self._prefixes.values())

    def find(self, voice: FlowVoice) -> VoicePrefix | None:
        """The voice's prefix, computed or not; None when no memory is taken for it."""
        return self._prefixes.get(voice)

    def put(self, prefix: VoicePrefix) -> None:
        assert prefix.voice not in self._prefixes, "a voice has one prefix"
        self._prefixes[prefix.voice] = prefix

    def acquire(self, voice: FlowVoice) -> VoicePrefix | None:
        """The voice's prefix, computed or not, held until `release`; None when no memory is taken for it."""
        prefix = self._prefixes.pop(voice, None)
        if prefix is not None:
            prefix.users += 1
            self._prefixes[voice] = prefix  # last place: most recently used
        return prefix

    def release(self, prefix: VoicePrefix) -> int:
        """Returns the bytes freed: see `drop_unwanted`."""
        assert prefix.users > 0, "release without acquire"
        prefix.users -= 1
        return self.drop_unwanted(prefix)

    def drop_unwanted(self, prefix: VoicePrefix) -> int:
        """Drops a prefix that is not computed, not being computed and held by nobody; returns the bytes freed."""
        if prefix.ready or prefix.users > 0 or prefix.job is not None:
            return 0
        del self._prefixes[prefix.voice]
        return prefix.bytes

    def reclaim(self, short_bytes: int) -> int:
        """Drops unused prefixes, least recently used first, until `short_bytes` are free; returns the bytes freed.
        Drops none when all of them together would not do."""
        unused = [prefix for prefix in self._prefixes.values() if prefix.users == 0 and prefix.ready]
        if sum(prefix.bytes for prefix in unused) < short_bytes:
            return 0
        freed = 0
        for prefix in unused:
            if freed >= short_bytes:
                break
            del self._prefixes[prefix.voice]
            freed += prefix.bytes
        return freed
