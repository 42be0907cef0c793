"""Word times while an utterance is spoken: its speech tokens through the checkpoint's aligner, hop by hop."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from cosyvoice.config import ModelConfig
from cosyvoice.frontend.phoneme_ids import PhonemeEncoder
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.talker.aligner import SLOTS_PER_TOKEN, Aligner, AlignerStream, load_aligner
from rtserver.engine.acoustic.text_plan import PlannedSequence, TextPlan
from rtserver.engine.acoustic.text_times import Place, TextTimes
from rtserver.ipc.reading import Segment


@dataclass(frozen=True)
class WordAligner:
    """A checkpoint's aligner, and what is needed to read it. It runs on the CPU, whatever the device of flow and
    vocoder is: it takes a few milliseconds a hop."""

    network: Aligner
    sounding: Set[int]
    slot_s: float
    shift_s: float

    @classmethod
    def load(cls, config: ModelConfig, tokenizer: Tokenizer) -> WordAligner | None:
        """None when the model directory has no aligner. Raises CheckpointError for one that does not fit."""
        network = load_aligner(config)
        if network is None:
            return None
        assert isinstance(tokenizer.encoder, PhonemeEncoder), "load_aligner checks"
        slot_s = 1 / config.token_rate_hz / SLOTS_PER_TOKEN
        return cls(network, tokenizer.encoder.sounding, slot_s, config.serving.aligner_shift_s)


class UtteranceTimes:
    """The word times of one utterance. told: how many of its ids had their time before a crash."""

    def __init__(self, aligner: WordAligner, utterance: TextPlan, told: int = 0) -> None:
        self._aligner = aligner
        self._utterance = utterance
        self._times = TextTimes(aligner.sounding, slot_s=aligner.slot_s, shift_s=aligner.shift_s, told=told)
        self._sequence: int | None = None

    @classmethod
    def of(cls, aligner: WordAligner | None, speech: object, told: int) -> UtteranceTimes | None:
        """None where there is no aligner, or no text."""
        return cls(aligner, speech, told) if aligner is not None and isinstance(speech, TextPlan) else None

    @property
    def told(self) -> int:
        """Ids that have a time."""
        return self._times.told

    def feed(self, segments: Sequence[Segment]) -> None:
        for segment in segments:
            self._times.feed(segment.ids)

    def hear(self, sequence: int, tokens_done: int, place: Place) -> tuple[int, list[float]]:
        """The sound of a sequence's tokens up to `tokens_done`, or of all of them when it is the last. Returns the
        first id that had no time yet, and when the ids from it on begin, for those that begin in this sound."""
        spoken = self._utterance.spoken[sequence]
        assert isinstance(spoken, PlannedSequence), "a silence has no hops"
        if sequence != self._sequence:
            self._sequence, self._stream = sequence, AlignerStream(self._aligner.network)
            self._times.begin(spoken.ids_before)
        done = len(spoken.flow_tokens) if place.final else tokens_done
        log_probs = self._stream.feed(spoken.flow_tokens, done, final=place.final)
        first_id = self._times.told
        return first_id, self._times.hear(spoken.ids_before + spoken.fed_ids, log_probs, place)
