"""The excitation noise that no checkpoint holds."""

import pytest
import torch

from cosyvoice.vocoder.sine_noise import sine_noise


def test_bit_for_bit_the_original_draws() -> None:
    """The table equals what the original's module construction leaves the CPU generator to draw."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        torch.randn([1, 80, 50 * 300])
        torch.nn.Embedding(6561, 80)
        torch.nn.Linear(192, 80)
        torch.nn.Conv1d(80, 512, 4)
        for _ in range(4):
            torch.nn.Conv1d(512, 512, 3)
        torch.nn.Linear(512, 1)
        torch.rand(1, 9)
        drawn = torch.rand(1, 4800, 9)[0]
    assert torch.equal(sine_noise(0.2), drawn)
    assert torch.allclose(drawn[0, :4], torch.tensor([0.92283, 0.47745, 0.82705, 0.28346]), atol=1e-5)


def test_a_shorter_table_is_the_beginning_of_a_longer_one() -> None:
    """How much is generated does not change what comes first."""
    assert torch.equal(sine_noise(0.1), sine_noise(0.3)[:2400])


def test_the_process_wide_generator_is_left_alone() -> None:
    """Making the table neither uses nor moves torch's default generator."""
    sine_noise.cache_clear()
    torch.manual_seed(5)
    state = torch.get_rng_state()
    sine_noise(0.05)
    assert torch.equal(torch.get_rng_state(), state)


def test_made_once_per_process() -> None:
    """A second call returns the same memory."""
    assert sine_noise(0.1) is sine_noise(0.1)


def test_too_short() -> None:
    """Less than one sample is refused with what was found."""
    with pytest.raises(ValueError, match=r"at least one sample, found 0\.0"):
        sine_noise(0.0)
