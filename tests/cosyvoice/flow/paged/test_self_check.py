"""The check at the start: a way to compute a step that is right is taken; a wrong one, or one that fails, is not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from functools import partial

import pytest
import torch
from torch import Tensor

from cosyvoice.flow.flow import Flow
from cosyvoice.flow.paged.estimator import Candidate, SlotEstimator
from cosyvoice.flow.paged.pages import PagePool
from cosyvoice.flow.paged.plain import PlainKernels
from cosyvoice.flow.paged.self_check import StepPath
from cosyvoice.flow.paged.slots import SlotRows
from cosyvoice.flow.stream import FlowStream
from tests.cosyvoice.flow.speaking import TOLERANCE, ids, make_voice, recompute, serve, speak

pytestmark = pytest.mark.model

SIZES = (1, 2, 4)


class Wrong(PlainKernels):
    """Plain kernels with one mistake."""

    def __init__(self, mistake: str, slots: SlotRows, pool: PagePool, rotation: Tensor) -> None:
        super().__init__(slots, pool, rotation)
        self._mistake = mistake

    def attend(self, qkv: Tensor, layer: int) -> Tensor:
        other = layer if self._mistake != "sheets of another layer" else 1 - layer
        if self._mistake == "NaN":
            return super().attend(qkv, other) * torch.nan
        if self._mistake == "the last sheet is seen whole":
            self._seen = torch.ones_like(self._seen)
        return super().attend(qkv, other)

    def conv_input(self, x: Tensor, convolution: int) -> Tensor:
        if self._mistake == "the other convolution's tails":
            return super().conv_input(x, 1 - convolution)
        if self._mistake == "no tails":
            self._in_batch = torch.ones_like(self._in_batch)
        return super().conv_input(x, convolution)


def candidate(name: str, kernels: Callable[[SlotRows, PagePool, Tensor], PlainKernels]) -> Candidate:
    """Kernels without graphs."""
    return Candidate(name, lambda estimator: estimator.with_kernels(kernels))


def failing(estimator: SlotEstimator) -> StepPath:
    """A way that this machine does not have."""
    raise RuntimeError("no GPU here")


@pytest.mark.parametrize(
    "mistake",
    ["NaN", "sheets of another layer", "the last sheet is seen whole", "the other convolution's tails", "no tails"],
)
def test_a_mistake_is_found_and_the_next_way_serves(weights: Flow, mistake: str) -> None:
    """The log has the name and the number, and what serves then is right: it gives what a flow gives that was never
    checked, so the checks have left nothing behind that others read."""
    flow, told = serve(weights, paged=True, slot_classes=SIZES), list[str]()
    ways = [Candidate("graphs", failing), candidate("bad", partial(Wrong, mistake)), candidate("good", PlainKernels)]
    flow.speed_up(ways, told.append)
    assert told[0] == "the flow does not use graphs: RuntimeError: no GPU here"
    assert told[1].startswith("the flow does not use bad: with ") and told[1].endswith("expected at most 1e-04")
    assert told[2].startswith("the flow uses good: it deviates from plain PyTorch by 0.0e+00")
    tokens = ids(14, seed=3)
    with closing(FlowStream(flow, make_voice(flow, 8))) as stream:
        mel = speak(flow, stream, tokens)
    torch.testing.assert_close(mel, recompute(serve(weights), 8, tokens), rtol=0, atol=TOLERANCE)


def test_plain_pytorch_serves_where_nothing_else_is_right(weights: Flow) -> None:
    """Also in half precision, where a right way has a wider tolerance; all pages are free again."""
    flow, told = serve(weights, paged=True, kv_bytes=1 << 20, dtype=torch.bfloat16), list[str]()
    flow.speed_up([candidate("bad", partial(Wrong, "no tails"))], told.append)
    assert told[-1] == "the flow uses plain PyTorch" and len(told) == 2
    pool = flow.memory.pool
    assert pool is not None and pool.free_pages == (1 << 20) // (pool.page_frames * pool.frame_bytes)


def test_what_was_checked_is_what_serves(weights: Flow) -> None:
    """Each number of slots is checked, and steps go the way that was taken."""
    flow, sizes = serve(weights, paged=True, slot_classes=SIZES), list[int]()

    def counting(slots: SlotRows, pool: PagePool, rotation: Tensor) -> PlainKernels:
        sizes.append(slots.slots)
        return PlainKernels(slots, pool, rotation)

    flow.speed_up([candidate("counting", counting)], lambda _: None)
    assert sizes == list(SIZES)
    recompute(flow, 0, ids(12, seed=1))
    assert sizes[len(SIZES) :] == [4, 4, 4]
