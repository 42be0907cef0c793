"""Captured scores of the talker's draws: what they give, for which steps, and what happens where they are wrong."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from cosyvoice.graphs import Capture, Captured, Work
from cosyvoice.serving_config import SamplingConfig
from cosyvoice.talker.draw_graphs import DrawKind, Draws, random_draws, row_classes, scores_deviation
from cosyvoice.talker.draws import DrawState, draw_rows, draw_scores
from tests.cosyvoice.captures import Rerun, impossible, stale

KIND = DrawKind(ids=60, speech_tokens=50, sampling=SamplingConfig())
CPU = torch.device("cpu")
MOST_ROWS = 5


def states(count: int, sampling: SamplingConfig = KIND.sampling) -> dict[int, DrawState]:
    """Of so many rows, after speech tokens; some may not stop yet."""
    return {
        row: DrawState(row, 9, [3, 4, 5], 52, row % 3, sampling, KIND.speech_tokens, [row % 50]) for row in range(count)
    }


def captured(capture: Capture) -> tuple[Draws, list[str]]:
    """Draws, and what they told."""
    draws, told = Draws(), list[str]()
    draws.speed_up(capture, KIND, MOST_ROWS, CPU, told.append)
    return draws, told


def test_rows_are_padded_to_powers_of_two() -> None:
    """The last one holds the most rows that there can be."""
    assert row_classes(1) == [1] and row_classes(5) == [1, 2, 4, 8] and row_classes(128)[-1] == 128


@pytest.mark.parametrize(("rows", "repeated"), [(1, 1), (3, 1), (5, 1), (8, 1), (9, 0)])
def test_rows_are_drawn_as_without_it(rows: int, repeated: int) -> None:
    """Whatever stood in the padded memory before. More rows than were captured are computed by plain PyTorch."""
    capture = Rerun()
    draws, told = captured(capture)
    assert told == ["the sampler uses CUDA graphs: it deviates from plain PyTorch by 0.0e+00 at most"]
    assert capture.captured == 4
    draws.rows(torch.randn(8, KIND.ids), states(8))
    before, logits = capture.repeated, torch.randn(rows, KIND.ids)
    found = draws.rows(logits.clone(), states(rows))
    assert capture.repeated - before == repeated
    assert torch.equal(found, draw_rows(logits.clone(), states(rows)))


def test_rows_beside_others_and_of_other_sampling_are_right_too() -> None:
    """What another request has is left as it is, and only the captured kind of draws is repeated."""
    capture = Rerun()
    draws, _ = captured(capture)
    logits, before = torch.randn(4, KIND.ids), capture.repeated
    found = draws.rows(logits.clone(), states(3))
    assert torch.equal(found, draw_rows(logits.clone(), states(3))) and torch.equal(found[3], logits[3])
    assert capture.repeated == before + 1
    other = states(4, replace(KIND.sampling, top_k=3))
    assert torch.equal(draws.rows(logits.clone(), other), draw_rows(logits.clone(), other))
    assert capture.repeated == before + 1


def forgets_the_stop_id(work: Work) -> Captured:
    """A capture whose scores let no row end."""
    made = Rerun()(work)

    def repeat() -> None:
        made.repeat()
        made.outputs[0][:, KIND.ids - 1] = float("-inf")

    return Captured(made.outputs, repeat)


@pytest.mark.parametrize(
    ("capture", "told"),
    [
        (stale, "the sampler does not use CUDA graphs: with "),
        (forgets_the_stop_id, "the sampler does not use CUDA graphs: with "),
        (impossible, "the sampler does not use CUDA graphs: RuntimeError: operation not permitted"),
    ],
)
def test_what_is_wrong_or_impossible_does_not_draw(capture: Capture, told: str) -> None:
    """It is told, and plain PyTorch draws."""
    draws, lines = captured(capture)
    assert lines[0].startswith(told) and lines[1] == "the sampler uses plain PyTorch"
    logits = torch.randn(3, KIND.ids)
    assert torch.equal(draws.rows(logits.clone(), states(3)), draw_rows(logits.clone(), states(3)))


def test_random_draws_are_of_every_kind() -> None:
    """In the check some rows may stop and others may not, and some draws are made anew because they repeat."""
    torch.manual_seed(0)
    logits, numbers = random_draws(KIND, 64, CPU)
    assert set(numbers[:, 1].tolist()) == {0, 1}
    arguments = KIND.speech_tokens, KIND.sampling
    scores = draw_scores(logits.clone(), numbers, *arguments)
    numbers[:, 4:] = -1
    assert not torch.allclose(scores, draw_scores(logits.clone(), numbers, *arguments))
    assert scores_deviation(draw_scores, KIND, 4, CPU) == 0
