"""The talker's layouts as a state machine."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.config import TalkerConfig
from cosyvoice.talker.layout import (
    Finish,
    LayoutStage,
    LengthLimits,
    TalkerPrompt,
    TalkerSequence,
    text_ids_before_audio,
)
from tests.paths import GOLDEN_DIR

GOLDEN = GOLDEN_DIR
TALKER = TalkerConfig(
    hidden=64,
    layers=2,
    heads=4,
    kv_heads=2,
    ffn=128,
    text_rows=1000,
    speech_tokens=6561,
    head_rows=6761,
    mix_ratio=(5, 15),
)
WIDE = LengthLimits(min_tokens_per_text_id=0, max_tokens_per_text_id=1000, max_tokens=1000)


def text(*ids: int) -> list[int]:
    return [TALKER.head_rows + i for i in ids]


def speak(sequence: TalkerSequence, count: int, quantum_tokens: int = 1000, first: int = 0) -> list[int]:
    """Drives a sequence with the speech tokens first, first + 1, ... and eos after `count` of them."""
    spoken: list[int] = []
    while (quantum := sequence.next_quantum(quantum_tokens)) is not None:
        left = count - len(spoken)
        tokens = [first + len(spoken) + i for i in range(min(left, quantum.max_tokens))]
        if quantum.stage is LayoutStage.FINAL and len(tokens) < quantum.max_tokens:
            tokens.append(TALKER.eos)
        elif not tokens:
            tokens = [TALKER.fill]
        spoken += sequence.accept(tokens)
    return spoken


def test_unistream_layout() -> None:
    """sos, prompt text and text, task_id, prompt speech, then speech; eos is not kept."""
    sequence = TalkerSequence(TALKER, TalkerPrompt((7, 9), (1, 2), (100, 101)), WIDE, bistream=False)
    sequence.feed([3, 4])
    assert sequence.next_quantum(10) is None
    sequence.end()
    quantum = sequence.next_quantum(10)
    assert quantum is not None
    assert quantum.ids == [TALKER.sos, *text(7, 9, 1, 2, 3, 4), TALKER.task_id, 100, 101]
    assert sequence.accept([5, 6, TALKER.eos]) == [5, 6]
    assert sequence.finish is Finish.EOS
    assert sequence.ids[-3:] == [101, 5, 6]


def test_bistream_layout_follows_training() -> None:
    """Blocks of 5 text and 15 speech; the prompt fills the first ones; the rest of the text precedes task_id."""
    prompt = TalkerPrompt((7, 9), (1, 2, 3), tuple(range(100, 120)))
    sequence = TalkerSequence(TALKER, prompt, WIDE, bistream=True)
    sequence.feed([10, 11, 12, 13, 14, 15, 16, 17, 18])
    sequence.end()
    spoken = speak(sequence, 30)
    assert spoken == list(range(30))
    assert sequence.ids == [
        *[TALKER.sos, *text(7, 9)],
        *[*text(1, 2, 3, 10, 11), *range(100, 115)],
        *[*text(12, 13, 14, 15, 16), *range(115, 120), *range(10)],
        *[*text(17, 18), TALKER.task_id, *range(10, 30)],
    ]


def test_bistream_matches_the_fed_ids_of_the_original() -> None:
    """On the normal trace the ids equal the original's, less its duplicated input before the final stage."""
    trace = json.loads((GOLDEN / "llm_bistream_p20.json").read_text())
    eop = trace["prompt_text"].index(151646) + 1
    rows = TalkerConfig(**{**TALKER.__dict__, "text_rows": 151936})
    prompt = TalkerPrompt(
        tuple(trace["prompt_text"][:eop]), tuple(trace["prompt_text"][eop:]), tuple(trace["prompt_speech"])
    )
    sequence = TalkerSequence(rows, prompt, WIDE, bistream=True)
    sequence.feed(trace["target_text"])
    sequence.end()
    out = list(trace["speech_out"])
    while (quantum := sequence.next_quantum(1000)) is not None:
        take = out[: quantum.max_tokens]
        del out[: len(take)]
        sequence.accept(take if quantum.stage is LayoutStage.MID else [*take, rows.eos])
    fed = [
        int(z[1:]) if z[0] == "S" else rows.head_rows + int(z[1:])
        for call in trace["inputs_fed_per_forward"]
        for z in call
    ]
    task = fed.index(rows.task_id)
    last_block = len(sequence.ids) - 1 - sequence.ids[::-1].index(rows.task_id)
    ours = sequence.ids
    rest = last_block - max(i for i in range(last_block) if ours[i] < rows.speech_tokens) - 1
    duplicate = task - rest - 1
    assert fed[duplicate] == fed[duplicate - 1]  # the original's duplicate
    assert fed[:duplicate] + fed[duplicate + 1 :] == ours[: len(fed) - 1]


def test_prompt_speech_of_whole_blocks_takes_text_first() -> None:
    """With 15 prompt tokens the next 5 text ids come before the first generated token."""
    sequence = TalkerSequence(TALKER, TalkerPrompt((9,), (1, 2, 3, 4, 5), tuple(range(15))), WIDE, bistream=True)
    assert sequence.next_quantum(5) is None and sequence.starving
    sequence.feed([6, 7, 8, 9])
    assert sequence.next_quantum(5) is None
    sequence.feed([10])
    quantum = sequence.next_quantum(5)
    assert quantum is not None and quantum.ids[-5:] == text(6, 7, 8, 9, 10)


def test_bistream_without_prompt_speech_waits_for_text() -> None:
    """No speech is asked for before a first block of text, unlike the original."""
    sequence = TalkerSequence(TALKER, TalkerPrompt((9,)), WIDE, bistream=True)
    assert sequence.next_quantum(5) is None
    sequence.feed([1, 2, 3, 4, 5])
    quantum = sequence.next_quantum(50)
    assert quantum is not None and quantum.max_tokens == 15 and quantum.stage is LayoutStage.MID


def test_natural_fill_ends_a_block_and_is_not_fed() -> None:
    """A sampled fill moves on to the next text block and stays out of the ids."""
    sequence = TalkerSequence(TALKER, TalkerPrompt((9,)), WIDE, bistream=True)
    sequence.feed(range(10))
    sequence.next_quantum(15)
    assert sequence.accept([1, 2, 3, TALKER.fill]) == [1, 2, 3]
    quantum = sequence.next_quantum(15)
    assert quantum is not None and quantum.ids[-8:] == [1, 2, 3, *text(5, 6, 7, 8, 9)]


def test_short_text_keeps_all_prompt_speech() -> None:
    """Text that fills no block still carries the whole prompt after task_id."""
    sequence = TalkerSequence(TALKER, TalkerPrompt((9,), (1, 2), tuple(range(40))), WIDE, bistream=True)
    sequence.feed([3])
    sequence.end()
    quantum = sequence.next_quantum(5)
    assert quantum is not None and quantum.ids == [TALKER.sos, *text(9, 1, 2, 3), TALKER.task_id, *range(40)]


def test_minimum_and_maximum_length() -> None:
    """The minimum counts down over quanta; the maximum ends the sequence."""
    limits = LengthLimits(min_tokens_per_text_id=2, max_tokens_per_text_id=4, max_tokens=100)
    sequence = TalkerSequence(TALKER, TalkerPrompt((9,)), limits, bistream=False)
    sequence.feed([1, 2, 3])
    sequence.end()
    first = sequence.next_quantum(4)
    assert first is not None and (first.min_tokens, first.max_tokens) == (6, 4)
    sequence.accept([0, 1, 2, 3])
    second = sequence.next_quantum(4)
    assert second is not None and (second.min_tokens, second.max_tokens) == (2, 4)
    sequence.accept([4, 5, 6, 7])
    third = sequence.next_quantum(50)
    assert third is not None and (third.min_tokens, third.max_tokens) == (0, 4)
    sequence.accept([8, 9, 10, 11])
    assert sequence.finish is Finish.LENGTH and sequence.next_quantum(4) is None


def test_the_end_of_text_can_be_the_end_of_speech() -> None:
    """Speech beyond what the text allows stops when the end of text sets the maximum, without another quantum."""
    limits = LengthLimits(min_tokens_per_text_id=0, max_tokens_per_text_id=2, max_tokens=100)
    sequence = TalkerSequence(TALKER, TalkerPrompt((9,)), limits, bistream=True)
    sequence.feed([1, 2, 3, 4, 5])
    assert sequence.next_quantum(15) is not None
    sequence.accept(list(range(15)))
    sequence.end()
    assert sequence.finish is Finish.LENGTH


def test_misuse_is_an_error() -> None:
    """Text after the end, ids outside the table and control ids of the wrong stage are refused."""
    sequence = TalkerSequence(TALKER, TalkerPrompt((9,)), WIDE, bistream=False)
    with pytest.raises(ValueError, match="outside the table"):
        sequence.feed([1000])
    with pytest.raises(ValueError, match="after the quantum"):
        sequence.accept([1])
    sequence.end()
    with pytest.raises(ValueError, match="after the end"):
        sequence.feed([1])


def test_text_ids_before_audio() -> None:
    """It is the first moment at which a sequence has a quantum, for any prompt length."""
    for prompt_tokens in (0, 1, 14, 15, 20, 75):
        for transcript in (0, 3, 24):
            prompt = TalkerPrompt((9,), tuple(range(transcript)), tuple(range(prompt_tokens)))
            sequence = TalkerSequence(TALKER, prompt, WIDE, bistream=True)
            needed = text_ids_before_audio(TALKER, prompt_tokens, transcript)
            for _ in range(needed):
                assert sequence.next_quantum(1) is None
                sequence.feed([1])
            assert sequence.next_quantum(1) is not None


@given(st.integers(0, 40), st.integers(1, 60), st.integers(1, 60), st.booleans(), st.integers(0, 2**16))
def test_ids_do_not_depend_on_quanta_or_arrival(
    prompt_tokens: int, n_text: int, quantum_tokens: int, bistream: bool, seed: int
) -> None:
    """Any cut of quanta and any arrival of text give the same final ids."""
    rng = random.Random(seed)
    prompt = TalkerPrompt((9,), tuple(range(8)), tuple(range(prompt_tokens)))
    whole = TalkerSequence(TALKER, prompt, WIDE, bistream)
    whole.feed([i % 1000 for i in range(n_text)])
    whole.end()
    speak(whole, 90, first=500)

    pieces = TalkerSequence(TALKER, prompt, WIDE, bistream)
    waiting, spoken = list(range(n_text)), 0
    while pieces.finish is None:
        quantum = pieces.next_quantum(quantum_tokens)
        if quantum is None:
            if pieces.finish is not None:
                break
            count = rng.randint(1, 7)
            if waiting:
                pieces.feed([i % 1000 for i in waiting[:count]])
                del waiting[:count]
            else:
                pieces.end()
            continue
        tokens = [500 + spoken + i for i in range(min(90 - spoken, quantum.max_tokens))]
        if len(tokens) < quantum.max_tokens and quantum.stage is LayoutStage.FINAL:
            tokens.append(TALKER.eos)
        elif not tokens:
            tokens = [TALKER.fill]
        spoken += len(pieces.accept(tokens))
    assert pieces.ids == whole.ids and pieces.generated == whole.generated
