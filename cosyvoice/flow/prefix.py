"""Prefixes: the keys, values and convolution tails of a voice's prompt, shared by all streams in that voice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosyvoice.flow.kv import KvBlock, KvSpan, spans_of
from cosyvoice.flow.tails import Tails
from cosyvoice.flow.voice import FlowVoice


@dataclass(eq=False)
class VoicePrefix:
    """What is kept of a voice's prompt chunks. One job computes it; after that it does not change. Its bytes are in the
    budget as long as it is in the store."""

    voice: FlowVoice
    # Keys and values, in order.
    blocks: Sequence[KvBlock]
    tails: Tails
    size_bytes: int
    # Streams, reservations, and the job that computes it.
    users: int = 0
    # Computed: streams may read it.
    ready: bool = False

    @property
    def spans(self) -> list[KvSpan]:
        """As a stream sees them: the frames before the stream's first own frame."""
        return spans_of(self.blocks, -sum(block.frames for block in self.blocks), pinned=True)


class PrefixStore:
    """The prefixes in memory, least recently used first. A prefix is in the store from the moment its memory is taken,
    before it is computed. The store only counts; the owner tells the budget."""

    def __init__(self) -> None:
        self._prefixes: dict[FlowVoice, VoicePrefix] = {}

    def __len__(self) -> int:
        """Number of computed prefixes."""
        return sum(prefix.ready for prefix in self._prefixes.values())

    def __contains__(self, voice: FlowVoice) -> bool:
        """Whether the voice's prefix is computed."""
        return voice in self._prefixes and self._prefixes[voice].ready

    @property
    def size_bytes(self) -> int:
        """Bytes of all computed prefixes."""
        return sum(prefix.size_bytes for prefix in self._prefixes.values() if prefix.ready)

    @property
    def unused_bytes(self) -> int:
        """Bytes of the computed prefixes without users. `reclaim` can free them."""
        return sum(prefix.size_bytes for prefix in self._unused())

    @property
    def users(self) -> int:
        """Users of all prefixes together."""
        return sum(prefix.users for prefix in self._prefixes.values())

    def find(self, voice: FlowVoice) -> VoicePrefix | None:
        """The voice's prefix, computed or not. None when no memory is taken for it."""
        return self._prefixes.get(voice)

    def put(self, prefix: VoicePrefix) -> None:
        """Adds a prefix. A voice has at most one."""
        assert prefix.voice not in self._prefixes, "a voice has one prefix"
        self._prefixes[prefix.voice] = prefix

    def acquire(self, voice: FlowVoice) -> VoicePrefix | None:
        """The voice's prefix, computed or not, with one user more. None when no memory is taken for it."""
        prefix = self._prefixes.pop(voice, None)
        if prefix is not None:
            prefix.users += 1
            self._prefixes[voice] = prefix  # last place: most recently used
        return prefix

    def mark_ready(self, prefix: VoicePrefix) -> None:
        """The prefix is computed."""
        prefix.ready = True

    def release(self, prefix: VoicePrefix) -> int:
        """One user less. A prefix that has no users left and is not computed is dropped. Returns the bytes freed."""
        assert prefix.users > 0, "release without acquire"
        prefix.users -= 1
        if prefix.ready or prefix.users > 0:
            return 0
        del self._prefixes[prefix.voice]
        return prefix.size_bytes

    def reclaim(self, short_bytes: int) -> int:
        """Drops unused prefixes, least recently used first, until at least `short_bytes` are free. Drops none when all
        of them together are not enough. Returns the bytes freed."""
        unused = self._unused()
        if sum(prefix.size_bytes for prefix in unused) < short_bytes:
            return 0
        freed_bytes = 0
        for prefix in unused:
            if freed_bytes >= short_bytes:
                break
            del self._prefixes[prefix.voice]
            freed_bytes += prefix.size_bytes
        return freed_bytes

    def _unused(self) -> list[VoicePrefix]:
        return [prefix for prefix in self._prefixes.values() if prefix.ready and prefix.users == 0]
