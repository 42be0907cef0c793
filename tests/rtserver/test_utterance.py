"""Text to sequences to speech tokens, without a model."""

import pytest

from cosyvoice.config import TalkerConfig
from cosyvoice.talker.layout import Finish, Limits, TalkerPrompt
from rtserver.messages import Segment
from rtserver.utterance import TextPolicy, Utterance

TALKER = TalkerConfig(
    hidden=8, layers=1, heads=2, kv_heads=1, ffn=8, text_rows=100, speech_tokens=50, head_rows=60, mix_ratio=(5, 15)
)
PROMPT = TalkerPrompt((9,), (1, 2), (3, 4, 5))


def policy(streaming: bool = False, max_tokens: int = 100, silent: tuple[int, ...] = ()) -> TextPolicy:
    return TextPolicy(Limits(0, 20, max_tokens), 2.0, silent, 2, streaming)


def sentence(n: int) -> Segment:
    return Segment(list(range(n)), 0, True)


def drive(utterance: Utterance, tokens_per_sequence: int) -> int:
    """Ends every sequence after the given number of tokens; returns the number of quanta."""
    quanta = 0
    while (quantum := utterance.next_quantum(1000)) is not None:
        quanta += 1
        utterance.accept([*([7] * min(tokens_per_sequence, quantum.max_tokens - 1)), TALKER.eos])
    return quanta


def test_one_short_text_is_one_sequence() -> None:
    """A text within the bound is spoken by one sequence that holds all of it."""
    utterance = Utterance(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([sentence(5), sentence(6)])
    assert utterance.next_quantum(10) is None
    utterance.end()
    assert drive(utterance, 20) == 1
    assert utterance.complete and utterance.text_ids == 11 and utterance.speech_tokens == [7] * 20


def test_long_text_is_cut_at_sentence_ends() -> None:
    """Every sequence's predicted length is within the bound and no sentence is split."""
    utterance = Utterance(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([sentence(n) for n in (20, 20, 30, 10, 10, 40)])
    utterance.end()
    sizes = [s.sequence.text_ids for s in utterance.spoken]
    assert sizes == [40, 30, 20, 40]
    assert all(size * 2.0 <= 100 for size in sizes)
    assert drive(utterance, 5) == len(sizes)


def test_a_sentence_beyond_the_bound_is_cut_at_its_clauses() -> None:
    """Clauses of one long sentence are spread over sequences when they must be."""
    utterance = Utterance(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([Segment(list(range(30)), 0, False), Segment(list(range(30)), 0, True)])
    utterance.end()
    assert [s.sequence.text_ids for s in utterance.spoken] == [30, 30]


def test_joining_ids_go_where_a_sequence_begins() -> None:
    """The space that joins a clause to the text before it is not spoken at a sequence's start."""
    utterance = Utterance(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([Segment([50, 1, 2], 1, False), Segment([50, 3], 1, True), Segment([50, *[4] * 48], 1, True)])
    first, second = (s.sequence for s in utterance.spoken)
    utterance.end()
    assert (first.text_ids, second.text_ids) == (4, 48)


def test_sequences_draw_with_their_own_seeds() -> None:
    """The first sequence draws with the utterance's seed, later ones with others."""
    utterance = Utterance(TALKER, PROMPT, policy(), seed=5)
    utterance.feed([sentence(30), sentence(30)])
    utterance.end()
    assert utterance.quantum_seed == 5
    quantum = utterance.next_quantum(10)
    assert quantum is not None
    utterance.accept([1, TALKER.eos])
    assert utterance.quantum_seed != 5


def test_streaming_speaks_before_the_end() -> None:
    """A streaming utterance has a quantum once its first block of text is there."""
    utterance = Utterance(TALKER, PROMPT, policy(streaming=True), seed=1)
    utterance.feed([Segment([1, 2], 0, False)])
    assert utterance.next_quantum(10) is None
    utterance.feed([Segment([3, 4], 0, False)])
    assert utterance.next_quantum(10) is not None and not utterance.ended


def test_silence_is_cut_for_the_flow_only() -> None:
    """Runs of silent tokens are shortened for the flow and kept in the talker's context."""
    utterance = Utterance(TALKER, PROMPT, policy(silent=(7,)), seed=1)
    utterance.feed([sentence(5)])
    utterance.end()
    utterance.next_quantum(50)
    utterance.accept([7, 7, 7, 8, 7, 7, 7, 7, TALKER.eos])
    assert utterance.spoken[0].flow_tokens == [7, 7, 8, 7, 7]
    assert utterance.speech_tokens == [7, 7, 7, 8, 7, 7, 7, 7]


def test_truncation_is_reported() -> None:
    """A talker that does not end is stopped at the maximum, and this shows."""
    utterance = Utterance(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([sentence(2)])
    utterance.end()
    while (quantum := utterance.next_quantum(15)) is not None:
        utterance.accept([1] * quantum.max_tokens)
    assert utterance.truncated and utterance.complete and len(utterance.speech_tokens) == 40
    assert utterance.spoken[0].sequence.finish is Finish.LENGTH


def test_no_text_is_complete_at_once() -> None:
    """An utterance without text ends without a sequence."""
    utterance = Utterance(TALKER, PROMPT, policy(), seed=1)
    utterance.end()
    assert utterance.complete and utterance.next_quantum(5) is None


def test_text_after_the_end_is_refused() -> None:
    """Feeding an ended utterance is an error of the caller."""
    utterance = Utterance(TALKER, PROMPT, policy(), seed=1)
    utterance.end()
    with pytest.raises(ValueError, match="after the end"):
        utterance.feed([sentence(1)])
