"""The exported talker: merged tables, cached by content."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CheckpointError
from cosyvoice.models import NANO
from cosyvoice.talker import export
from cosyvoice.talker.export import export_talker

pytestmark = pytest.mark.model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the embedded checkpoint's talker."""
    directory = tmp_path / "model"
    directory.mkdir()
    for name in ("cosyvoice3.yaml", "serving.json", "llm.safetensors"):
        shutil.copy(NANO / name, directory)
    shutil.copytree(NANO / "CosyVoice-BlankEN", directory / "CosyVoice-BlankEN")
    return directory


def test_speech_rows_come_first(model: Path, tmp_path: Path) -> None:
    """The merged table is speech rows then text rows; vLLM's vocabulary is the head's width; norms keep their names."""
    config = ModelConfig.load(model)
    exported = export_talker(config, tmp_path / "cache")
    source, merged = load_file(model / "llm.safetensors"), load_file(exported / "model.safetensors")
    table = torch.cat([source["speech_embedding.weight"], source["llm.model.model.embed_tokens.weight"]])
    assert torch.equal(merged["model.embed_tokens.weight"], table.float())
    assert torch.equal(merged["lm_head.weight"], source["llm_decoder.weight"].float())
    assert "model.layers.5.self_attn.q_proj.bias" in merged and "model.norm.weight" in merged
    written = json.loads((exported / "config.json").read_text())
    assert (written["vocab_size"], written["embed_vocab_size"]) == (2387, 2387 + 512)


def test_made_once_and_anew_for_other_weights(model: Path, tmp_path: Path) -> None:
    """The same weights give the same directory untouched, other weights another one."""
    config = ModelConfig.load(model)
    first = export_talker(config, tmp_path / "cache")
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert export_talker(config, tmp_path / "cache") == first
    assert (first / "model.safetensors").stat().st_mtime_ns == stamp
    state = load_file(model / "llm.safetensors")
    state["llm_decoder.weight"] = state["llm_decoder.weight"] * 2
    save_file(state, model / "llm.safetensors")
    assert export_talker(config, tmp_path / "cache") != first


def test_an_interrupted_export_leaves_nothing(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is half written goes; the next call exports; a directory an older interruption left is replaced."""
    config = ModelConfig.load(model)

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(export, "save_file", interrupted)
        with pytest.raises(KeyboardInterrupt):
            export_talker(config, tmp_path / "cache")
    assert list((tmp_path / "cache" / "talker").iterdir()) == []
    exported = export_talker(config, tmp_path / "cache")
    (exported / "model.safetensors").unlink()
    assert (export_talker(config, tmp_path / "cache") / "model.safetensors").is_file()


def test_a_talker_of_other_sizes_is_named(model: Path, tmp_path: Path) -> None:
    """Weights that do not fit the configuration are refused by name and exported nowhere."""
    state = load_file(model / "llm.safetensors")
    del state["llm.model.model.layers.5.mlp.up_proj.weight"]
    save_file(state, model / "llm.safetensors")
    with pytest.raises(CheckpointError, match=r"llm\.safetensors: expected .* missing llm\.model\.model\.layers\.5"):
        export_talker(ModelConfig.load(model), tmp_path / "cache")
    assert not (tmp_path / "cache").exists()
