"""A talker without vLLM: a body of its size, and the real sampler. `TalkerLoop` runs it as it runs the real one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.gpu.bench import Bench
from bench.gpu.bench_sizes import DTYPES
from bench.gpu.talker_body import TalkerBody
from bench.gpu.timing import captured
from cosyvoice.serving_config import SamplingConfig
from cosyvoice.talker.draws import DrawState, draw_numbers, draw_rows, draw_scores
from cosyvoice.talker.layout import LayoutStage, Quantum
from cosyvoice.talker.talker import Sampled
from cosyvoice.transfer import upload

# What vLLM computes again when a quantum begins: one block of its prefix cache.
BLOCK_IDS = 32
MAX_IDS = 1024
# Control ids, counted from the first one.
_EOS, _FILL = 1, 3


@dataclass(frozen=True)
class _Row:
    """A quantum at its place among the rows."""

    request: str
    quantum: Quantum
    state: DrawState


class StandInTalker:
    """Steps of the talker's size for at most `rows` quanta. The logits have no meaning, so a sequence goes on to its
    longest length."""

    def __init__(self, bench: Bench, rows: int) -> None:
        self.max_ids = MAX_IDS
        self._sizes = sizes = bench.sizes
        self._device = torch.device(bench.device)
        self._sampling = SamplingConfig()
        rows = _size_class(rows)
        self._body = TalkerBody(sizes.checkpoint, sizes.head_rows, rows, MAX_IDS, self._device, DTYPES[bench.dtype])
        # For each row the last id and its place.
        self._inputs = torch.zeros(rows, 2, dtype=torch.int64, device=self._device)
        self._logits = torch.zeros(rows, sizes.head_rows, device=self._device)
        self._steps: dict[int, Callable[[], object]] = {}
        self._rows: dict[int, _Row] = {}
        self._waiting: list[tuple[str, Quantum, int]] = []

    # -- as TalkerLoop uses it --------------------------------------------------------------------------------------

    @property
    def busy(self) -> bool:
        return bool(self._rows or self._waiting)

    @property
    def held(self) -> dict[str, int]:
        return {"quanta": len(self._rows) + len(self._waiting)}

    def add(self, request: str, quantum: Quantum, seed: int) -> None:
        """Raises ValueError for a sequence that is too long."""
        total = len(quantum.ids) + quantum.max_tokens
        if total > MAX_IDS:
            raise ValueError(f"a sequence of {total} ids exceeds the talker's {MAX_IDS}")
        self._waiting.append((request, quantum, seed))

    def cancel(self, request: str) -> None:
        self._waiting = [waiting for waiting in self._waiting if waiting[0] != request]
        self._rows = {at: row for at, row in self._rows.items() if row.request != request}

    @torch.inference_mode()
    def step(self) -> list[Sampled]:
        """One id for each row."""
        begun = self._begin()
        if begun:
            self.begin_rows(len(begun))
        if not self._rows:
            return []
        places = sorted(self._rows)
        known = [(0, 0)] * (places[-1] + 1)
        for at in places:
            row = self._rows[at]
            known[at] = [*row.quantum.ids, *row.state.output][-1], len(row.quantum.ids) + len(row.state.output) - 1
        self.run(known)
        drawn = self.draw({at: row.state for at, row in self._rows.items()}).tolist()
        return [sampled for at in places if (sampled := self._take(at, drawn[at]))]

    def warm_up(self) -> None:
        """Captures the steps of all numbers of rows, the largest first."""
        with torch.inference_mode():
            count = len(self._inputs)
            while count:
                self.step_of(count)
                count //= 2

    # -- parts, which the stage `talker_step` measures --------------------------------------------------------------

    def begin_rows(self, count: int) -> None:
        """What so many quanta compute again when they begin."""
        ids = torch.zeros(count, BLOCK_IDS, dtype=torch.int64, device=self._device)
        self._body.logits(ids, torch.arange(BLOCK_IDS, device=self._device).expand(count, -1))

    def run(self, known: list[tuple[int, int]]) -> None:
        """A step of the body, with the last id and its place of each row."""
        count = _size_class(len(known))
        numbers = [(token % self._sizes.head_rows, place) for token, place in known] + [(0, 0)] * (count - len(known))
        self._inputs[:count].copy_(upload(numbers, self._device), non_blocking=True)
        self.step_of(count)()

    def step_of(self, count: int) -> Callable[[], object]:
        """A step of the body for so many rows: on a GPU a CUDA graph."""
        if count not in self._steps:
            self._steps[count] = captured(str(self._device), self.eager_step(count))
        return self._steps[count]

    def eager_step(self, count: int) -> Callable[[], object]:
        """The same without a graph."""
        inputs, logits = self._inputs[:count], self._logits[:count]
        return lambda: logits.copy_(self._body.logits(inputs[:, :1], inputs[:, 1:]))

    def draw(self, states: Mapping[int, DrawState]) -> Tensor:
        """The ids that are drawn at the rows up to the last one of these, as `KeyedRas` draws them."""
        return draw_rows(self._logits[: max(states) + 1], states).argmax(-1)

    def captured_draw(self, states: Sequence[DrawState]) -> Callable[[], object]:
        """The part of `draw` on the device for the first rows: on a GPU a CUDA graph."""
        numbers = upload(draw_numbers(states, self._sampling.window), self._device)
        logits = self._logits[: len(states)]
        return captured(
            str(self._device),
            lambda: draw_scores(logits, numbers, self._sizes.speech_tokens, self._sampling).argmax(-1),
        )

    def draw_state(self, quantum: Quantum, seed: int) -> DrawState:
        """What the draws of a quantum depend on."""
        speech_tokens = self._sizes.speech_tokens
        stop = speech_tokens + (_FILL if quantum.stage is LayoutStage.MID else _EOS)
        history = quantum.history[-self._sampling.window :]
        first = len(quantum.ids)
        return DrawState(seed, first, history, stop, quantum.min_tokens, self._sampling, speech_tokens, [])

    # -- rows -------------------------------------------------------------------------------------------------------

    def _begin(self) -> list[int]:
        """Gives rows to quanta that wait. Returns these rows."""
        free = [at for at in range(len(self._inputs)) if at not in self._rows]
        begun = free[: len(self._waiting)]
        for at in begun:
            request, quantum, seed = self._waiting.pop(0)
            self._rows[at] = _Row(request, quantum, self.draw_state(quantum, seed))
        return begun

    def _take(self, at: int, token: int) -> Sampled | None:
        """Takes a drawn id. Returns the quantum if it is finished with it."""
        row = self._rows[at]
        row.state.output.append(token)
        if token != row.state.stop_id and len(row.state.output) < row.quantum.max_tokens:
            return None
        del self._rows[at]
        return Sampled(row.request, row.state.output)


def _size_class(rows: int) -> int:
    """1, 2, 4, 8... rows: one CUDA graph each."""
    return 1 << (rows - 1).bit_length()
