"""Captured work, and the calls of PyTorch that capture it on a GPU: stand-ins for these, held to their signatures."""

from __future__ import annotations

from collections.abc import Iterator
from unittest.mock import MagicMock, call, create_autospec, patch

import pytest
import torch
from torch import Tensor

from cosyvoice.graphs import GraphRun, cuda_capture
from rtserver.engine.acoustic.device import capture_on
from tests.cosyvoice.captures import Rerun


def test_inputs_are_copied_and_outputs_are_copies() -> None:
    """Smaller inputs fill the first part; what was returned does not change when the work is repeated."""
    capture = Rerun()
    run = GraphRun(lambda x, y: (x + y, x.clone()), (torch.zeros(2, 3), torch.zeros(2, 3)), capture)
    first, _ = run(torch.ones(2, 3), torch.ones(2, 3))
    second, own = run(torch.full((1, 2), 5.0), torch.ones(2, 3))
    assert first.tolist() == [[2, 2, 2]] * 2
    assert second.tolist() == [[6, 6, 2], [2, 2, 2]] and own[0].tolist() == [5, 5, 1]
    assert (capture.captured, capture.repeated) == (1, 2)


def test_another_number_of_inputs_is_an_error() -> None:
    """None is left out."""
    run = GraphRun(lambda x, y: (x + y,), (torch.zeros(1), torch.zeros(1)), Rerun())
    with pytest.raises(ValueError, match="shorter"):
        run(torch.ones(1))


@pytest.fixture
def cuda() -> Iterator[MagicMock]:
    """PyTorch's calls, in the order in which they are made. Each takes only what the real one takes."""
    calls = MagicMock()
    real = torch.cuda
    names = ("graph_pool_handle", "Stream", "current_stream", "stream", "CUDAGraph", "graph")
    with patch.multiple(real, **{name: create_autospec(getattr(real, name)) for name in names}):
        for name in names:
            calls.attach_mock(getattr(real, name), name)
        yield calls


def test_work_is_captured_after_it_ran_on_another_stream(cuda: MagicMock) -> None:
    """Which waits for the current one, and is waited for. Later captures use the same pool and the same stream."""
    capture, runs = cuda_capture(), list[str]()

    def work() -> tuple[Tensor]:
        inside = [entry[0] for entry in cuda.mock_calls if entry[0].endswith(("__enter__", "__exit__"))]
        runs.append(inside[-1])
        return (torch.ones(1),)

    captured = capture(work)
    assert runs == ["stream().__enter__", "stream().__enter__", "graph().__enter__"]
    assert captured.outputs[0].tolist() == [1]
    pool, graph = cuda.graph_pool_handle.return_value, cuda.CUDAGraph.return_value
    aside, current = cuda.Stream.return_value, cuda.current_stream.return_value
    assert cuda.graph.call_args == call(graph, pool=pool, stream=aside)
    aside.wait_stream.assert_called_once_with(current)
    current.wait_stream.assert_called_once_with(aside)
    graph.replay.assert_not_called()
    captured.repeat()
    graph.replay.assert_called_once_with()
    capture(work)
    assert (cuda.graph_pool_handle.call_count, cuda.Stream.call_count) == (1, 1)


def test_only_a_gpu_captures(cuda: MagicMock) -> None:
    """A CPU has nothing for that."""
    assert capture_on("cpu") is None
    assert capture_on("cuda:0") is not None
