"""Euler steps as captured work, one piece for each number of slots."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from cosyvoice.flow.paged.self_check import StepPath
from cosyvoice.flow.paged.slots import SlotPacker, SlotRows
from cosyvoice.graphs import Capture, GraphRun
from cosyvoice.transfer import upload_array


class GraphSteps:
    """A path of steps. A number of slots that is not captured is computed without that."""

    def __init__(
        self,
        step: StepPath,
        packer: SlotPacker,
        sizes: Sequence[int],
        columns: int,
        states: Tensor,
        conditions: Tensor,
        capture: Capture,
    ) -> None:
        """sizes: the numbers of slots. columns: the longest table. states, conditions: of one slot, as examples."""
        self._step, self._columns = step, columns

        def run(numbers: Tensor, states: Tensor, conditions: Tensor) -> tuple[Tensor]:
            return (step(SlotRows(numbers, columns), states, conditions),)

        self._runs: dict[int, GraphRun] = {}
        for size in sorted(sizes, reverse=True):  # the largest first: the others fit into its memory
            rows, _ = packer.pack([], size, columns)
            numbers = upload_array(rows, states.device)
            inputs = numbers, states.new_zeros((size, *states.shape)), conditions.new_zeros((size, *conditions.shape))
            self._runs[size] = GraphRun(run, inputs, capture)

    def __call__(self, slots: SlotRows, states: Tensor, conditions: Tensor) -> Tensor:
        run = self._runs.get(slots.slots)
        if run is None or slots.table_width > self._columns:
            return self._step(slots, states, conditions)
        (after,) = run(slots.numbers, states, conditions)
        return after
