"""What the acoustic process notes of an utterance's way, for traces. Pure: time is an argument."""

from __future__ import annotations

from rtserver.metrics.trace import Ring

# Euler steps that follow each other so closely are one piece of work.
_APART_S = 0.001


class Notes:
    """Its owner tells it what happens to an utterance, in order. A wait begins with what made the work possible: text,
    an answer of the talker, the hop before; or with the moment until which the work was paced."""

    def __init__(self, utterance: str, ring: Ring, now_s: float) -> None:
        """The utterance is opened now."""
        self._spans = ring.spans_of(utterance)
        # Since when a quantum, or a hop, could begin as far as its causes go.
        self._quantum_since_s = self._hop_since_s = now_s
        self._answered_s = now_s
        # Since when the talker wants text, and what ended that: when, with how many text ids; 0 for a closing.
        self._starved_since_s: float | None = None
        self._starved_until_s, self._text_ids = now_s, 0
        self._quantum = now_s, now_s, 0.0  # queued, sent, predicted
        self._tokens = 0
        self._hop_queued_s = now_s
        self._steps: tuple[float, float, float, float] | None = None  # queued, start, end, predicted

    # -- text -------------------------------------------------------------------------------------------------------

    def text(self, now_s: float, text_ids: int, *, speechless: bool) -> None:
        """Text, a flush or the end has come: there are this many text ids now. speechless: before, nothing could be
        sampled."""
        if speechless:
            self._wanted(now_s, text_ids)

    def closed(self, now_s: float) -> None:
        """The open sequence is closed for want of text."""
        self._wanted(now_s, 0)

    def _wanted(self, now_s: float, text_ids: int) -> None:
        if self._starved_since_s is None:
            self._starved_since_s = self._answered_s
        self._starved_until_s, self._text_ids = now_s, text_ids
        self._quantum_since_s = self._hop_since_s = now_s

    def _went_on(self) -> None:
        if self._starved_since_s is not None:
            since_s, until_s = self._starved_since_s, self._starved_until_s
            self._starved_since_s = None
            self._spans.append(("starved", since_s, since_s, until_s, 0.0, self._text_ids))

    def let_go(self, now_s: float) -> None:
        """The work was stopped, and may go on now."""
        self._quantum_since_s = self._hop_since_s = now_s

    # -- talker -----------------------------------------------------------------------------------------------------

    def quantum_sent(self, now_s: float, paced_until_s: float | None, predicted_s: float) -> None:
        """A quantum goes to the talker. paced_until_s: when its listener needed it; None for at once."""
        self._went_on()
        self._quantum = _could_begin(self._quantum_since_s, paced_until_s, now_s), now_s, predicted_s

    def quantum_answered(self, now_s: float, tokens: int) -> None:
        """Its speech tokens are there."""
        queued_s, sent_s, predicted_s = self._quantum
        self._tokens += tokens
        self._spans.append(("quantum", queued_s, sent_s, now_s, predicted_s, self._tokens))
        self._answered_s = self._quantum_since_s = self._hop_since_s = now_s

    # -- sound ------------------------------------------------------------------------------------------------------

    def hop_began(self, now_s: float, paced_until_s: float | None) -> None:
        """A hop can run. paced_until_s: as of a quantum."""
        if self._quantum_since_s > self._answered_s:  # text made the hop possible without another quantum
            self._went_on()
        self._hop_queued_s = _could_begin(self._hop_since_s, paced_until_s, now_s)

    def step(self, start_s: float, end_s: float, predicted_s: float) -> None:
        """The hop has advanced by an Euler step."""
        if self._steps is not None and start_s - self._steps[2] < _APART_S:
            queued_s, first_s, _, before_s = self._steps
            self._steps = queued_s, first_s, end_s, before_s + predicted_s
            return
        queued_s = self._hop_queued_s if self._steps is None else self._steps[2]
        self._note_steps()
        self._steps = queued_s, start_s, end_s, predicted_s

    def sounded(self, start_s: float, end_s: float, predicted_s: float, audio_s: float) -> None:
        """The vocoder has made the hop's samples: there are this many seconds of audio now."""
        queued_s = start_s if self._steps is None else self._steps[2]
        self.hop_over(end_s)
        self._spans.append(("vocoder", queued_s, start_s, end_s, predicted_s, audio_s))

    def hop_over(self, now_s: float) -> None:
        """The hop is over. Without `sounded`: its sound was out before a crash."""
        self._note_steps()
        self._steps = None
        self._hop_since_s = now_s

    def released(self, made_s: float, now_s: float, audio_s: float) -> None:
        """The first sound, of this many seconds, was kept back until now."""
        self._spans.append(("release", made_s, made_s, now_s, 0.0, audio_s))

    def _note_steps(self) -> None:
        if self._steps is not None:
            queued_s, start_s, end_s, predicted_s = self._steps
            self._spans.append(("flow", queued_s, start_s, end_s, predicted_s, 0.0))


def _could_begin(since_s: float, paced_until_s: float | None, now_s: float) -> float:
    return min(now_s, since_s if paced_until_s is None else max(since_s, paced_until_s))
