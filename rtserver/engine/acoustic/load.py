"""What the acoustic process tells of its work."""

from __future__ import annotations

from collections.abc import Sequence

from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.turns import Totals
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.ipc.engine import Load
from rtserver.schedule.scheduler import Scheduler

EVERY_S = 0.25


def measured_load(
    models: AcousticModels,
    voicings: Sequence[AcousticUtterance],
    waiting_hops: int,
    totals: Totals,
    scheduler: Scheduler,
    now_s: float,
) -> Load:
    """As of now."""
    costs, places = scheduler.crowded, scheduler.places
    config, flow = models.config, models.flow
    chunk = flow.config.chunk_tokens
    standings = [voicing.standing for voicing in voicings if not voicing.idle]
    begun = [s.playback for s in standings if s.service_class == "realtime" and s.playback.begun]
    steps, frames = flow.config.euler_steps, flow.config.chunk_frames
    hops_s = [costs.hop_s(steps, frames << power, frames << power) for power in range(places.hops.bit_length())]
    first_tokens = models.voices.first_hop_tokens or chunk
    first_frames = first_tokens * flow.config.frames_per_token
    voices_bytes = flow.memory.prefixes.size_bytes
    return Load(
        utterances=len(voicings),
        waiting_hops=waiting_hops,
        steps=totals.steps,
        rows=totals.rows,
        audio_s=totals.audio_s,
        flow_s=totals.flow_s,
        vocoder_s=totals.vocoder_s,
        slack_s=[round(playback.lead_s(now_s), 3) for playback in begun],
        hop_s=hops_s[0],
        hop_audio_s=scheduler.sound.sound_s(frames, chunk / config.token_rate_hz),
        first_hop_s=costs.hop_s(steps, frames, first_frames),
        hops_s=hops_s,
        first_quantum_s=costs.predict("quantum", first_tokens + flow.config.lookahead_tokens),
        kv_stream_bytes=flow.memory.budget.in_use_bytes - voices_bytes,
        kv_voice_bytes=voices_bytes,
        kv_free_bytes=flow.memory.budget.free_bytes + flow.memory.prefixes.unused_bytes,
        kv_reserve_bytes=models.least_reserve_bytes,
    )
