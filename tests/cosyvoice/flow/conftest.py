"""The small flow, once for all modules."""

from __future__ import annotations

import pytest
import torch

from cosyvoice.flow.flow import Flow
from cosyvoice.flow.stepper import FlowStepper
from tests.cosyvoice.flow.speaking import SMALL, serve


@pytest.fixture(scope="session")
def weights() -> Flow:
    """A small random flow."""
    torch.manual_seed(0)
    return Flow(SMALL).requires_grad_(False)


@pytest.fixture(params=[False, True], ids=["blocks", "pages"])
def flow(weights: Flow, request: pytest.FixtureRequest) -> FlowStepper:
    """The small flow, serving, with small blocks or with pages, and an ample budget."""
    return serve(weights, block_chunks=3, paged=request.param)
