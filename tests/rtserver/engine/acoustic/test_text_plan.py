"""Text to sequences to speech tokens, without a model."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.config import TalkerConfig
from cosyvoice.talker.layout import Finish, LengthLimits, TalkerPrompt
from rtserver.engine.acoustic.text_plan import History, TextPlan, TextPolicy
from rtserver.ipc.reading import Segment

TALKER = TalkerConfig(
    hidden=8, layers=1, heads=2, kv_heads=1, ffn=8, text_rows=100, speech_tokens=50, head_rows=60, mix_ratio=(5, 15)
)
PROMPT = TalkerPrompt((9,), (1, 2), (3, 4, 5))


def policy(
    streaming: bool = False, max_tokens: int = 100, silent: tuple[int, ...] = (), closing: tuple[int, ...] = ()
) -> TextPolicy:
    return TextPolicy(LengthLimits(0, 20, max_tokens), max_tokens, 2.0, silent, 2, closing, streaming)


def sentence(n: int) -> Segment:
    return Segment(list(range(n)), 0, True)


def silence(silence_ms: int) -> Segment:
    return Segment([], 0, False, silence_ms=silence_ms)


def drive(utterance: TextPlan, tokens_per_sequence: int) -> int:
    """Ends every sequence after the given number of tokens; returns the number of quanta."""
    quanta = 0
    while (quantum := utterance.next_quantum(1000)) is not None:
        quanta += 1
        utterance.accept([*([7] * min(tokens_per_sequence, quantum.max_tokens - 1)), TALKER.eos])
    return quanta


def test_one_short_text_is_one_sequence() -> None:
    """A text within the bound is spoken by one sequence that holds all of it."""
    utterance = TextPlan(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([sentence(5), sentence(6)])
    assert utterance.next_quantum(10) is None
    utterance.end()
    assert drive(utterance, 20) == 1
    assert utterance.complete and utterance.text_ids == 11 and utterance.speech_tokens == [7] * 20


def test_long_text_is_cut_at_sentence_ends() -> None:
    """Every sequence's predicted length is within the bound and no sentence is split."""
    utterance = TextPlan(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([sentence(n) for n in (20, 20, 30, 10, 10, 40)])
    utterance.end()
    sizes = [s.sequence.text_ids for s in utterance.sequences]
    assert sizes == [40, 30, 20, 40]
    assert all(size * 2.0 <= 100 for size in sizes)
    assert drive(utterance, 5) == len(sizes)


def test_text_is_cut_before_what_a_sequence_may_say() -> None:
    """Two sentences that would fit the bound are two sequences where sequences shall be shorter; each may say as much
    as the bound."""
    utterance = TextPlan(TALKER, PROMPT, replace(policy(), sequence_tokens=40), seed=1)
    utterance.feed([sentence(20), sentence(20)])
    utterance.end()
    assert [s.sequence.text_ids for s in utterance.sequences] == [20, 20]
    assert utterance.sequences[0].sequence.limits.max_tokens == 100


def test_a_sentence_beyond_the_bound_is_cut_at_its_clauses() -> None:
    """Clauses of one long sentence are spread over sequences when they must be."""
    utterance = TextPlan(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([Segment(list(range(30)), 0, False), Segment(list(range(30)), 0, True)])
    utterance.end()
    assert [s.sequence.text_ids for s in utterance.sequences] == [30, 30]


def test_joining_ids_go_where_a_sequence_begins() -> None:
    """The space that joins a clause to the text before it is not spoken at a sequence's start."""
    utterance = TextPlan(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([Segment([50, 1, 2], 1, False), Segment([50, 3], 1, True), Segment([50, *[4] * 48], 1, True)])
    first, second = (s.sequence for s in utterance.sequences)
    utterance.end()
    assert (first.text_ids, second.text_ids) == (4, 48)


def test_sequences_draw_with_their_own_seeds() -> None:
    """The first sequence draws with the utterance's seed, later ones with others."""
    utterance = TextPlan(TALKER, PROMPT, policy(), seed=5)
    utterance.feed([sentence(30), sentence(30)])
    utterance.end()
    assert utterance.quantum_seed == 5
    quantum = utterance.next_quantum(10)
    assert quantum is not None
    utterance.accept([1, TALKER.eos])
    assert utterance.quantum_seed != 5


def test_streaming_speaks_before_the_end() -> None:
    """A streaming utterance has a quantum once its first block of text is there."""
    utterance = TextPlan(TALKER, PROMPT, policy(streaming=True), seed=1)
    utterance.feed([Segment([1, 2], 0, False)])
    assert utterance.next_quantum(10) is None
    utterance.feed([Segment([3, 4], 0, False)])
    assert utterance.next_quantum(10) is not None and not utterance.ended


def test_silence_is_cut_for_the_flow_only() -> None:
    """Runs of silent tokens are shortened for the flow and kept in the talker's context."""
    utterance = TextPlan(TALKER, PROMPT, policy(silent=(7,)), seed=1)
    utterance.feed([sentence(5)])
    utterance.end()
    utterance.next_quantum(50)
    utterance.accept([7, 7, 7, 8, 7, 7, 7, 7, TALKER.eos])
    assert utterance.spoken[0].flow_tokens == [7, 7, 8, 7, 7]
    assert utterance.speech_tokens == [7, 7, 7, 8, 7, 7, 7, 7]


def test_speech_that_ends_closes_with_silence_for_the_flow() -> None:
    """The flow gets the closing silence once, when the talker has ended; a sequence without speech gets none."""
    utterance = TextPlan(TALKER, PROMPT, policy(closing=(7, 9)), seed=1)
    utterance.feed([sentence(60)])
    utterance.close()
    utterance.feed([sentence(40)])
    utterance.end()
    utterance.next_quantum(50)
    utterance.accept([1, 2])
    assert utterance.spoken[0].flow_tokens == [1, 2]
    utterance.next_quantum(50)
    utterance.accept([3, TALKER.eos])
    utterance.next_quantum(50)
    utterance.accept([TALKER.eos])
    for _ in range(2):
        assert [s.flow_tokens for s in utterance.spoken] == [[1, 2, 3, 7, 9], []]
    assert utterance.complete and utterance.speech_tokens == [1, 2, 3] and utterance.tokens == 3


def test_a_text_that_is_cut_for_length_goes_on_without_silence() -> None:
    """Only the last of the sequences closes, and one that is cut at its maximum."""
    utterance = TextPlan(TALKER, PROMPT, policy(closing=(7, 9)), seed=1)
    utterance.feed([sentence(40), sentence(40), sentence(40)])
    utterance.end()
    utterance.next_quantum(50)
    utterance.accept([1, TALKER.eos])
    utterance.next_quantum(100)
    utterance.accept([3] * 100)
    utterance.next_quantum(50)
    utterance.accept([2, TALKER.eos])
    assert [s.flow_tokens for s in utterance.spoken] == [[1], [*[3] * 100, 7, 9], [2, 7, 9]]


def test_the_flow_sees_the_end_of_the_sequence_that_goes_on() -> None:
    """Not after a flush, not after a sequence that is shorter than the context, and not where none is asked for."""
    utterance = TextPlan(TALKER, PROMPT, policy(closing=(7, 9)), seed=1)
    utterance.feed([sentence(40), sentence(40), sentence(40)])
    utterance.close()
    utterance.feed([sentence(40)])
    utterance.end()
    for spoken in ([3, 4, 5], [6], [7, 7, 7], [8, 8]):
        utterance.next_quantum(50)
        utterance.accept([*spoken, TALKER.eos])
    assert [utterance.flow_context(number, 2) for number in range(4)] == [[], [4, 5], [], []]
    assert [utterance.flow_context(number, 0) for number in range(4)] == [[], [], [], []]


def test_a_sequence_that_is_cut_at_its_maximum_closes_with_silence() -> None:
    """Also when the maximum is known only after the speech, because more text could have come."""
    utterance = TextPlan(TALKER, PROMPT, policy(streaming=True, closing=(7, 9)), seed=1)
    utterance.feed([Segment([1] * 5, 0, True)])
    assert utterance.next_quantum(100) is not None
    utterance.accept([3] * 12)
    utterance.end()
    while (quantum := utterance.next_quantum(200)) is not None:
        utterance.accept([3] * quantum.max_tokens)
    assert utterance.truncated
    assert utterance.spoken[0].flow_tokens == [*[3] * 100, 7, 9]


def test_truncation_is_reported() -> None:
    """A talker that does not end is stopped at the maximum, and this shows."""
    utterance = TextPlan(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([sentence(2)])
    utterance.end()
    while (quantum := utterance.next_quantum(15)) is not None:
        utterance.accept([1] * quantum.max_tokens)
    assert utterance.truncated and utterance.complete and len(utterance.speech_tokens) == 40
    assert utterance.sequences[0].sequence.finish is Finish.LENGTH


def test_no_text_is_complete_at_once() -> None:
    """An utterance without text ends without a sequence."""
    utterance = TextPlan(TALKER, PROMPT, policy(), seed=1)
    utterance.end()
    assert utterance.complete and utterance.next_quantum(5) is None


def test_text_after_the_end_is_refused() -> None:
    """Feeding an ended utterance is an error of the caller."""
    utterance = TextPlan(TALKER, PROMPT, policy(), seed=1)
    utterance.end()
    with pytest.raises(ValueError, match="after the end"):
        utterance.feed([sentence(1)])


def test_a_closed_sequence_is_followed_by_a_new_one() -> None:
    """Text after a close begins a sequence; a close without new text changes nothing."""
    utterance = TextPlan(TALKER, PROMPT, policy(streaming=True), seed=1)
    assert utterance.close() == 0
    utterance.feed([Segment([1, 2], 0, False)])
    assert utterance.close() == 1 and utterance.close() == 1
    utterance.feed([Segment([3, 4], 1, False)])
    utterance.end()
    assert [s.sequence.text_ids for s in utterance.sequences] == [2, 1]


def test_starving_is_waiting_for_text() -> None:
    """A streaming utterance starves between its blocks and with too little text; one without text, or closed, does
    not; one that does not stream never does."""
    utterance = TextPlan(TALKER, PROMPT, policy(streaming=True), seed=1)
    assert not utterance.starving and utterance.speechless
    utterance.feed([Segment([1, 2], 0, False)])
    assert utterance.starving and utterance.speechless
    utterance.feed([Segment([3], 0, False)])
    assert not utterance.starving and not utterance.speechless
    quantum = utterance.next_quantum(100)
    assert quantum is not None
    utterance.accept([7] * quantum.max_tokens)
    assert utterance.starving
    utterance.starve()
    assert not utterance.starving and not utterance.speechless
    utterance.next_quantum(100)
    utterance.accept([TALKER.eos])
    assert utterance.speechless and not utterance.complete
    whole = TextPlan(TALKER, PROMPT, policy(), seed=1)
    whole.feed([sentence(3)])
    assert not whole.starving and not whole.speechless


def test_a_sequence_that_is_closed_for_want_of_text_gets_a_full_stop() -> None:
    """That of its last segment; its ids are no text that was fed. Another end adds none."""
    plans = []
    for end in (TextPlan.starve, TextPlan.close):
        plan = TextPlan(TALKER, PROMPT, policy(streaming=True), seed=1)
        plan.feed([Segment([1], 0, False, full_stop_ids=[8]), Segment([2], 0, False, full_stop_ids=[9])])
        end(plan)
        quantum = plan.next_quantum(100)
        assert quantum is not None
        plans.append([i - TALKER.head_rows for i in quantum.ids if i >= TALKER.head_rows][-3:])
        assert plan.sequences[0].fed_ids == 2
    assert plans[0] == [1, 2, 9] and plans[1][-2:] == [1, 2]


def test_text_positions_grow_to_all_ids() -> None:
    """The position counts the ids of earlier sequences, the ones that only join too, and ends with all of them."""
    utterance = TextPlan(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([Segment([50, *[1] * 29], 1, True), Segment([50, *[2] * 29], 1, True)])
    utterance.end()
    assert utterance.text_position(0, 0) == 0
    assert utterance.text_position(0, 30) == pytest.approx(15)  # predicted: two tokens an id
    drive(utterance, 40)
    assert utterance.text_position(0, 20) == pytest.approx(15)
    assert utterance.text_position(0, 40) == 30 and utterance.text_position(1, 40) == 60


def test_a_silence_ends_a_sequence() -> None:
    """The next text begins another, without the ids that only join. The speech before it closes with silence of its
    own."""
    utterance = TextPlan(TALKER, PROMPT, policy(closing=(8, 9)), seed=1)
    utterance.feed([silence(200), Segment([1, 2], 1, False), silence(500), silence(300), Segment([1, 2, 3], 1, True)])
    utterance.end()
    assert [s.silence_ms for s in utterance.spoken] == [200, 0, 500, 300, 0]
    assert [s.sequence.text_ids for s in utterance.sequences] == [1, 2]
    assert drive(utterance, 4) == 2
    assert [s.flow_tokens for s in utterance.sequences] == [[7] * 4 + [8, 9]] * 2
    assert [utterance.text_position(i, 100) for i in range(5)] == [0, 2, 2, 2, 5]
    assert [utterance.flow_context(i, 1) for i in range(5)] == [[]] * 5


def test_a_rate_of_its_own_is_a_sequence_of_its_own() -> None:
    """It begins where the rate changes, and closes with silence as at the end of a clause. The same rate goes on."""
    utterance = TextPlan(TALKER, PROMPT, policy(closing=(8, 9)), seed=1)
    slow = Segment([1, 2], 1, False, rate=0.8)
    utterance.feed([Segment([1, 2, 3], 1, False), slow, slow, Segment([1, 2, 3, 4, 5], 1, True)])
    utterance.end()
    assert [(s.rate, s.sequence.text_ids) for s in utterance.sequences] == [(1.0, 2), (0.8, 3), (1.0, 4)]
    drive(utterance, 4)
    assert [s.flow_tokens[4:] for s in utterance.sequences] == [[8, 9]] * 3
    assert [utterance.flow_context(i, 2) for i in range(3)] == [[], [], []]


def test_a_long_silence_is_cut() -> None:
    """A listener does not get ten seconds of it at once."""
    utterance = TextPlan(TALKER, PROMPT, policy(), seed=1)
    utterance.feed([silence(2600)])
    assert [s.silence_ms for s in utterance.spoken] == [1000, 1000, 600]
    utterance.end()
    assert utterance.complete and not utterance.truncated and utterance.text_ids == 0


def test_a_silence_lets_speech_begin_while_text_comes() -> None:
    """What comes before it is spoken at once: it needs no more text."""
    utterance = TextPlan(TALKER, PROMPT, policy(streaming=True), seed=1)
    utterance.feed([Segment([1, 2], 0, False)])
    assert utterance.starving
    utterance.feed([silence(500)])
    assert not utterance.starving and utterance.next_quantum(10) is not None


Action = tuple[str, int]
ACTIONS = st.lists(
    st.one_of(
        st.tuples(st.just("feed"), st.integers(1, 12)),
        st.tuples(st.just("slow"), st.integers(1, 12)),
        st.tuples(st.just("silence"), st.sampled_from([1, 400, 2500])),
        st.tuples(st.just("sample"), st.integers(1, 9)),
        st.tuples(st.sampled_from(["starve", "flush"]), st.just(0)),
    ),
    max_size=40,
)


def act(utterance: TextPlan, action: Action) -> None:
    """Does one thing; what is sampled depends on the state and the seed alone, as the real talker's draws do."""
    kind, size = action
    match kind:
        case "feed":
            utterance.feed([Segment([size] * size, 1, size % 3 == 0)])
        case "slow":
            utterance.feed([Segment([size] * size, 1, size % 3 == 0, rate=0.5)])
        case "silence":
            utterance.feed([silence(size)])
        case "flush":
            utterance.close()
        case "starve":
            if utterance.starving:
                utterance.starve()
        case "sample":
            sample(utterance, size)


def sample(utterance: TextPlan, size: int) -> bool:
    quantum = utterance.next_quantum(size)
    if quantum is None:
        return False
    ids = []
    for position in range(len(quantum.ids), len(quantum.ids) + quantum.max_tokens):
        drawn = (position * 31 + utterance.quantum_seed) % 53
        control = TALKER.eos if quantum.stage.value == "final" else TALKER.fill
        ids.append(drawn if drawn < 50 else control)
        if drawn >= 50:
            break
    utterance.accept(ids)
    return True


def finish(utterance: TextPlan, size: int) -> list[tuple[int, float, list[int]]]:
    utterance.end()
    while sample(utterance, size):
        pass
    assert utterance.complete
    return [(s.silence_ms, s.rate, s.flow_tokens) for s in utterance.spoken]


@given(actions=ACTIONS, cut=st.integers(0, 40), size=st.integers(1, 30), streaming=st.booleans())
def test_a_history_and_the_same_text_give_the_same_speech(
    actions: list[Action], cut: int, size: int, streaming: bool
) -> None:
    """An utterance made again from its history, with all its text fed at once, says the same as one left in peace;
    what was sampled is not sampled again."""
    whole = TextPlan(TALKER, PROMPT, policy(streaming, silent=(7,), closing=(8, 9)), seed=1)
    for action in actions[:cut]:
        act(whole, action)
    history = whole.history
    for action in actions[cut:]:
        act(whole, action)
    starved_later = [c for c in whole.history.closings if c not in history.closings]
    expected = finish(whole, size)

    again = TextPlan(
        TALKER,
        PROMPT,
        policy(streaming, silent=(7,), closing=(8, 9)),
        1,
        History(list(history.closings), history.sampled),
    )
    segments = 0
    for kind, length in actions:
        if kind in ("feed", "slow", "silence"):
            act(again, (kind, length))
            segments += 1
            if segments in starved_later:
                again.starve()
        elif kind == "flush":
            again.close()
    assert finish(again, 5) == expected
    assert again.history.sampled == whole.history.sampled
