"""The flow's fixed noise and time grid."""

from __future__ import annotations

import pytest
import torch

from cosyvoice.flow.ode import NOISE_FRAMES, cosine_grid, flow_noise
from cosyvoice.parity.flow import NOISE_TOLERANCE
from cosyvoice.parity.golden import Golden, deviation
from tests.paths import GOLDEN_DIR

GOLDEN = Golden(GOLDEN_DIR)


def test_noise_is_the_originals() -> None:
    """Its start has the recorded numbers, the whole of it the sums of what the original draws."""
    noise = flow_noise()
    assert noise.shape == (NOISE_FRAMES, 80)
    golden = GOLDEN.tensors("noise")[0]["flow.rand_noise"][0].T
    assert deviation(noise[: len(golden)], golden) <= NOISE_TOLERANCE
    # Sums of 1.2 million numbers that are each right to the tolerance above; the errors are random and largely cancel.
    assert noise.double().sum().item() == pytest.approx(-1291.20, abs=0.1)
    assert noise.double().square().sum().item() == pytest.approx(1199689.95, abs=0.1)


def test_noise_leaves_the_process_generator_alone() -> None:
    """Drawing the noise moves nobody else's random numbers."""
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    flow_noise()
    assert torch.equal(torch.rand(1), expected)


def test_grid_has_the_recorded_times() -> None:
    """Ten steps are taken at the times the original passed to its estimator, and end at 1."""
    times, deltas = cosine_grid(10)
    torch.testing.assert_close(times, GOLDEN.tensors("flow_offline")[0]["t_all"], rtol=0, atol=1e-7)
    assert times[-1].item() + deltas[-1] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("steps", [1, 2, 7])
def test_grid_of_any_number_of_steps_covers_the_unit_interval(steps: int) -> None:
    """The step sizes are positive and add up to 1."""
    times, deltas = cosine_grid(steps)
    assert len(times) == len(deltas) == steps
    assert min(deltas) > 0
    assert sum(deltas) == pytest.approx(1, abs=1e-6)


def test_grid_needs_a_step() -> None:
    """No steps are refused."""
    with pytest.raises(ValueError, match="expected at least 1, found 0"):
        cosine_grid(0)
