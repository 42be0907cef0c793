"""The export: a model directory with the averaged weights of what has been trained, and how it was trained."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cosyvoice.checkpoint import load_talker_state
from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from cosyvoice.nano import export


def test_trained_parts_replace_those_of_the_model(tmp_path: Path) -> None:
    """The talker comes from its training, flow and vocoder from the model; the directory loads, the note says how."""
    _, state = load_talker_state(ModelConfig.load(NANO))
    state["llm.model.model.norm.weight"] = state["llm.model.model.norm.weight"] + 1
    (tmp_path / "talker").mkdir()
    torch.save({"average": {"talker": state}}, tmp_path / "talker" / "talker.pt")
    (tmp_path / "talker" / "note.json").write_text(json.dumps({"rate": 0.5, "steps": 7}))
    export.run(tmp_path, NANO, tmp_path / "model")
    _, exported = load_talker_state(ModelConfig.load(tmp_path / "model"))
    assert all(torch.allclose(exported[name], state[name], atol=1e-2, rtol=1e-3) for name in state)
    assert (tmp_path / "model" / "flow.safetensors").read_bytes() == (NANO / "flow.safetensors").read_bytes()
    note = json.loads((tmp_path / "model" / export.NOTE).read_text())
    assert note["talker"] == {"rate": 0.5, "steps": 7}
    assert ModelConfig.load(tmp_path / "model").serving.styles == ()  # there are no hours of any
    export.run(tmp_path, NANO, tmp_path / "model")  # over an earlier one
    assert load_file(tmp_path / "model" / "llm.safetensors")["speech_embedding.weight"].dtype == torch.float16


def test_numbers_that_half_precision_cannot_hold_are_refused() -> None:
    """An overflow or a NaN names its tensor."""
    for bad in (1e6, float("nan")):
        with pytest.raises(ValueError, match=r"layer\.weight: expected finite numbers"):
            export.halved({"layer.weight": torch.tensor([1.0, bad])})
