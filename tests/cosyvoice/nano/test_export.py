"""The export: a model directory with the averaged weights of what has been trained, and how it was trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from cosyvoice.checkpoint import load_talker_state
from cosyvoice.config import ModelConfig
from cosyvoice.models import NANO
from cosyvoice.nano import export
from cosyvoice.nano.corpus.stage import Corpus
from cosyvoice.nano.data import codes, features
from cosyvoice.nano.data.codes import TOKENIZER_FILE, CodeStore
from cosyvoice.nano.data.corpus_codes import SpokenCorpus
from cosyvoice.nano.data.digits import DIGITS, LEVELS, begin_anew
from cosyvoice.nano.data.store import FeatureStore
from cosyvoice.nano.silence import silent_codes
from cosyvoice.nano.speaker.training import SPEAKER_FILE
from cosyvoice.nano.tokenizer.network import TokenizerNetwork
from cosyvoice.nano.tokenizer.training import write_encoder
from cosyvoice.serving_config import ServingConfig
from cosyvoice.voice.onnx_network import OnnxNetwork
from cosyvoice.voice.spk2info import VOICES_FILE, load_spk2info
from tests.cosyvoice.nano.corpora import tone, utterance


@pytest.mark.model
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
    # There are no hours of any style.
    assert ModelConfig.load(tmp_path / "model").serving.styles == ModelConfig.load(NANO).serving.styles
    export.run(tmp_path, NANO, tmp_path / "model", kept_talker=0.25)  # over an earlier one
    _, between = load_talker_state(ModelConfig.load(tmp_path / "model"))
    norm = "llm.model.model.norm.weight"
    assert torch.allclose(between[norm], state[norm] - 0.25, atol=1e-2)
    assert json.loads((tmp_path / "model" / export.NOTE).read_text())["talker"]["kept"] == 0.25
    assert load_file(tmp_path / "model" / "llm.safetensors")["speech_embedding.weight"].dtype == torch.float16


@pytest.mark.model
def test_a_flow_that_learnt_its_guidance_is_served_without(tmp_path: Path) -> None:
    """serving.json says so, and in how many steps; of a flow that learnt the plain velocity it says nothing."""
    (tmp_path / "flow").mkdir()
    torch.save({"average": {"flow": load_file(NANO / "flow.safetensors")}}, tmp_path / "flow" / "flow.pt")
    for guidance, expected in (
        (0.0, ServingConfig.load(NANO)),
        (0.7, replace(ServingConfig.load(NANO), cfg_rate=0.0, euler_steps=4)),
    ):
        (tmp_path / "flow" / "note.json").write_text(json.dumps({"guidance": guidance, "euler_steps": 4}))
        export.run(tmp_path, NANO, tmp_path / "model")
        assert ServingConfig.load(tmp_path / "model") == expected


def test_numbers_that_half_precision_cannot_hold_are_refused() -> None:
    """An overflow or a NaN names its tensor."""
    for bad in (1e6, float("nan")):
        with pytest.raises(ValueError, match=r"layer\.weight: expected finite numbers"):
            export.halved({"layer.weight": torch.tensor([1.0, bad])})


def test_a_speaker_encoder_lets_a_model_clone(tmp_path: Path) -> None:
    """It is copied, and serving.json lists the modes that it makes possible, once; the rest stays as it is."""
    (tmp_path / "speaker").mkdir()
    (tmp_path / "speaker" / SPEAKER_FILE).write_bytes(b"an encoder")
    (tmp_path / "speaker" / "note.json").write_text("{}")
    for model in (NANO, tmp_path / "model"):  # from a model that has none, and again from that
        export.run(tmp_path, model, tmp_path / "model")
        assert (tmp_path / "model" / SPEAKER_FILE).read_bytes() == b"an encoder"
        before, after = (ModelConfig.load(directory).serving for directory in (NANO, tmp_path / "model"))
        assert sorted(after.modes) == sorted({*before.modes, "zero_shot", "cross_lingual"})
        assert replace(after, modes=before.modes) == before


def test_a_tokenizer_made_anew_brings_silent_codes_and_prompts_of_its_own(tmp_path: Path) -> None:
    """What serving.json and spk2info.pt say of codes is of the new one; one with the same keeps its own."""
    pytest.importorskip("onnx")
    corpus = Corpus(tmp_path)
    for number in range(4):
        row = utterance("hibari", number, 3.0)
        corpus.keep(row, tone(3.0, number))
        corpus.note(row)
    features.run(tmp_path)
    torch.manual_seed(3)
    (tmp_path / "tokenizer").mkdir()
    network = TokenizerNetwork(1, ModelConfig.load(NANO).talker.text_rows).eval()
    write_encoder(network, tmp_path / "tokenizer" / TOKENIZER_FILE)
    (tmp_path / "tokenizer" / "note.json").write_text(json.dumps({"reading": 0.5}))
    export.run(tmp_path, NANO, tmp_path / "model")
    voices = load_spk2info(tmp_path / "model" / VOICES_FILE, 3**7)
    assert set(voices) == {"英文女"}
    said = SpokenCorpus(tmp_path, tmp_path / "model").spoken
    prompt = voices["英文女"]
    assert list(prompt.speech_tokens) in [one.codes.tolist() for one in said]
    serving = ModelConfig.load(tmp_path / "model").serving
    assert serving.silent_ids == () == serving.closing_ids  # tones are loud
    note = json.loads((tmp_path / "model" / export.NOTE).read_text())
    assert note["tokenizer training"] == {"reading": 0.5}
    (tmp_path / "model" / VOICES_FILE).unlink()
    export.run(tmp_path, tmp_path / "model", tmp_path / "again")
    assert not (tmp_path / "again" / VOICES_FILE).exists()


@pytest.mark.model
def test_codes_said_where_it_is_quiet_are_silent(tmp_path: Path) -> None:
    """Pauses of an utterance have codes that its speech has not."""
    corpus = Corpus(tmp_path)
    row = utterance("hibari", 1, 6.0)
    wave = tone(6.0, 1)
    wave[24000:120000] = 0
    corpus.keep(row, wave)
    corpus.note(row)
    features.run(tmp_path)
    codes.run(tmp_path, NANO)
    store = FeatureStore(tmp_path)
    silent = silent_codes(store, CodeStore(store, OnnxNetwork(NANO / TOKENIZER_FILE)))
    (said,) = SpokenCorpus(tmp_path, NANO).spoken
    assert silent
    assert set(silent) <= set(said.codes[26:119].tolist()) and not set(silent) & set(said.codes[:22].tolist())


def test_vectors_of_new_codes_are_alike_where_the_codes_are() -> None:
    """They are as large as the old ones, and rows behind the codes stay."""
    table = torch.randn(LEVELS**DIGITS + 3, 32) * 0.3
    before = table.clone()
    begin_anew(table, torch.Generator().manual_seed(1))
    codes_rows = table[:-3]
    assert torch.equal(table[-3:], before[-3:]) and codes_rows.std() == pytest.approx(0.3, rel=0.1)
    near, far = (codes_rows[0] - codes_rows[1]).norm(), (codes_rows[0] - codes_rows[-1]).norm()
    assert near < 0.6 * far
