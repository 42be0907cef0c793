"""The scores of a step's draws."""

from __future__ import annotations

from dataclasses import replace

import torch

from cosyvoice.serving_config import SamplingConfig
from cosyvoice.talker.draws import DrawState, draw_numbers, draw_rows, draw_scores, draw_scores_on_cpu
from cosyvoice.talker.sampling import keyed_gumbel, padded_history, ras_log_probs, row_key

CONFIG = SamplingConfig()
SPEECH, IDS, STOP = 50, 60, 52


def state(seed: int, output: list[int], min_tokens: int = 0) -> DrawState:
    """After three speech tokens."""
    return DrawState(seed, 9, [3, 4, 5], STOP, min_tokens, CONFIG, SPEECH, output)


def test_numbers_say_all_that_a_draw_depends_on() -> None:
    """Stop id, whether it may be drawn, the key of the next place, and the last ids."""
    (numbers,) = draw_numbers([state(7, [1, 2], min_tokens=3)], 10)
    assert numbers == [STOP, 0, *row_key(7, 11), -1, -1, -1, -1, -1, 3, 4, 5, 1, 2]
    assert draw_numbers([state(7, [1, 2, 3], min_tokens=3)], 10)[0][1] == 1


def test_scores_are_the_draw_of_each_row_alone() -> None:
    """Speech tokens, and the stop id once it may come; no other control id; the same in a batch as alone."""
    torch.manual_seed(0)
    states = [state(1, []), state(2, [9, 9], min_tokens=5), state(3, [8])]
    logits = torch.randn(3, IDS)
    scores = draw_scores(logits.clone(), torch.tensor(draw_numbers(states, CONFIG.window)), SPEECH, CONFIG)
    for row, one in enumerate(states):
        masked = torch.full((1, IDS), float("-inf"))
        masked[0, :SPEECH] = logits[row, :SPEECH]
        if row != 1:
            masked[0, STOP] = logits[row, STOP]
        history = torch.tensor(padded_history([[*one.history, *one.output]], CONFIG.window))
        key = torch.tensor([row_key(one.seed, 9 + len(one.output))])
        expected = ras_log_probs(masked, history, CONFIG) + keyed_gumbel(key, torch.arange(IDS))
        assert torch.equal(scores[row : row + 1], expected)
        finite = torch.isfinite(scores[row]).nonzero().flatten().tolist()
        assert (STOP in finite) == (row != 1) and set(finite) <= {*range(SPEECH), STOP}


def test_scores_on_a_cpu_are_the_same_numbers() -> None:
    """Whether or not a row's nucleus repeats one of the last ids."""
    torch.manual_seed(0)
    seen = set()
    for _ in range(50):
        logits = torch.randn(2, IDS) * 4
        states = [state(1, [9], min_tokens=5), state(2, torch.randint(SPEECH, (4,)).tolist())]
        numbers = torch.tensor(draw_numbers(states, CONFIG.window))
        scores = draw_scores_on_cpu(logits.clone(), numbers, SPEECH, CONFIG)
        assert torch.equal(scores, draw_scores(logits.clone(), numbers, SPEECH, CONFIG))
        seen.add(int(torch.isfinite(scores).sum()) > 2 * CONFIG.top_k)
    assert seen == {False, True}


def test_rows_are_drawn_alike_beside_others_and_in_any_order() -> None:
    """Rows that are no draws keep their logits, and each configuration has its own."""
    torch.manual_seed(0)
    other = replace(CONFIG, top_k=3)
    states = {2: state(1, []), 0: replace(state(2, [9, 9]), sampling=other), 1: state(3, [8])}
    logits = torch.randn(4, IDS)
    scores = draw_rows(logits.clone(), states)
    for index, one in states.items():
        alone = draw_rows(logits[index : index + 1].clone(), {0: one})
        assert torch.equal(scores[index : index + 1], alone)
    assert torch.equal(scores[3], logits[3])
    same = {index: replace(one, sampling=CONFIG) for index, one in states.items()}
    assert torch.equal(draw_rows(logits[:3].clone(), same), draw_rows(logits.clone(), same)[:3])
