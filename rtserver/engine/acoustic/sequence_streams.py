"""The streams that turn one sequence's speech tokens into samples."""

from __future__ import annotations

from dataclasses import dataclass

from cosyvoice.errors import StreamError
from cosyvoice.flow.hop import HopJob
from cosyvoice.flow.reservation import FlowReservation
from cosyvoice.flow.stream import FlowStream
from cosyvoice.vocoder.speed import MelSpeed
from cosyvoice.vocoder.stream import VocoderStream
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.resume import ResumeRecord

# Tokens that one job computes again after a crash: a job is not interrupted inside a step.
_CATCH_UP_TOKENS = 100


@dataclass
class SequenceStreams:
    """behind: flow tokens that are out already and whose keys and values are to be computed again. samples: put out so
    far. final: the hop under way is the last."""

    flow: FlowStream
    vocoder: VocoderStream
    speed: MelSpeed
    behind: int = 0
    samples: int = 0
    final: bool = False

    @classmethod
    def open(
        cls, models: AcousticModels, memory: FlowReservation, speed: float, record: ResumeRecord | None
    ) -> SequenceStreams:
        """At the sequence's beginning, or behind what the record says is out. StreamError for a bad record."""
        flow = FlowStream(models.flow, memory.voice, memory)
        if record is None or record.vocoder is None or record.speed is None:
            return cls(flow, models.vocoder.open(), MelSpeed(speed))
        try:
            vocoder = models.vocoder.restore(record.vocoder)
            restored = MelSpeed.restore(record.speed, models.flow.device)
        except StreamError:
            flow.close()
            raise
        return cls(flow, vocoder, restored, record.hop_tokens_done, record.sequence_samples)

    def next_hop(self, tokens: list[int], ahead: int, *, complete: bool) -> HopJob:
        """The job for the next of the sequence's tokens, of which there are enough."""
        done = self.flow.tokens_done
        if done < self.behind:
            hop = min(self.flow.hop_tokens(_CATCH_UP_TOKENS), self.behind - done)
            return self.flow.hop(tokens[done : done + hop + ahead], final=False)
        cut = self.flow.hop_tokens() + ahead
        self.final = complete and len(tokens) - done <= cut
        return self.flow.hop(tokens[done:] if self.final else tokens[done : done + cut], final=self.final)
