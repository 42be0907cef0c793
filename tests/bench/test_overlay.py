"""A model directory with other serving values."""

import json
from pathlib import Path

import pytest

from bench.load.overlay import overlaid
from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from rtserver.engine.acoustic.models import AcousticModels


@pytest.mark.model
def test_voices_see_the_values(tmp_path: Path) -> None:
    """What is overlaid reaches the voices, which keep the model's configuration; all else is the model's."""
    overlay = overlaid(NANO, {"streaming_talker_prompt": True}, tmp_path)
    plain, changed = (
        AcousticModels(model, kv_bytes=64 << 20).voice("英文女", "sft", "", "en") for model in (NANO, overlay)
    )
    assert not plain.talker_prompt(streaming=True).speech
    assert changed.talker_prompt(streaming=True).speech == plain.talker_prompt(streaming=False).speech != ()
    assert ModelConfig.load(overlay).serving.styles == ModelConfig.load(NANO).serving.styles


def test_a_model_without_serving_values(tmp_path: Path) -> None:
    """Such a directory keeps the defaults but for those given."""
    model, into = tmp_path / "model", tmp_path / "into"
    model.mkdir()
    into.mkdir()
    (model / "weights.bin").write_bytes(b"weights")
    overlaid(model, {"sequence_s": 4.0}, into)
    assert json.loads((into / "serving.json").read_text(encoding="utf-8")) == {"sequence_s": 4.0}
    assert (into / "weights.bin").read_bytes() == b"weights"
