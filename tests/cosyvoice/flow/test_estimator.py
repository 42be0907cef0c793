"""The lengths of packed batches."""

from __future__ import annotations

from contextlib import closing

import pytest
from torch import Tensor

from cosyvoice.flow import estimator
from cosyvoice.flow.estimator import padding_frames
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.kernels import linear
from cosyvoice.flow.stream import FlowStream
from tests.cosyvoice.flow.speaking import ids, make_voice, serve


def test_batches_have_few_lengths_and_whole_chunks_are_not_made_longer() -> None:
    """Four hops of up to a chunk each have 26 lengths instead of 100; none gets more than a fourth or 9 frames."""
    lengths = {frames + padding_frames(frames) for frames in range(2, 201, 2)}
    assert len(lengths) == 26
    assert all(padding_frames(50 * chunks) == 0 for chunks in range(1, 9))
    assert all(0 <= padding_frames(frames) < 10 for frames in range(1, 401))


@pytest.mark.model
def test_products_on_a_cpu_have_these_lengths(weights: Flow, monkeypatch: pytest.MonkeyPatch) -> None:
    """Last hops of any length, alone and side by side."""
    seen: set[int] = set()

    def noted(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        seen.add(x.shape[-2])
        return linear(x, weight, bias)

    flow = serve(weights)
    monkeypatch.setattr(estimator, "linear", noted)
    for tokens in (3, 7, 12, 21):
        with (
            closing(FlowStream(flow, make_voice(flow, 0))) as one,
            closing(FlowStream(flow, make_voice(flow, 0))) as two,
        ):
            jobs = [one.hop(ids(tokens, seed=1), final=True), two.hop(ids(23, seed=2), final=True)]
            while not jobs[0].done:
                flow.tick(jobs)
    # 2 * (tokens + 23) frames are 52, 60, 70 and 88.
    assert seen == {60, 70, 90}
