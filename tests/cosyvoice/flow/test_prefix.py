"""Shared voice prefixes: reference counts and eviction."""

from __future__ import annotations

import torch

from cosyvoice.flow.prefix import PrefixStore, VoicePrefix
from cosyvoice.flow.tails import Tails
from cosyvoice.flow.voice import FlowVoice

NOTHING = torch.zeros(0)


def voice() -> FlowVoice:
    """A voice of no content: the store compares by identity."""
    return FlowVoice((), NOTHING, NOTHING, 1)


def prefix(bytes_: int, *, ready: bool = True) -> VoicePrefix:
    """The prefix of a new voice, that counts as `bytes_`."""
    return VoicePrefix(voice(), (), Tails(NOTHING), bytes_, ready=ready)


def test_a_prefix_is_shared() -> None:
    """Everyone who acquires a voice gets the same prefix."""
    store, shared = PrefixStore(), prefix(1)
    assert store.acquire(shared.voice) is None
    store.put(shared)
    assert store.acquire(shared.voice) is shared
    assert store.acquire(shared.voice) is shared
    assert (shared.users, store.users) == (2, 2)


def test_the_least_recently_used_goes_first() -> None:
    """Reclaiming drops unused prefixes by age of last use, no more than needed."""
    store = PrefixStore()
    prefixes = [prefix(10) for _ in range(3)]
    for p in prefixes:
        store.put(p)
    used = store.acquire(prefixes[0].voice)
    assert used is prefixes[0]
    assert store.release(used) == 0
    assert store.reclaim(11) == 20
    assert [p.voice in store for p in prefixes] == [True, False, False]


def test_a_prefix_in_use_stays() -> None:
    """Reclaiming never drops what a stream reads; it may once the stream has released it."""
    store, shared = PrefixStore(), prefix(10)
    store.put(shared)
    store.acquire(shared.voice)
    assert store.reclaim(5) == 0
    store.release(shared)
    assert store.reclaim(5) == 10
    assert len(store) == 0


def test_nothing_is_dropped_in_vain() -> None:
    """When all unused prefixes together would not do, they stay."""
    store, unused = PrefixStore(), prefix(10)
    store.put(unused)
    assert store.reclaim(11) == 0
    assert unused.voice in store


def test_a_prefix_that_is_not_computed_goes_with_its_last_user() -> None:
    """Memory that waits to be computed counts for no voice, is not evicted, and is freed when nobody wants it."""
    store, waiting = PrefixStore(), prefix(10, ready=False)
    store.put(waiting)
    assert store.find(waiting.voice) is waiting
    assert waiting.voice not in store
    assert (len(store), store.size_bytes) == (0, 0)
    store.acquire(waiting.voice)
    store.acquire(waiting.voice)
    assert store.reclaim(5) == 0
    assert store.release(waiting) == 0
    assert store.release(waiting) == 10
    assert store.find(waiting.voice) is None
