"""Repetition-aware sampling in closed form and its keyed noise."""

import json

import pytest
import torch
from safetensors import safe_open

from cosyvoice.parity.talker import original_draw
from cosyvoice.serving_config import SamplingConfig
from cosyvoice.talker.sampling import keyed_gumbel, padded_history, ras_log_probs, row_key
from tests.paths import GOLDEN_DIR

pytestmark = pytest.mark.model

GOLDEN = GOLDEN_DIR / "ras.safetensors"
CONFIG = SamplingConfig()


def golden_case(index: int) -> tuple[torch.Tensor, list[int]]:
    with safe_open(GOLDEN, "pt") as file:
        case = json.loads(file.metadata()["json"])["cases"][index]
        return file.get_tensor(f"scores{index}"), case["decoded_tail"]


@pytest.mark.parametrize("index", range(6))
def test_closed_form_is_the_distribution_of_the_original_draw(index: int) -> None:
    """Frequencies of 20,000 draws by the original's two steps agree with the closed form within sampling error."""
    scores, tail = golden_case(index)
    p = ras_log_probs(scores[None], torch.tensor(padded_history([tail], 10)), CONFIG)[0].exp()
    assert p.sum().item() == pytest.approx(1.0, abs=1e-5)
    generator = torch.Generator().manual_seed(1)
    draws = 4000
    counts = torch.zeros_like(p)
    for _ in range(draws):
        counts[original_draw(scores, tail, CONFIG, generator)] += 1
    top = p.topk(12).indices
    error = (p[top] * (1 - p[top]) / draws).sqrt()
    assert ((counts[top] / draws - p[top]).abs() < 4.5 * error + 1e-6).all()
    rest = 1 - p[top].sum()
    assert (1 - counts[top].sum() / draws - rest).abs() < 4.5 * (rest.clamp_min(0) / draws).sqrt() + 1e-3


def test_noise_has_the_gumbel_distribution() -> None:
    """Mean, variance and the tails of 200,000 values are those of a standard Gumbel."""
    keys = torch.tensor([row_key(5, position) for position in range(100)])
    noise = keyed_gumbel(keys, torch.arange(2000)).double()
    assert noise.isfinite().all()
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.01)
    assert noise.var().item() == pytest.approx(torch.pi**2 / 6, abs=0.03)
    for quantile in (0.01, 0.5, 0.99, 0.999):
        threshold = -torch.log(-torch.log(torch.tensor(quantile, dtype=torch.float64)))
        assert (noise < threshold).double().mean().item() == pytest.approx(quantile, abs=0.004)


def test_noise_is_uncorrelated_between_neighbours() -> None:
    """Adjacent positions, seeds and ids give uncorrelated noise."""
    keys = torch.tensor([row_key(seed, position) for seed in range(20) for position in range(20)])
    noise = keyed_gumbel(keys, torch.arange(1000)).view(20, 20, 1000)
    for a, b in (
        (noise[1:], noise[:-1]),
        (noise[:, 1:], noise[:, :-1]),
        (noise[..., 1:], noise[..., :-1]),
    ):
        correlation = torch.corrcoef(torch.stack([a.flatten(), b.flatten()]))[0, 1]
        assert abs(correlation.item()) < 0.01


def test_maximum_draws_from_the_distribution() -> None:
    """Argmax of log p + noise over 5,000 positions has frequencies p."""
    scores, tail = golden_case(4)
    log_p = ras_log_probs(scores[None], torch.tensor(padded_history([tail], 10)), CONFIG)
    keys = torch.tensor([row_key(11, position) for position in range(5000)])
    picks = torch.cat([(log_p + keyed_gumbel(k, torch.arange(log_p.shape[-1]))).argmax(-1) for k in keys.split(500)])
    p = log_p[0].exp()
    frequency = torch.bincount(picks, minlength=len(p)) / 5000
    top = p.topk(6).indices
    assert ((frequency[top] - p[top]).abs() < 4.5 * (p[top] / 5000).sqrt()).all()


def test_a_row_does_not_depend_on_its_batch() -> None:
    """The noise of a row is the same alone, in a batch, and at any width."""
    keys = torch.tensor([row_key(s, s * 7) for s in range(8)])
    batch = keyed_gumbel(keys, torch.arange(300))
    assert torch.equal(batch[3], keyed_gumbel(keys[3:4], torch.arange(300))[0])
    assert torch.equal(batch[3, :100], keyed_gumbel(keys[3:4], torch.arange(100))[0])


def test_history_is_cut_and_padded() -> None:
    """Histories become rows of the window's width, newest last."""
    assert padded_history([[1, 2, 3, 4], [5], []], 3) == [[2, 3, 4], [-1, -1, 5], [-1, -1, -1]]
