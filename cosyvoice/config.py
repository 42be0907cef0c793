"""The configuration of a checkpoint: cosyvoice3.yaml, the Qwen2 config and serving.json, as dataclasses.

The yaml is hyperpyyaml, whose tags name classes of the original code. Here tags are parsed and never executed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from cosyvoice.errors import CheckpointError
from cosyvoice.hyperyaml import load_hyperyaml
from cosyvoice.serving_config import SERVING_FILE, SamplingConfig, ServingConfig, guidance_rate

# Types of numbers that networks calculate in.
Dtype = Literal["float32", "bfloat16", "float16"]

# Limits of the speaking speed. Outside of them interpolated mel is hard to understand.
MIN_SPEED, MAX_SPEED = 0.5, 2.0


@dataclass(frozen=True)
class TalkerConfig:
    """Sizes of the Qwen2 talker. Control ids follow the speech ids in the speech table."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    ffn: int
    text_rows: int
    speech_tokens: int
    head_rows: int
    rope_theta: float = 1e6
    rms_eps: float = 1e-6
    max_positions: int = 32768
    mix_ratio: tuple[int, int] = (5, 15)

    @property
    def sos(self) -> int:
        return self.speech_tokens

    @property
    def eos(self) -> int:
        return self.speech_tokens + 1

    @property
    def task_id(self) -> int:
        return self.speech_tokens + 2

    @property
    def fill(self) -> int:
        return self.speech_tokens + 3


# Of the DiT's position convolutions: frames that one spans, and its groups. No checkpoint differs.
CONV_KERNEL = 31
CONV_GROUPS = 16


@dataclass(frozen=True)
class DitConfig:
    """Sizes of the diffusion transformer."""

    dim: int
    depth: int
    heads: int
    head_dim: int
    ff_mult: int = 2
    mel_bins: int = 80
    spk_dim: int = 80


@dataclass(frozen=True)
class FlowConfig:
    """Sizes of the flow: token embedding, look-ahead convolution, DiT, and its ODE."""

    vocab: int
    lookahead_channels: int
    dit: DitConfig
    mel_bins: int = 80
    spk_embed_dim: int = 192
    lookahead_tokens: int = 3
    frames_per_token: int = 2
    chunk_frames: int = 50
    cfg_rate: float = 0.7
    euler_steps: int = 10
    # Tokens of the sequence before that the flow sees where a sequence goes on. Whole chunks, so that the hops of all
    # sequences lie alike on the chunk grid.
    context_tokens: int = 0

    @property
    def rows(self) -> int:
        """Rows of an Euler step: the conditional one, and with guidance the unconditional one."""
        return 1 if self.cfg_rate == 0 else 2

    @property
    def chunk_tokens(self) -> int:
        return self.chunk_frames // self.frames_per_token


@dataclass(frozen=True)
class VocoderConfig:
    """Sizes of the causal HiFT vocoder (harmonic source, up-sampling convolutions, inverse STFT)."""

    base_channels: int
    f0_channels: int
    mel_bins: int = 80
    sample_rate: int = 24000
    harmonics: int = 8
    sine_amplitude: float = 0.1
    noise_sigma: float = 0.003
    voiced_hz: float = 10.0
    upsample_rates: tuple[int, ...] = (8, 5, 3)
    upsample_kernels: tuple[int, ...] = (16, 11, 7)
    istft_n_fft: int = 16
    istft_hop: int = 4
    resblock_kernels: tuple[int, ...] = (3, 7, 11)
    resblock_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    source_kernels: tuple[int, ...] = (7, 7, 11)
    source_dilations: tuple[tuple[int, ...], ...] = ((1, 3, 5), (1, 3, 5), (1, 3, 5))
    leaky_slope: float = 0.1
    audio_limit: float = 0.99
    look_right_frames: int = 4
    f0_look_right_frames: int = 3
    f0_kernels: tuple[int, ...] = (3, 3, 3, 3)  # causal, after the one that looks right

    @property
    def samples_per_frame(self) -> int:
        n = self.istft_hop
        for rate in self.upsample_rates:
            n *= rate
        return n

    @property
    def held_frames(self) -> int:
        """Frames that the original holds back until more mel comes: the sum of both look-aheads, and one frame for the
        edge of the inverse STFT."""
        return self.f0_look_right_frames + self.look_right_frames + 1


@dataclass(frozen=True)
class ModelConfig:
    """One model directory's configuration."""

    directory: Path
    sample_rate: int
    token_rate_hz: int
    talker: TalkerConfig
    flow: FlowConfig
    vocoder: VocoderConfig
    sampling: SamplingConfig
    serving: ServingConfig

    @classmethod
    def load(cls, directory: Path) -> ModelConfig:
        """Reads `directory`. Raises CheckpointError, which names the file."""
        path = directory / "cosyvoice3.yaml"
        raw = load_hyperyaml(path)
        serving = ServingConfig.load(directory)
        try:
            config = cls(
                directory=directory,
                sample_rate=int(raw["sample_rate"]),
                token_rate_hz=int(raw["token_frame_rate"]),
                talker=_talker(directory, raw["llm"]),
                flow=_flow(raw["flow"], serving),
                vocoder=_vocoder(raw["hift"]),
                sampling=serving.sampling or _sampling(raw["llm"].get("sampling") or {}),
                serving=serving,
            )
        except KeyError as error:
            raise CheckpointError(f"{path}: expected key {error}, found none") from error
        except (TypeError, ValueError, AttributeError) as error:
            raise CheckpointError(f"{path}: {error}") from error
        if serving.flow_context_tokens % config.flow.chunk_tokens:
            raise CheckpointError(
                f"{directory / SERVING_FILE}: flow_context_tokens: expected a multiple of {config.flow.chunk_tokens}, "
                f"found {serving.flow_context_tokens}"
            )
        unknown = [i for i in serving.closing_ids if i >= config.talker.speech_tokens]
        if unknown:
            raise CheckpointError(
                f"{directory / SERVING_FILE}: closing_ids: expected speech tokens below {config.talker.speech_tokens}, "
                f"found {unknown}"
            )
        return config


def _talker(directory: Path, llm: dict[str, Any]) -> TalkerConfig:
    path = directory / "CosyVoice-BlankEN" / "config.json"
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise CheckpointError(f"{path}: expected the Qwen2 config.json, found no such file") from None
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CheckpointError(f"{path}: expected JSON, found {error}") from error
    try:
        return TalkerConfig(
            hidden=body["hidden_size"],
            layers=body["num_hidden_layers"],
            heads=body["num_attention_heads"],
            kv_heads=body["num_key_value_heads"],
            ffn=body["intermediate_size"],
            text_rows=body["vocab_size"],
            speech_tokens=llm["speech_token_size"],
            head_rows=llm["speech_token_size"] + 200,  # the original reserves 200 control rows
            rope_theta=float(body.get("rope_theta", 1e6)),
            rms_eps=float(body.get("rms_norm_eps", 1e-6)),
            max_positions=body.get("max_position_embeddings", 32768),
            mix_ratio=tuple(llm.get("mix_ratio", (5, 15))),
        )
    except KeyError as error:
        raise CheckpointError(f"{path}: expected key {error}, found none") from error


def _sampling(raw: dict[str, Any]) -> SamplingConfig:
    names = {"top_p": "top_p", "top_k": "top_k", "win_size": "window", "tau_r": "tau"}
    return SamplingConfig(**{names[k]: v for k, v in raw.items() if k in names})


def _flow(raw: dict[str, Any], serving: ServingConfig) -> FlowConfig:
    dit = raw["decoder"]["estimator"]
    content = raw["decoder"]["cfm_params"]["content"]
    if content["solver"] != "euler" or content["t_scheduler"] != "cosine":
        raise ValueError(
            f"flow: expected solver euler with t_scheduler cosine, found {content['solver']}, {content['t_scheduler']}"
        )
    cfg_rate = serving.cfg_rate
    if cfg_rate is None:
        cfg_rate = guidance_rate(content["inference_cfg_rate"], "flow: inference_cfg_rate")
    return FlowConfig(
        vocab=raw["vocab_size"],
        lookahead_channels=raw["pre_lookahead_layer"]["channels"],
        dit=DitConfig(
            dim=dit["dim"],
            depth=dit["depth"],
            heads=dit["heads"],
            head_dim=dit["dim_head"],
            ff_mult=dit["ff_mult"],
            mel_bins=dit["mel_dim"],
            spk_dim=dit["spk_dim"],
        ),
        mel_bins=raw["output_size"],
        spk_embed_dim=raw["spk_embed_dim"],
        lookahead_tokens=raw["pre_lookahead_len"],
        frames_per_token=raw["token_mel_ratio"],
        chunk_frames=dit["static_chunk_size"],
        cfg_rate=cfg_rate,
        euler_steps=serving.euler_steps,
        context_tokens=serving.flow_context_tokens,
    )


def _vocoder(raw: dict[str, Any]) -> VocoderConfig:
    def pairs(rows: list[list[int]]) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(row) for row in rows)

    return VocoderConfig(
        base_channels=raw["base_channels"],
        f0_channels=raw["f0_predictor"]["cond_channels"],
        mel_bins=raw["in_channels"],
        sample_rate=raw["sampling_rate"],
        harmonics=raw["nb_harmonics"],
        sine_amplitude=raw["nsf_alpha"],
        noise_sigma=raw["nsf_sigma"],
        voiced_hz=float(raw["nsf_voiced_threshold"]),
        upsample_rates=tuple(raw["upsample_rates"]),
        upsample_kernels=tuple(raw["upsample_kernel_sizes"]),
        istft_n_fft=raw["istft_params"]["n_fft"],
        istft_hop=raw["istft_params"]["hop_len"],
        resblock_kernels=tuple(raw["resblock_kernel_sizes"]),
        resblock_dilations=pairs(raw["resblock_dilation_sizes"]),
        source_kernels=tuple(raw["source_resblock_kernel_sizes"]),
        source_dilations=pairs(raw["source_resblock_dilation_sizes"]),
        leaky_slope=raw["lrelu_slope"],
        audio_limit=raw["audio_limit"],
        look_right_frames=raw["conv_pre_look_right"],
    )
