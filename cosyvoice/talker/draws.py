"""The draws of one step of the talker: what they depend on, and the scores whose maximum is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from cosyvoice.serving_config import SamplingConfig
from cosyvoice.talker.sampling import (
    all_ids,
    both_draws,
    keyed_gumbel,
    nucleus_of,
    padded_history,
    ras_log_probs,
    row_key,
)
from cosyvoice.transfer import upload

# Computes scores as `draw_scores` does.
Score = Callable[[Tensor, Tensor, int, SamplingConfig], Tensor]

# Numbers that a draw depends on, before its last ids.
DRAW_NUMBERS = 4


@dataclass
class DrawState:
    """What the draws of one request depend on."""

    seed: int
    # Place of the first sampled id in the sequence.
    first_position: int
    # Last speech tokens before this request.
    history: list[int]
    # The control id that ends the request.
    stop_id: int
    # Tokens that must be sampled before `stop_id` can be.
    min_tokens: int
    sampling: SamplingConfig
    # Ids below this are speech tokens.
    speech_tokens: int
    # Ids sampled so far: the list that vLLM itself appends to.
    output: list[int]


def draw_numbers(states: Sequence[DrawState], window: int) -> list[list[int]]:
    """For each request: its stop id, whether that may be drawn, the two halves of its key, and its last ids. All as
    integers, so that they go to the device in one copy."""
    histories = padded_history([[*state.history, *state.output] for state in states], window)
    return [
        [
            state.stop_id,
            int(len(state.output) >= state.min_tokens),
            *row_key(state.seed, state.first_position + len(state.output)),
            *history,
        ]
        for state, history in zip(states, histories, strict=True)
    ]


def draw_scores(logits: Tensor, numbers: Tensor, speech_tokens: int, config: SamplingConfig) -> Tensor:
    """Scores [rows, ids]. The maximum of a row is its draw. The logits are written over. numbers: those of
    `draw_numbers`, on the logits' device."""
    allowed, keys, history = _inputs(logits, numbers, speech_tokens)
    return keyed_gumbel(keys, all_ids(logits.shape[-1], logits.device)).add_(ras_log_probs(allowed, history, config))


def draw_scores_on_cpu(logits: Tensor, numbers: Tensor, speech_tokens: int, config: SamplingConfig) -> Tensor:
    """The same numbers as `draw_scores`. Where no id of the nucleus repeats, nothing else can be drawn, and noise is
    made for the nucleus alone. A GPU would have to be waited for to know that."""
    allowed, keys, history = _inputs(logits, numbers, speech_tokens)
    p = torch.softmax(allowed.float(), -1)
    nucleus = nucleus_of(p, history, config)
    if bool(nucleus.repeats.any()):
        return keyed_gumbel(keys, all_ids(logits.shape[-1], logits.device)).add_(both_draws(p, nucleus))
    scores = keyed_gumbel(keys, nucleus.ids).add_(nucleus.q.log())
    return torch.full_like(p, float("-inf")).scatter_(1, nucleus.ids, scores)


def _inputs(logits: Tensor, numbers: Tensor, speech_tokens: int) -> tuple[Tensor, Tensor, Tensor]:
    """The logits, written over where an id may not be drawn; the keys of the noise; the last ids."""
    stop, forbidden = numbers[:, :1], numbers[:, 1:2] == 0
    stop_logits = logits.gather(1, stop).masked_fill_(forbidden, float("-inf"))
    logits[:, speech_tokens:] = float("-inf")
    logits.scatter_(1, stop, stop_logits)
    return logits, numbers[:, 2:DRAW_NUMBERS], numbers[:, DRAW_NUMBERS:]


def draw_rows(logits: Tensor, rows: Mapping[int, DrawState], score: Score | None = None) -> Tensor:
    """The logits [rows, ids] with scores in place of the rows that are named here: the maximum of such a row is its
    draw. The logits are written over. Takes one copy to the device for each configuration of sampling; normally there
    is one. Does not wait for the device. score: None for plain PyTorch's."""
    score = score or (draw_scores_on_cpu if logits.device.type == "cpu" else draw_scores)
    by_config: dict[SamplingConfig, list[int]] = {}
    for index in sorted(rows):
        by_config.setdefault(rows[index].sampling, []).append(index)
    for config, indices in by_config.items():
        states = [rows[index] for index in indices]
        numbers, speech_tokens = draw_numbers(states, config.window), states[0].speech_tokens
        if len(indices) == len(logits):  # the logits are not copied out and in again
            return score(logits, upload(numbers, logits.device), speech_tokens, config)
        known = upload([[index, *own] for index, own in zip(indices, numbers, strict=True)], logits.device)
        at = known[:, 0]
        logits[at] = score(logits[at], known[:, 1:], speech_tokens, config)
    return logits
