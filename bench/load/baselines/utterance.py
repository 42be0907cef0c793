"""One utterance as the original's runtime speaks it: what each hop computes again, and what was sent. No threads."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from cosyvoice.flow.voice import FlowVoice
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.engine.acoustic.text_plan import TextPlan, TextPolicy
from rtserver.engine.acoustic.utterance import sample_quantum
from rtserver.ipc.engine import Audio, Done, End, Feed, Flush, Flushed, Open
from rtserver.ipc.talker import SampleQuantum
from rtserver.schedule.playback import Playback
from rtserver.schedule.quanta import Quanta
from rtserver.schedule.timings import Timings

LONGEST_HOP_TOKENS = 100


@dataclass
class Ramp:
    """The hops of one sequence. Each is twice as long as the one before, up to LONGEST_HOP_TOKENS."""

    lookahead_tokens: int
    hop_tokens: int = 25
    # Tokens that have become sound.
    done: int = 0

    @property
    def wanted(self) -> int:
        """Tokens that the next hop needs."""
        return self.done + self.hop_tokens + self.lookahead_tokens

    def next(self, tokens: int, *, complete: bool) -> tuple[int, bool] | None:
        """How many tokens of the sequence (from the first one on) the flow computes next, and whether that is the end.
        None if there are too few tokens. `complete`: no more tokens will come."""
        if tokens >= self.wanted:
            return self.wanted, False
        return (tokens, True) if complete else None

    def advance(self) -> None:
        """A hop that is not the last has been computed."""
        self.done += self.hop_tokens
        self.hop_tokens = min(LONGEST_HOP_TOKENS, 2 * self.hop_tokens)


@dataclass(frozen=True)
class Call:
    """One call of flow and vocoder."""

    # All tokens of a sequence so far.
    tokens: list[int]
    # The mel that is kept from the calls before.
    mel: Tensor
    final: bool


class OriginalUtterance:
    """The owner samples quanta and makes the calls, and says when its turn has come. Times are of the owner's clock."""

    def __init__(self, request: Open, models: AcousticModels, now_s: float) -> None:
        """Raises VoiceError and ValueError for impossible requests, and for those that the original cannot stream."""
        if request.speed != 1.0 or request.target_s is not None or request.source_audio is not None:
            raise ValueError("the original's policy: expected text at its own speed, found a speed, length or source")
        models.voices.check(request)
        if models.voices.missing(request):
            raise ValueError("the original's policy: expected a voice that is prepared, found one that is not")
        self.name = request.utterance
        self.cancelled = False
        self.held = False
        self.voice = voice = models.voices.voice(request)
        # A prompt of whole chunks. With any other prompt the original's first hop is up to 24 tokens longer.
        self.flow_voice = whole_chunks(voice.flow, models.flow.config.chunk_tokens)
        self._models = models
        policy = TextPolicy.of(models.config, streaming=request.streaming)
        prompt = voice.talker_prompt(streaming=request.streaming)
        self.utterance = TextPlan(models.config.talker, prompt, policy, request.seed)
        self.seconds, self.playback = Timings(opened=now_s), Playback()
        self.quanta = Quanta(self.utterance)
        self._flushes: deque[tuple[int, str]] = deque()  # number of sequences before each flush, and its id
        self._samples = 0
        self._sequence = -1
        self._calling = False
        self._begin_sequence()

    def _begin_sequence(self) -> None:
        self._sequence += 1
        self._ramp = Ramp(self._models.flow.config.lookahead_tokens)
        self._mel = torch.zeros(self._models.flow.config.mel_bins, 0)
        self._sequence_samples = 0

    # -- text and talker --------------------------------------------------------------------------------------------

    def tell(self, message: Feed | Flush | End, now_s: float) -> None:
        """More text, or its end."""
        busy = self.quanta.waiting is not None or self._calling or self._next_hop() is not None
        self.seconds.text(now_s, idle=not busy and self.utterance.speechless)
        self.quanta.changed()
        match message:
            case Feed(_, segments):
                self.utterance.feed(segments)
            case Flush(_, flush_id):
                self._flushes.append((self.utterance.close(), flush_id))
            case End():
                self.utterance.end()

    def hold(self, on: bool) -> None:
        """While `on`, the client does not read, and no calls are made."""
        self.held = on

    def next_sample(self, now_s: float) -> SampleQuantum | None:
        """The quantum for the talker. It comes as soon as the one before has been answered."""
        quantum, seed = self.quanta.next(self._quantum_tokens), self.utterance.quantum_seed
        return None if quantum is None else sample_quantum(self.name, self.quanta.sent(now_s), quantum, seed)

    def _quantum_tokens(self) -> int:
        """The tokens that the next hop still needs, so that it does not wait for more."""
        spoken, hop_tokens = self.utterance.spoken, self._models.config.serving.hop_tokens
        if self._sequence < len(spoken) and not spoken[self._sequence].complete:
            missing = self._ramp.wanted - len(spoken[self._sequence].flow_tokens)
            return missing if missing > 0 else hop_tokens
        return hop_tokens

    # -- flow and vocoder -------------------------------------------------------------------------------------------

    def _next_hop(self) -> tuple[int, bool] | None:
        """The result of `Ramp.next`. Skips sequences in which the talker said nothing."""
        spoken = self.utterance.spoken
        while self._sequence < len(spoken):
            current = spoken[self._sequence]
            if current.flow_tokens or not current.complete:
                return self._ramp.next(len(current.flow_tokens), complete=current.complete)
            self._begin_sequence()
        return None

    def next_call(self, *, only_last: bool) -> Call | None:
        """The next call of flow and vocoder. None while tokens are missing, or while the client does not read.
        `only_last`: None also for a hop that is not the last."""
        hop = self._next_hop()
        if hop is None or self.held or (only_last and not hop[1]):
            return None
        tokens, final = hop
        if not final:
            self._ramp.advance()
        self._calling = True
        return Call(self.utterance.spoken[self._sequence].flow_tokens[:tokens], self._mel, final)

    def called(self, call: Call, mel: Tensor, wave: Tensor, now_s: float) -> list[Audio]:
        """Takes the result of a call: all mel and all samples of the sequence so far."""
        self._calling = False
        self._mel = mel
        new = wave[self._sequence_samples :]
        self._sequence_samples = wave.numel()
        audio = self._audio(new, now_s) if new.numel() else []
        if call.final:
            self._begin_sequence()
        return audio

    def _audio(self, new: Tensor, now_s: float) -> list[Audio]:
        rate, token_rate_hz = self._models.config.sample_rate, self._models.config.token_rate_hz
        dry_at_s, seconds = self.playback.dry_at_s, new.numel() / rate
        self.seconds.audio(now_s, gap_s=self.playback.sent(seconds, now_s), dry_at_s=dry_at_s)
        pcm = (new * 32767.0).round_().to(torch.int16).cpu().numpy().astype("<i2").tobytes()
        position = self.utterance.text_position(self._sequence, self._sequence_samples / rate * token_rate_hz)
        audio = Audio(self.name, pcm, self._samples / rate, self.utterance.tokens, position)
        self._samples += new.numel()
        return [audio]

    # -- ends -------------------------------------------------------------------------------------------------------

    def flushed(self) -> list[Flushed]:
        """The flushes whose text has now become samples."""
        answers = []
        while self._flushes and self._sequence >= self._flushes[0][0]:
            answers.append(Flushed(self.name, self._flushes.popleft()[1], self._audio_s))
        return answers

    @property
    def complete(self) -> bool:
        """True when every sequence has become samples."""
        return self.utterance.complete and not self._calling and self._sequence >= len(self.utterance.spoken)

    def done(self, now_s: float) -> Done:
        """The last event."""
        u = self.utterance
        parts = {"audio": self._audio_s, **self.seconds.told(now_s)}
        return Done(self.name, u.text_ids, u.speech_tokens, len(u.spoken), u.truncated, parts)

    @property
    def _audio_s(self) -> float:
        return self._samples / self._models.config.sample_rate


def whole_chunks(voice: FlowVoice, chunk_tokens: int) -> FlowVoice:
    """The voice with its prompt cut at the start, so that it ends at the end of a chunk."""
    cut = len(voice.tokens) % chunk_tokens
    frames = voice.mel.shape[0] // max(1, len(voice.tokens)) * cut
    return replace(voice, tokens=voice.tokens[cut:], mel=voice.mel[frames:])
