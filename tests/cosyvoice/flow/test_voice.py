"""Shared voice prefixes: reference counts and eviction."""

from __future__ import annotations

import torch

from cosyvoice.flow.cache import KvSpan
from cosyvoice.flow.voice import FlowVoice, PrefixStore, VoicePrefix

NOTHING = torch.zeros(0)


def voice() -> FlowVoice:
    """A voice of no content: the store compares by identity."""
    return FlowVoice((), NOTHING, NOTHING, 1)


def prefix(bytes_: int) -> VoicePrefix:
    """A prefix that counts as `bytes_`."""
    return VoicePrefix(KvSpan(NOTHING, 0), NOTHING, bytes_)


def test_a_prefix_is_shared() -> None:
    """Everyone who acquires a voice gets the same prefix."""
    store, speaker, shared = PrefixStore(), voice(), prefix(1)
    assert store.acquire(speaker) is None
    store.put(speaker, shared)
    assert store.acquire(speaker) is shared
    assert store.acquire(speaker) is shared
    assert shared.users == 2


def test_the_least_recently_used_goes_first() -> None:
    """Reclaiming drops unused prefixes by age of last use, no more than needed."""
    store = PrefixStore()
    voices = [voice() for _ in range(3)]
    for v in voices:
        store.put(v, prefix(10))
    used = store.acquire(voices[0])
    assert used is not None
    store.release(used)
    assert store.reclaim(11) == 20
    assert [v in store for v in voices] == [True, False, False]


def test_a_prefix_in_use_stays() -> None:
    """Reclaiming never drops what a stream reads; it may once the stream has released it."""
    store, speaker, shared = PrefixStore(), voice(), prefix(10)
    store.put(speaker, shared)
    store.acquire(speaker)
    assert store.reclaim(5) == 0
    store.release(shared)
    assert store.reclaim(5) == 10
    assert len(store) == 0


def test_nothing_is_dropped_in_vain() -> None:
    """When all unused prefixes together would not do, they stay."""
    store, speaker = PrefixStore(), voice()
    store.put(speaker, prefix(10))
    assert store.reclaim(11) == 0
    assert speaker in store
