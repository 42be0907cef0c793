"""The scores of a step's draws as work that a GPU repeats: some forty launches become one."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from cosyvoice.graphs import Capture, GraphRun
from cosyvoice.self_check import first_right, relative_deviation
from cosyvoice.serving_config import SamplingConfig
from cosyvoice.talker.draws import DRAW_NUMBERS, DrawState, Score, draw_rows, draw_scores

# How far captured scores may deviate, as a share. Both compute in float32, perhaps with other kernels.
TOLERANCE = 1e-5


class DrawKind(NamedTuple):
    """What all draws of a checkpoint have in common."""

    # Columns of the logits.
    ids: int
    # Ids below this are speech tokens.
    speech_tokens: int
    sampling: SamplingConfig


class Draws:
    """Scores the rows of a step. Plain PyTorch does it, until `speed_up` has found something faster that gives the
    same."""

    def __init__(self) -> None:
        self._score: Score | None = None

    def rows(self, logits: Tensor, states: Mapping[int, DrawState]) -> Tensor:
        """As `draw_rows`."""
        return draw_rows(logits, states, self._score)

    def speed_up(
        self, capture: Capture, kind: DrawKind, most_rows: int, device: torch.device, tell: Callable[[str], None]
    ) -> None:
        """Captures the scores of steps of up to `most_rows` rows, and uses them if they are right. Call it when nobody
        draws."""

        # Not in inference mode: its tensors could not be written where vLLM samples outside of it.
        def captured() -> Score:
            return GraphScores(kind, most_rows, device, capture)

        def deviation(score: Score, rows: int) -> float:
            return scores_deviation(score, kind, rows, device)

        sizes = {f"{rows} rows": rows for rows in row_classes(most_rows)}
        ways = [("CUDA graphs", captured)]
        self._score = first_right("the sampler", ways, deviation, sizes, TOLERANCE, tell)


class GraphScores:
    """Scores of one kind of draws, captured for some numbers of rows. All else is computed without that."""

    def __init__(self, kind: DrawKind, most_rows: int, device: torch.device, capture: Capture) -> None:
        self._kind = kind
        self._runs: dict[int, GraphRun] = {}

        def run(logits: Tensor, numbers: Tensor) -> tuple[Tensor, ...]:
            return (draw_scores(logits, numbers, kind.speech_tokens, kind.sampling),)

        for rows in reversed(row_classes(most_rows)):  # the others fit into the largest one's memory
            self._runs[rows] = GraphRun(run, random_draws(kind, rows, device), capture)

    def __call__(self, logits: Tensor, numbers: Tensor, speech_tokens: int, sampling: SamplingConfig) -> Tensor:
        used, kind = len(logits), DrawKind(logits.shape[1], speech_tokens, sampling)
        rows = next((rows for rows in sorted(self._runs) if rows >= used), 0)
        if rows == 0 or kind != self._kind:
            return draw_scores(logits, numbers, speech_tokens, sampling)
        return self._runs[rows](logits, numbers)[0][:used]


def row_classes(most_rows: int) -> list[int]:
    """Powers of two, up to the first that holds `most_rows`."""
    return [1 << power for power in range((most_rows - 1).bit_length() + 1)]


def random_draws(kind: DrawKind, rows: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Logits, and numbers as of `draw_numbers`. Half of the rows may draw their stop id. Each row's last ids are its
    likeliest one, so that some draws would repeat it."""
    window = kind.sampling.window
    logits = torch.randn(rows, kind.ids, device=device) * 3
    numbers = torch.randint(1 << 32, (rows, DRAW_NUMBERS + window), device=device)
    numbers[:, 0] = kind.ids - 1
    numbers[:, 1] %= 2
    numbers[:, DRAW_NUMBERS:] = logits[:, : kind.speech_tokens].argmax(1, keepdim=True)
    return logits, numbers


def scores_deviation(score: Score, kind: DrawKind, rows: int, device: torch.device) -> float:
    """How far the scores of random rows deviate from plain PyTorch's, as a share. Other rows are scored first, so that
    captured work which does not read its inputs anew is found."""
    arguments = kind.speech_tokens, kind.sampling
    score(*random_draws(kind, rows, device), *arguments)
    logits, numbers = random_draws(kind, rows, device)
    found = score(logits.clone(), numbers, *arguments)
    right = draw_scores(logits, numbers, *arguments)
    if bool((found.isneginf() != right.isneginf()).any()):
        return math.inf  # an id that may not be drawn could be, or the other way round
    zero = found.new_zeros(())
    return relative_deviation(found.where(~found.isneginf(), zero), right.where(~right.isneginf(), zero))
