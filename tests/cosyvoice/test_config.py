"""Configuration of model directories."""

import json
import shutil
from pathlib import Path

import pytest

from cosyvoice.config import ModelConfig
from cosyvoice.errors import CheckpointError
from cosyvoice.models import NANO, resolve_model
from cosyvoice.serving_config import ServingConfig

RELEASED_YAML = """
__set_seed1: !apply:random.seed [1986]
sample_rate: 24000
llm_input_size: 896
llm_output_size: 896
spk_embed_dim: 192
qwen_pretrain_path: ''
token_frame_rate: 25
token_mel_ratio: 2
chunk_size: 25
num_decoding_left_chunks: -1
llm: !new:cosyvoice.llm.llm.CosyVoice3LM
    speech_token_size: 6561
    mix_ratio: [5, 15]
    sampling: !name:cosyvoice.utils.common.ras_sampling
        top_p: 0.8
        top_k: 25
        win_size: 10
        tau_r: 0.1
flow: !new:cosyvoice.flow.flow.CausalMaskedDiffWithDiT
    input_size: 80
    output_size: 80
    spk_embed_dim: !ref <spk_embed_dim>
    vocab_size: 6561
    token_mel_ratio: !ref <token_mel_ratio>
    pre_lookahead_len: 3
    pre_lookahead_layer: !new:cosyvoice.transformer.upsample_encoder.PreLookaheadLayer
        in_channels: 80
        channels: 1024
        pre_lookahead_len: 3
    decoder: !new:cosyvoice.flow.flow_matching.CausalConditionalCFM
        in_channels: 240
        cfm_params: !new:omegaconf.DictConfig
            content:
                solver: 'euler'
                t_scheduler: 'cosine'
                inference_cfg_rate: 0.7
        estimator: !new:cosyvoice.flow.DiT.dit.DiT
            dim: 1024
            depth: 22
            heads: 16
            dim_head: 64
            ff_mult: 2
            mel_dim: 80
            mu_dim: 80
            spk_dim: 80
            out_channels: 80
            static_chunk_size: !ref <chunk_size> * <token_mel_ratio>
hift: !new:cosyvoice.hifigan.generator.CausalHiFTGenerator
    in_channels: 80
    base_channels: 512
    nb_harmonics: 8
    sampling_rate: !ref <sample_rate>
    nsf_alpha: 0.1
    nsf_sigma: 0.003
    nsf_voiced_threshold: 10
    upsample_rates: [8, 5, 3]
    upsample_kernel_sizes: [16, 11, 7]
    istft_params:
        n_fft: 16
        hop_len: 4
    resblock_kernel_sizes: [3, 7, 11]
    resblock_dilation_sizes: [[1, 3, 5], [1, 3, 5], [1, 3, 5]]
    source_resblock_kernel_sizes: [7, 7, 11]
    source_resblock_dilation_sizes: [[1, 3, 5], [1, 3, 5], [1, 3, 5]]
    lrelu_slope: 0.1
    audio_limit: 0.99
    conv_pre_look_right: 4
    f0_predictor: !new:cosyvoice.hifigan.f0_predictor.CausalConvRNNF0Predictor
        num_class: 1
        in_channels: 80
        cond_channels: 512
"""
QWEN = {
    "hidden_size": 896,
    "num_hidden_layers": 24,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "intermediate_size": 4864,
    "vocab_size": 151936,
    "rope_theta": 1000000.0,
    "rms_norm_eps": 1e-06,
    "max_position_embeddings": 32768,
}


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A directory with the configuration files of a released checkpoint."""
    (tmp_path / "cosyvoice3.yaml").write_text(RELEASED_YAML, encoding="utf-8")
    (tmp_path / "CosyVoice-BlankEN").mkdir()
    (tmp_path / "CosyVoice-BlankEN" / "config.json").write_text(json.dumps(QWEN), encoding="utf-8")
    return tmp_path


def test_released_form(released: Path) -> None:
    """Sizes and ids of the released checkpoint, with its serving values as defaults."""
    config = ModelConfig.load(released)
    talker = config.talker
    assert (talker.sos, talker.eos, talker.task_id, talker.fill, talker.head_rows) == (6561, 6562, 6563, 6564, 6761)
    assert config.flow.chunk_frames == 50 and config.flow.dit.depth == 22 and config.flow.euler_steps == 10
    assert config.vocoder.samples_per_frame == 480 and config.vocoder.f0_channels == 512
    assert config.serving.end_of_prompt_id == 151646 and config.serving.silent_ids[0] == 1
    assert config.serving.vocoder_lead_frames == 0 and config.serving.loudness_lufs is None
    assert not config.serving.speed_keeps_energy and config.serving.speed_gain_db_per_octave == 0
    assert config.serving.closing_ids == ()
    assert config.flow.context_tokens == 0
    assert config.sampling.window == 10


def test_the_context_is_whole_chunks(released: Path) -> None:
    """So the hops of every sequence lie alike on the chunk grid."""
    (released / "serving.json").write_text('{"flow_context_tokens": 30}', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"serving\.json: flow_context_tokens: .* multiple of 25, found 30"):
        ModelConfig.load(released)


def test_closing_ids_are_speech_tokens(released: Path) -> None:
    """An id that the flow does not have is an error when the checkpoint is read."""
    (released / "serving.json").write_text('{"closing_ids": [3, 6561]}', encoding="utf-8")
    with pytest.raises(CheckpointError, match=r"serving\.json: closing_ids: .* below 6561, found \[6561\]"):
        ModelConfig.load(released)


def test_embedded_form() -> None:
    """The embedded checkpoint has sizes and serving values of its own."""
    config = ModelConfig.load(NANO)
    assert config.talker.speech_tokens == 2187 and config.talker.mix_ratio == (12, 15)
    assert config.serving.text == "phonemes" and config.serving.max_tokens_per_text_id == 6
    assert config.serving.vocoder_lead_frames == 4 and len(config.serving.voice_loudness_lufs) == 4
    assert set(config.serving.closing_ids) <= set(config.serving.silent_ids)
    assert 0.12 <= len(config.serving.closing_ids) / config.token_rate_hz <= 0.2
    assert resolve_model("nano") == NANO


@pytest.mark.parametrize(
    ("serving", "cfg_rate", "rows"),
    [
        (None, 0.7, 2),
        ("{}", 0.7, 2),
        ('{"cfg_rate": null}', 0.7, 2),
        ('{"cfg_rate": 1}', 1.0, 2),
        ('{"cfg_rate": 0}', 0, 1),
    ],
)
def test_guidance_is_the_yamls_unless_serving_json_says_otherwise(
    released: Path, serving: str | None, cfg_rate: float, rows: int
) -> None:
    """serving.json's `cfg_rate` comes before the yaml's; without guidance the flow has one row."""
    if serving is not None:
        (released / "serving.json").write_text(serving, encoding="utf-8")
    flow = ModelConfig.load(released).flow
    assert (flow.cfg_rate, flow.rows) == (cfg_rate, rows)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("token_frame_rate: 25", "", "token_frame_rate"),
        ("solver: 'euler'", "solver: 'heun'", "expected solver euler"),
        ("sample_rate: 24000", "sample_rate: fast", "invalid literal"),
        ("cfg_rate: 0.7", "cfg_rate: -0.7", r"yaml: flow: inference_cfg_rate: expected a number .*, found -0\.7"),
        ("cfg_rate: 0.7", "cfg_rate: high", r"inference_cfg_rate: expected a number .*, found 'high'"),
        ("speech_token_size: 6561", "", "speech_token_size"),
    ],
)
def test_faults_of_the_yaml_are_named(released: Path, old: str, new: str, message: str) -> None:
    """A missing key or a wrong value names itself."""
    path = released / "cosyvoice3.yaml"
    path.write_text(RELEASED_YAML.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        ModelConfig.load(released)


def test_missing_qwen_config(released: Path) -> None:
    """The Qwen2 config is named when it is missing or lacks a size."""
    path = released / "CosyVoice-BlankEN" / "config.json"
    path.write_text(json.dumps({k: v for k, v in QWEN.items() if k != "hidden_size"}), encoding="utf-8")
    with pytest.raises(CheckpointError, match="hidden_size"):
        ModelConfig.load(released)
    shutil.rmtree(path.parent)
    with pytest.raises(CheckpointError, match="no such file"):
        ModelConfig.load(released)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[1]", "expected a JSON object"),
        ("{", "expected a JSON object"),
        ('{"hop": 3}', r"unknown keys \['hop'\]"),
        ('{"sampling": {"temperature": 2}}', "sampling"),
        ('{"cfg_rate": -1}', r"serving\.json: cfg_rate: expected a number of at least 0 \(0: no guidance\), found -1"),
        ('{"cfg_rate": NaN}', "cfg_rate: .*, found nan"),
        ('{"cfg_rate": Infinity}', "cfg_rate: .*, found inf"),
        ('{"cfg_rate": true}', "cfg_rate: .*, found True"),
        ('{"cfg_rate": "0.7"}', "cfg_rate: .*, found '0.7'"),
        ('{"flow_context_tokens": -25}', "flow_context_tokens: expected an integer of at least 0, found -25"),
        ('{"closing_ids": 161}', "closing_ids: expected a list of ids, found int"),
        ('{"closing_ids": [3, -1]}', "closing_ids: 1: expected an integer of at least 0, found -1"),
        ('{"vocoder_lead_frames": -1}', "vocoder_lead_frames: expected an integer of at least 0, found -1"),
        ('{"vocoder_lead_frames": 4.5}', r"vocoder_lead_frames: expected .*, found 4\.5"),
        ('{"vocoder_lead_log_mel": "low"}', "vocoder_lead_log_mel: expected a number, found 'low'"),
        ('{"vocoder_lead_log_mel": NaN}', "vocoder_lead_log_mel: expected a number, found nan"),
        ('{"speed_keeps_energy": 1}', "speed_keeps_energy: expected true or false, found 1"),
        ('{"speed_gain_db_per_octave": "loud"}', "speed_gain_db_per_octave: expected a number, found 'loud'"),
        ('{"loudness_lufs": "quiet"}', "loudness_lufs: expected a number, found 'quiet'"),
        ('{"voice_loudness_lufs": -20}', "voice_loudness_lufs: expected a JSON object, found int"),
        ('{"voice_loudness_lufs": {"anna": null}}', "voice_loudness_lufs: anna: expected a number, found None"),
        ('{"estimated_loudness_offset_lu": []}', r"estimated_loudness_offset_lu: expected a number, found \[\]"),
    ],
)
def test_faults_of_serving_json_are_named(tmp_path: Path, content: str, message: str) -> None:
    """A misspelled key is an error, not a default."""
    (tmp_path / "serving.json").write_text(content, encoding="utf-8")
    with pytest.raises(CheckpointError, match=message):
        ServingConfig.load(tmp_path)


def test_unknown_model_directory(tmp_path: Path) -> None:
    """A model that is no directory is refused by name."""
    with pytest.raises(CheckpointError, match="no such directory"):
        resolve_model(tmp_path / "nowhere")
