"""The server's own admission as the gate of a simulated machine."""

from __future__ import annotations

from bench.simulator.acoustic import Acoustic
from bench.simulator.cost_table import CHUNK_TOKENS, FRAMES_PER_TOKEN, LOOKAHEAD_TOKENS, TOKEN_S, CostTable
from bench.simulator.load import Reply
from rtserver.schedule.admission import Admission, AdmissionLimits
from rtserver.schedule.capacity import Figures
from rtserver.schedule.scheduler import Scheduler

_EVERY_S = 0.25  # how often the acoustic process reports its load
_ALL = 1 << 30


class AdmissionGate:
    """Refuses new utterances as the server does, from the same figures."""

    def __init__(self, table: CostTable, scheduler: Scheduler, first_sound_s: float) -> None:
        """first_sound_s: a reply is refused if its first sound is predicted to come later."""
        limits = AdmissionLimits(max_streams=_ALL, ttfa_s=first_sound_s)
        self.admission = Admission(limits, lambda: self._told)
        self._table = table
        self._scheduler = scheduler
        self._told: Figures | None = None
        self._told_s = float("-inf")

    def admit(self, reply: Reply, acoustic: Acoustic, now_s: float) -> bool:
        """Whether the reply is accepted."""
        if now_s - self._told_s >= _EVERY_S:
            self._told, self._told_s = self._figures(acoustic, now_s), now_s
        return self.admission.admit(reply.name, reply.tenant, reply.service_class, now_s) is None

    def begun(self, name: str) -> None:
        self.admission.begun(name)

    def over(self, name: str, now_s: float) -> None:
        self.admission.over(name, now_s)

    def _figures(self, acoustic: Acoustic, now_s: float) -> Figures:
        places, memory = self._scheduler.places, acoustic.memory
        begun = [s.standing.playback for s in acoustic.streams.values() if not s.idle and s.standing.playback.begun]
        slack_s = [playback.lead_s(now_s) for playback in begun]
        free_bytes = memory.budget_bytes - memory.in_use_bytes
        first_tokens = self._table.first_hop_tokens + LOOKAHEAD_TOKENS
        return Figures(
            hops_s=[self._hops_s(1 << power, CHUNK_TOKENS) for power in range(places.hops.bit_length())],
            hop_audio_s=self._scheduler.sound.sound_s(CHUNK_TOKENS * FRAMES_PER_TOKEN, CHUNK_TOKENS * TOKEN_S),
            first_hop_s=self._hops_s(1, self._table.first_hop_tokens),
            slack_s=slack_s,
            first_quantum_s=self._scheduler.crowded.predict("quantum", first_tokens),
            streams_in_memory=int(free_bytes // memory.needed_bytes) if memory.needed_bytes else _ALL,
        )

    def _hops_s(self, hops: int, tokens: int) -> float:
        chunk_frames, sound_frames = CHUNK_TOKENS * FRAMES_PER_TOKEN, tokens * FRAMES_PER_TOKEN
        return self._scheduler.crowded.hop_s(self._table.euler_steps, hops * chunk_frames, hops * sound_frames)
