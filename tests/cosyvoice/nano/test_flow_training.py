"""Training of the flow: padding counts for nothing, guidance's second row gets nothing, steps lower the loss."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from cosyvoice.config import DitConfig, FlowConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.models import NANO
from cosyvoice.nano.data import codes, features
from cosyvoice.nano.data.corpus_codes import SpokenCorpus
from cosyvoice.nano.data.speakers import speaker_vector
from cosyvoice.nano.flow.training import FlowSettings, FlowTraining, guided_target
from cosyvoice.nano.training.loop import Schedule, train
from cosyvoice.voice.spk2info import load_spk2info
from tests.cosyvoice.nano.corpora import speak

pytestmark = pytest.mark.model

CONFIG = FlowConfig(vocab=30, lookahead_channels=8, dit=DitConfig(dim=32, depth=2, heads=2, head_dim=16))


@pytest.mark.parametrize("block_mask", [False, True])
def test_padding_counts_for_nothing(block_mask: bool) -> None:
    """A short row in a batch has the velocity it has alone, whatever its padding holds."""
    torch.manual_seed(0)
    flow = Flow(CONFIG).eval()
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    frames, short = 120, 70
    x, cond, tokens = torch.randn(2, 80, frames), torch.randn(2, 80, frames), torch.randint(0, 30, (2, frames // 2))
    times, speakers = torch.tensor([0.3, 0.6]), torch.randn(2, 192)
    with torch.no_grad():
        together = flow(x, times, tokens, speakers, cond, block_mask=block_mask, lengths=torch.tensor([frames, short]))[
            1, :, :short
        ]
        alone = flow(
            x[1:, :, :short], times[1:], tokens[1:, : short // 2], speakers[1:], cond[1:, :, :short],
            block_mask=block_mask,
        )[0]  # fmt: skip
    assert torch.allclose(together, alone, atol=1e-4)


def test_the_unconditional_row_is_given_nothing() -> None:
    """Its velocity does not depend on tokens, speaker or condition; the other rows' do."""
    torch.manual_seed(0)
    flow = Flow(CONFIG).eval()
    for parameter in flow.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    x, times = torch.randn(2, 80, 40), torch.tensor([0.3, 0.3])
    which = torch.tensor([True, False])

    def velocity() -> Tensor:
        tokens, speakers, cond = torch.randint(0, 30, (2, 20)), torch.randn(2, 192), torch.randn(2, 80, 40)
        return flow(x, times, tokens, speakers, cond, unconditional=which)  # type: ignore[no-any-return]

    with torch.no_grad():
        first, second = velocity(), velocity()
    assert torch.equal(first[0], second[0])
    assert not torch.allclose(first[1], second[1])


def test_speaker_vectors_are_those_of_the_checkpoint() -> None:
    """The named voices keep the directions that earlier weights were trained with; a mixture lies between."""
    stored = load_spk2info(NANO / "spk2info.pt", 2187)
    for name, teacher in (("中文女", "zf_xiaoxiao"), ("英文女", "hibari"), ("英文男", "am_michael")):
        assert torch.allclose(stored[name].speaker, speaker_vector(teacher), atol=1e-6)
    mixed = speaker_vector("mix-zh-059")
    assert float(mixed.norm()) == pytest.approx(1.0, abs=1e-5)
    assert max(float(mixed @ speaker_vector(v)) for v in ("zf_xiaobei", "zf_xiaoni", "zm_yunxia", "zf_xiaoyi")) > 0.3


def test_the_guided_velocity_is_its_own_target() -> None:
    """Learning rests at (1 + guidance) * plain - guidance * free and goes towards it from anywhere else."""
    plain, free = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 1.0])
    guided = 1.7 * plain - 0.7 * free
    assert torch.allclose(guided_target(plain, guided, free, 0.7), guided)
    velocity = plain
    for _ in range(40):
        velocity = guided_target(plain, velocity, free, 0.7)
    assert torch.allclose(velocity, guided, atol=1e-4)


def test_steps_lower_the_loss_from_the_checkpoint_on(tmp_path: Path) -> None:
    """A few steps on made-up speech bring the held-out mels that Euler steps lead to nearer."""
    speak(tmp_path, {"hibari": 6, "am_michael": 6}, hold_out=True)
    features.run(tmp_path)
    codes.run(tmp_path, NANO)
    settings = FlowSettings(frames_a_step=400, plentiful=1.0, guidance=0.0)
    training = FlowTraining(SpokenCorpus(tmp_path, NANO), tmp_path, NANO, settings)
    state = train(training, tmp_path / "flow", Schedule(8, warm_up=1), evaluate_every=8)
    first, last = (entry for entry in state.history if entry["kind"] == "held out")
    names = set(first) - {"step", "kind"}
    assert names
    assert all(last[name] < first[name] for name in names)
    assert any(one.known for batch in training.epoch(0, 14) for one in batch)
