"""What the acoustic process notes of an utterance's way."""

from __future__ import annotations

from rtserver.engine.acoustic.notes import Notes
from rtserver.ipc.tracing import Span
from rtserver.metrics.trace import Ring


class Noted(Notes):
    """Notes of the utterance u_1, in a ring of its own."""

    def __init__(self, now_s: float = 0.0) -> None:
        self.ring = Ring(clock=lambda: 0.0)
        super().__init__("u_1", self.ring, now_s)

    @property
    def spans(self) -> list[Span]:
        return self.ring.traced("acoustic", "u_1").spans


def test_a_quantum_waits_from_the_last_answer() -> None:
    """Or from the moment until which it was paced, if that is later."""
    notes = Noted()
    notes.quantum_sent(1.0, None, 0.1)
    notes.quantum_answered(1.2, 12)
    notes.quantum_sent(1.5, None, 0.1)
    notes.quantum_answered(1.7, 8)
    notes.quantum_sent(5.0, 4.9, 0.1)
    notes.quantum_answered(5.1, 8)
    assert notes.spans == [
        Span("u_1", "quantum", 0.0, 1.0, 1.2, 0.1, 12),
        Span("u_1", "quantum", 1.2, 1.5, 1.7, 0.1, 20),
        Span("u_1", "quantum", 4.9, 5.0, 5.1, 0.1, 28),
    ]


def test_the_talker_wants_text_until_it_can_go_on() -> None:
    """From its last answer to the text that let it sample again, however often some came that did not."""
    notes = Noted()
    notes.text(1.0, 6, speechless=True)
    notes.quantum_sent(1.0, None, 0.1)
    notes.text(1.1, 8, speechless=False)  # comes before it is wanted
    notes.quantum_answered(1.2, 12)
    notes.text(2.0, 9, speechless=True)
    notes.text(3.0, 14, speechless=True)
    notes.quantum_sent(3.1, None, 0.1)
    assert [s for s in notes.spans if s.stage == "starved"] == [
        Span("u_1", "starved", 0.0, 0.0, 1.0, 0.0, 6),
        Span("u_1", "starved", 1.2, 1.2, 3.0, 0.0, 14),
    ]
    notes.quantum_answered(3.2, 12)
    assert notes.spans[-1] == Span("u_1", "quantum", 3.0, 3.1, 3.2, 0.1, 24)


def test_a_sequence_that_is_closed_wants_text_until_then() -> None:
    """No text ended the wait."""
    notes = Noted()
    notes.quantum_sent(1.0, None, 0.1)
    notes.quantum_answered(1.2, 12)
    notes.closed(2.0)
    notes.quantum_sent(2.0, None, 0.1)
    assert notes.spans[-1] == Span("u_1", "starved", 1.2, 1.2, 2.0, 0.0, 0)


def test_text_may_make_a_hop_possible_without_a_quantum() -> None:
    """Its end, when all tokens were sampled."""
    notes = Noted()
    notes.quantum_sent(1.0, None, 0.1)
    notes.quantum_answered(1.2, 12)
    notes.text(2.0, 12, speechless=True)
    notes.hop_began(2.1, None)
    notes.step(2.2, 2.3, 0.1)
    notes.hop_over(2.3)
    assert notes.spans[-2:] == [
        Span("u_1", "starved", 1.2, 1.2, 2.0, 0.0, 12),
        Span("u_1", "flow", 2.0, 2.2, 2.3, 0.1),
    ]


def test_steps_that_follow_each_other_are_one_piece() -> None:
    """Between others' steps it waits; the vocoder follows."""
    notes = Noted()
    notes.quantum_answered(1.0, 12)
    notes.hop_began(1.1, None)
    notes.step(1.2, 1.3, 0.1)
    notes.step(1.3, 1.45, 0.1)
    notes.step(1.8, 1.9, 0.05)
    notes.sounded(1.9, 1.95, 0.04, 0.48)
    notes.quantum_answered(1.92, 25)
    notes.hop_began(2.0, None)
    notes.step(2.0, 2.1, 0.1)
    notes.sounded(2.1, 2.2, 0.04, 1.48)
    assert [s for s in notes.spans if s.stage != "quantum"] == [
        Span("u_1", "flow", 1.0, 1.2, 1.45, 0.2),
        Span("u_1", "flow", 1.45, 1.8, 1.9, 0.05),
        Span("u_1", "vocoder", 1.9, 1.9, 1.95, 0.04, 0.48),
        Span("u_1", "flow", 1.92, 2.0, 2.1, 0.1),
        Span("u_1", "vocoder", 2.1, 2.1, 2.2, 0.04, 1.48),
    ]


def test_work_that_was_stopped_waits_from_when_it_may_go_on() -> None:
    """A client that does not read makes no queue."""
    notes = Noted()
    notes.quantum_answered(1.0, 12)
    notes.let_go(9.0)
    notes.hop_began(9.1, None)
    notes.step(9.2, 9.3, 0.1)
    notes.hop_over(9.3)
    assert notes.spans[-1] == Span("u_1", "flow", 9.0, 9.2, 9.3, 0.1)


def test_a_first_sound_that_is_kept_back_is_noted() -> None:
    """From when it was made to when it went out."""
    notes = Noted()
    notes.released(1.0, 1.4, 0.48)
    assert notes.spans == [Span("u_1", "release", 1.0, 1.0, 1.4, 0.0, 0.48)]
