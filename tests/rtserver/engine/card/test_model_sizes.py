"""Sizes from the configuration, against the networks themselves."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.model.random_checkpoint import SMALL, TRUE, Sizes, write_configuration
from cosyvoice.checkpoint import talker_shapes
from cosyvoice.config import ModelConfig
from cosyvoice.flow.flow import Flow
from cosyvoice.flow.memory import FlowMemory
from cosyvoice.models import NANO
from cosyvoice.vocoder.hift import Hift
from rtserver.engine.card.model_sizes import RELEASED, ModelSizes


@pytest.fixture(params=["small", "true", "nano"])
def config(request: pytest.FixtureRequest, tmp_path: Path) -> ModelConfig:
    sizes: dict[str, Sizes] = {"small": SMALL, "true": TRUE}
    if request.param == "nano":
        return ModelConfig.load(NANO)
    write_configuration(tmp_path, sizes[request.param])
    return ModelConfig.load(tmp_path)


def test_parameters_are_those_of_the_networks(config: ModelConfig) -> None:
    """Talker, vocoder and f0 exactly; the flow without AdaLN and time embedding, and with what replaces them."""
    sizes = ModelSizes.of(config)
    shapes = talker_shapes(config.talker).values()
    assert sizes.talker_parameters == sum(torch.Size(shape).numel() for shape in shapes)
    with torch.device("meta"):
        hift, flow = Hift(config.vocoder), Flow(config.flow)
    assert sizes.vocoder_parameters == sum(p.numel() for p in hift.parameters())
    assert sizes.f0_parameters == sum(p.numel() for p in hift.f0_predictor.parameters())
    kept = sum(p.numel() for name, p in flow.named_parameters() if "norm" not in name and "time_embed" not in name)
    dit = config.flow.dit
    assert sizes.flow_parameters == kept + config.flow.euler_steps * (6 * dit.depth + 2) * dit.dim


def test_keys_and_values_are_those_of_the_flow_memory(config: ModelConfig) -> None:
    """A frame and a set of tails take as much as the flow's memory says."""
    sizes, memory = ModelSizes.of(config), FlowMemory(config.flow, device="meta")
    assert 4 * sizes.flow_frame_numbers == memory.kv_shape.frame_bytes
    assert 4 * sizes.flow_tail_numbers == memory.tails_shape.size_bytes
    pool = FlowMemory(config.flow, device="meta", paged=True).pool
    assert pool is not None and sizes.chunk_frames == pool.page_frames
    page_bytes = 4 * (sizes.chunk_frames * sizes.flow_frame_numbers + sizes.flow_tail_numbers)
    assert page_bytes <= pool.page_frames * pool.frame_bytes < page_bytes + pool.page_frames
    assert 4 * sizes.flow_sheet_numbers == pool.sheets[0].nbytes


def test_the_released_sizes_are_those_of_a_true_size_directory(tmp_path: Path) -> None:
    """A plan without the checkpoint is the same as with it."""
    write_configuration(tmp_path, TRUE)
    assert ModelSizes.of(ModelConfig.load(tmp_path)) == RELEASED
