"""The streams that turn one sequence's speech tokens into samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cosyvoice.errors import StreamError
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.reservation import FlowReservation
from cosyvoice.flow.stream import FlowStream
from cosyvoice.vocoder.speed import MelSpeed
from cosyvoice.vocoder.stream import VocoderStream
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.resume import ResumeRecord
from rtserver.schedule.hops import HopPlan

# Tokens that one job computes again after a crash. Not more, because nothing else runs during a step.
_CATCH_UP_TOKENS = 100


@dataclass
class SequenceStreams:
    """Flow and vocoder of one sequence, and what they carry from hop to hop."""

    flow: FlowStream
    vocoder: VocoderStream
    speed: MelSpeed
    # Tokens whose sound is out since before a crash: only their keys and values are computed again.
    out_tokens: int = 0
    # Samples that were put out so far.
    samples: int = 0

    @classmethod
    def open(
        cls,
        models: AcousticModels,
        memory: FlowReservation,
        speed: float,
        context: Sequence[int],
        record: ResumeRecord | None,
    ) -> SequenceStreams:
        """At the beginning of the sequence, or after what the record says is out. context: the last tokens of the
        sequence before. StreamError for a bad record."""
        flow = FlowStream(models.flow, memory.voice, memory, context=context)
        serving = models.config.serving
        keeps_energy, gain_db = serving.speed_keeps_energy, serving.speed_gain_db_per_octave
        if record is None or record.vocoder is None or record.speed is None:
            made = MelSpeed(speed, keeps_energy=keeps_energy, gain_db_per_octave=gain_db)
            return cls(flow, models.vocoder.open(), made)
        try:
            vocoder = models.vocoder.restore(record.vocoder)
            restored = MelSpeed.restore(
                record.speed, models.flow.device, keeps_energy=keeps_energy, gain_db_per_octave=gain_db
            )
        except StreamError:
            flow.close()
            raise
        return cls(flow, vocoder, restored, record.hop_tokens_done, record.sequence_samples)

    def catch_up(self, tokens: list[int], ahead: int) -> HopJob | None:
        """The next job for tokens whose sound is out; None when there are none left. `tokens`: the sequence's."""
        done = self.flow.tokens_done
        if done >= self.out_tokens:
            return None
        hop = min(self.flow.hop_tokens(_CATCH_UP_TOKENS), self.out_tokens - done)
        return self.flow.hop(tokens[done : done + hop + ahead], final=False)

    def next_hop(self, tokens: list[int], ahead: int, hop: HopPlan) -> HopJob:
        """The job for a hop. `tokens`: the sequence's."""
        end = hop.done + hop.tokens + (0 if hop.final else ahead)
        return self.flow.hop(tokens[hop.done : end], final=hop.final)
