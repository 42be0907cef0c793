"""Reports of the engine's load, for tests."""

from __future__ import annotations

from dataclasses import replace

from rtserver.ipc.engine import Load
from rtserver.schedule.capacity import MOST_UTILISATION, YOUNG

_IDLE = Load(
    utterances=0,
    waiting_hops=0,
    steps=0,
    rows=0,
    audio_s=0.0,
    flow_s=0.0,
    vocoder_s=0.0,
    slack_s=[],
    hop_s=0.0,
    hop_audio_s=1.0,
    first_hop_s=0.1,
    hops_s=[],
    first_quantum_s=0.1,
    kv_stream_bytes=0,
    kv_voice_bytes=0,
    kv_free_bytes=1 << 30,
    kv_reserve_bytes=1 << 20,
)


def load_of(streams: int) -> Load:
    """The load of a machine that can take this many streams that begin together."""
    hop_s = MOST_UTILISATION / (YOUNG * streams)
    return replace(_IDLE, hop_s=hop_s, hops_s=[hop_s])
