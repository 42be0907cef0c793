"""The flow in one pass: recorded mels, the training form, and what it refuses."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from cosyvoice.config import DitConfig, FlowConfig, ModelConfig
from cosyvoice.errors import CheckpointError, VoiceError
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.ode import cosine_grid, flow_noise
from cosyvoice.flow.stepper import FlowStepper
from cosyvoice.models import NANO
from cosyvoice.parity.golden import Golden, deviation
from tests.cosyvoice.flow.speaking import FORMS, serve
from tests.paths import GOLDEN_DIR

pytestmark = pytest.mark.model

GOLDEN = Golden(GOLDEN_DIR)
TINY = FlowConfig(vocab=6561, lookahead_channels=48, dit=DitConfig(dim=64, depth=3, heads=4, head_dim=16))
SMALL = FlowConfig(vocab=60, lookahead_channels=12, dit=DitConfig(dim=32, depth=2, heads=2, head_dim=16), euler_steps=3)
TOLERANCE = 2e-5  # between independent implementations; fp32 rounding grows over ten steps


@pytest.fixture(scope="module")
def tiny() -> Flow:
    """The recorded flow. Loading is strict: names and shapes are the released ones."""
    flow = Flow(TINY).requires_grad_(False)
    flow.load_state_dict(GOLDEN.tensors("tiny_flow")[0], strict=True)
    return flow


@pytest.fixture(scope="module", params=[False, True], ids=["blocks", "pages"])
def prepared(tiny: Flow, request: pytest.FixtureRequest) -> FlowStepper:
    """The recorded flow, serving."""
    return serve(tiny, paged=request.param)


@pytest.fixture(scope="module")
def recorded() -> dict[str, Tensor]:
    """Inputs, internals and mels of the original."""
    return GOLDEN.tensors("flow_offline")[0]


def full(
    flow: FlowStepper, recorded: dict[str, Tensor], tokens: int | None, *, block_mask: bool, finalize: bool
) -> Tensor:
    """The mel of the recorded prompt and the first `tokens` recorded tokens."""
    prompt = (recorded["prompt_token"], recorded["prompt_feat"], recorded["embedding"])
    return flow.full(recorded["token"][:, :tokens], *prompt, block_mask=block_mask, finalize=finalize)


@pytest.mark.parametrize(
    ("mel", "tokens", "block_mask", "finalize"),
    [
        ("mel_offline", None, False, True),
        ("mel_streaming_mask_finalize", None, True, True),
        ("mel_prefix20_streaming", 23, True, False),
        ("mel_prefix38_streaming", 41, True, False),
    ],
)
def test_full_pass_gives_the_recorded_mel(
    prepared: FlowStepper,
    recorded: dict[str, Tensor],
    mel: str,
    tokens: int | None,
    block_mask: bool,
    finalize: bool,
) -> None:
    """Offline, chunk mask, and prefixes with look-ahead give the original's mel."""
    ours = full(prepared, recorded, tokens, block_mask=block_mask, finalize=finalize)
    assert deviation(ours, recorded[mel]) < TOLERANCE


@pytest.mark.parametrize("name", ["tts_stream", "tts_stream_hop25", "tts_offline"])
def test_full_pass_gives_the_mel_of_every_recorded_hop(
    prepared: FlowStepper, recorded: dict[str, Tensor], name: str
) -> None:
    """Each flow call of the original's streaming loops is reproduced."""
    tensors, meta = GOLDEN.tensors(name)
    calls = [(i, event[1]) for i, event in enumerate(meta["events"]) if event[0] == "flow"]
    assert calls
    for i, call in calls:
        ours = full(prepared, recorded, call["n_token"], block_mask=call["streaming"], finalize=call["finalize"])
        assert deviation(ours, tensors[f"ev{i}.flow_mel"]) < TOLERANCE, (name, i)


def test_internals_are_the_recorded_ones(tiny: Flow, recorded: dict[str, Tensor]) -> None:
    """Look-ahead output, token signal, speaker, and the raw velocities of the first and last step agree."""
    tokens = torch.cat([recorded["prompt_token"], recorded["token"]], 1)
    hidden = tiny.pre_lookahead_layer(tiny.input_embedding(tokens), final=True)
    assert deviation(hidden, recorded["prelook_out"]) < 1e-5
    hidden = tiny.pre_lookahead_layer(tiny.input_embedding(tokens[:, :78]), final=False)
    assert deviation(hidden, recorded["prelook_out_75_ctx3"]) < 1e-5
    mu, speaker = tiny.token_signal(tokens), tiny.speaker(recorded["embedding"])
    assert deviation(mu, recorded["step1.mu"]) < 1e-5
    assert deviation(speaker, recorded["spk80"]) < 1e-6
    cond = torch.zeros_like(mu)
    cond[:, :, :74] = recorded["prompt_feat"].transpose(1, 2)
    for number, name in ((0, "step1"), (9, "step10")):
        rows = [torch.cat([part, torch.zeros_like(part)]) for part in (mu, speaker, cond)]
        x, t = recorded[f"{name}.x"].expand(2, -1, -1), recorded["t_all"][number].repeat(2)
        velocity = tiny.decoder.estimator(x, rows[0], t, rows[1], rows[2])
        assert deviation(velocity, recorded[f"{name}.dphi"]) < 1e-5


def test_released_size_has_the_released_parameters() -> None:
    """At the released sizes the module has flow.pt's 332,257,088 parameters in 330 tensors."""
    with torch.device("meta"):
        dit = DitConfig(dim=1024, depth=22, heads=16, head_dim=64)
        flow = Flow(FlowConfig(vocab=6561, lookahead_channels=1024, dit=dit))
    assert sum(p.numel() for p in flow.parameters()) == 332_257_088
    assert len(flow.state_dict()) == 330


@pytest.mark.parametrize("block_mask", [False, True])
@pytest.mark.parametrize("cfg_rate", [0.7, 1.5, 0.0])
def test_training_forward_is_what_serving_integrates(block_mask: bool, cfg_rate: float) -> None:
    """Euler steps over the trainable module's velocities, without guidance the conditional one alone, give the serving
    form's mel, and it has gradients."""
    torch.manual_seed(0)
    flow = Flow(replace(SMALL, cfg_rate=cfg_rate))
    tokens, embedding = torch.randint(60, (1, 40)), torch.randn(1, 192)
    cond = torch.zeros(1, 80, 80)
    cond[:, :, :20] = torch.randn(80, 20)
    serving = serve(flow)
    prompt = (tokens[:, :10], cond[:, :, :20].transpose(1, 2), embedding)
    expected = serving.full(tokens[:, 10:], *prompt, block_mask=block_mask, finalize=True)
    x = flow_noise()[:80].t()[None]
    chunk_frames = SMALL.chunk_frames if block_mask else None
    with torch.no_grad():
        for t, dt in zip(*cosine_grid(3), strict=True):
            conditional = flow(x, t[None], tokens, embedding, cond, block_mask=block_mask)
            zeros = torch.zeros_like(x)
            unconditional = flow.decoder.estimator(
                x, zeros, t[None], torch.zeros(1, 80), zeros, chunk_frames=chunk_frames
            )
            pushed = 0 if cfg_rate == 0 else cfg_rate * (conditional - unconditional)
            x = x + dt * (conditional + pushed)
    torch.testing.assert_close(x[:, :, 20:], expected, rtol=0, atol=TOLERANCE)
    flow(x, torch.rand(1), tokens, embedding, cond, block_mask=block_mask).square().mean().backward()
    assert all(p.grad is not None for p in flow.parameters())


def test_preparing_lets_the_training_weights_go() -> None:
    """The serving form keeps none of the module's parameters alive and is not moved by further training."""
    flow = Flow(SMALL)
    serving = serve(flow)
    prompt = (torch.arange(5), torch.randn(10, 80), torch.randn(192))
    before = serving.full(range(10), *prompt, block_mask=True, finalize=True)
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(1)
    assert torch.equal(serving.full(range(10), *prompt, block_mask=True, finalize=True), before)
    watched = [weakref.ref(p) for p in flow.parameters()]
    del flow, parameter
    gc.collect()
    assert all(ref() is None for ref in watched)


@FORMS
def test_half_precision_stays_near(paged: bool) -> None:
    """With bf16 weights and caches the mel stays within a few percent of its spread; noise and state stay fp32."""
    config = ModelConfig.load(NANO).flow
    torch.manual_seed(0)
    flow = Flow(config)
    prompt = (torch.randint(config.vocab, (10,)), torch.randn(20, 80), torch.randn(192))
    tokens = torch.randint(config.vocab, (25,))
    exact = serve(flow).full(tokens, *prompt, block_mask=True, finalize=True)
    half = serve(flow, dtype=torch.bfloat16, paged=paged).full(tokens, *prompt, block_mask=True, finalize=True)
    assert half.dtype == torch.float32
    assert 0 < (half - exact).abs().mean() < 0.03 * exact.std()


def test_another_rotation_is_refused() -> None:
    """A checkpoint with other rotary frequencies is refused; one rounded to half precision is not."""
    flow = Flow(SMALL)
    rotary = flow.decoder.estimator.rotary_embed
    rotary.inv_freq = rotary.inv_freq.half()
    serve(flow)
    rotary.inv_freq = rotary.inv_freq * 2
    with pytest.raises(CheckpointError, match="inv_freq"):
        serve(flow)


@pytest.mark.parametrize(
    ("tokens", "mel", "speaker", "message"),
    [
        ([1, 2], torch.zeros(5, 80), torch.zeros(192), r"expected \[4, 80\] for 2 prompt tokens, found \[5, 80\]"),
        ([1, 2], torch.zeros(80, 4), torch.zeros(192), r"prompt_mel: .* found \[80, 4\]"),
        ([1, 2], torch.zeros(4, 80), torch.zeros(191), r"speaker: expected 192 numbers, found \[191\]"),
        ([1, 60], torch.zeros(4, 80), torch.zeros(192), r"expected ids 0\.\.59, found 60"),
    ],
)
def test_a_prompt_that_does_not_fit_is_refused(
    tokens: Sequence[int], mel: Tensor, speaker: Tensor, message: str
) -> None:
    """VoiceError says what was expected and what was found."""
    with pytest.raises(VoiceError, match=message):
        serve(Flow(SMALL)).voice(tokens, mel, speaker)


@pytest.mark.parametrize(
    ("tokens", "mode", "message"),
    [
        ([], {"finalize": True}, "at least one"),
        ([1, 2, 3], {"finalize": False}, "at least one"),
        ([1, -1], {"finalize": True}, "found -1"),
        ([1] * 7501, {"finalize": True}, "at most 15000 frames with the prompt, found 15002"),
    ],
)
def test_tokens_that_cannot_be_spoken_are_refused(tokens: list[int], mode: dict[str, Any], message: str) -> None:
    """No frames to compute, unknown ids, and more frames than there is noise for raise ValueError."""
    flow = serve(Flow(SMALL))
    with pytest.raises(ValueError, match=message):
        flow.full(tokens, [], torch.zeros(0, 80), torch.ones(192), block_mask=True, **mode)


def test_blocks_have_at_least_a_chunk() -> None:
    """Blocks of no chunks are refused."""
    with pytest.raises(ValueError, match="block_chunks: expected at least 1, found 0"):
        serve(Flow(SMALL), block_chunks=0)
