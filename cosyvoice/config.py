"""The configuration of a checkpoint: cosyvoice3.yaml, the Qwen2 config and serving.json, as dataclasses.

The yaml is hyperpyyaml, whose tags name classes of the original code. Here tags are parsed and never executed.
serving.json is next to the yaml and has what the original hard-codes. A directory without it gets the values of the
released 0.5B checkpoint.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cosyvoice.errors import CheckpointError
from cosyvoice.hyperyaml import load_hyperyaml

# Limits of the speaking speed. Outside of them interpolated mel is hard to understand.
MIN_SPEED, MAX_SPEED = 0.5, 2.0
SERVING_FILE = "serving.json"
# The released checkpoint's codes for silence and breath (the original drops long runs of them).
RELEASED_SILENT_IDS = (1, 2, 28, 29, 55, 248, 494, 2241, 2242, 2322, 2323)


@dataclass(frozen=True)
class SamplingConfig:
    """Repetition-aware sampling (RAS): a draw from the nucleus (`top_p`, `top_k`). When the drawn id is at least
    `window * tau` times among the last `window` ids, it is replaced by a draw from the full distribution."""

    top_p: float = 0.8
    top_k: int = 25
    window: int = 10
    tau: float = 0.1


@dataclass(frozen=True)
class StyleConfig:
    """A style of speaking."""

    name: str
    # The special token that asks the talker for the style.
    tag: str
    # Phrases in an instruction that mean the style.
    phrases: tuple[str, ...]
    # The style that a denied phrase ("not so fast") means; empty: none.
    opposite: str = ""


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


CONV_KERNEL = 31  # frames that a position convolution of the DiT spans; no checkpoint differs


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
class ServingConfig:
    """serving.json: what differs between checkpoints, and what the original hard-codes. The defaults are those of the
    released checkpoint."""

    name: str = "Fun-CosyVoice3-0.5B"
    # "bpe" (Qwen2 tokenizer) or "phonemes" (the embedded voice).
    text: str = "bpe"
    # None: look it up in the tokenizer.
    end_of_prompt_id: int | None = 151646
    # Text before every instruction.
    instruct_prefix: str = "You are a helpful assistant."
    # Speech tokens that are silent.
    silent_ids: tuple[int, ...] = RELEASED_SILENT_IDS
    # Longest run of silent tokens that goes to the flow.
    max_silent_run: int = 5
    # Limits of a sequence's length, relative to its text ids.
    min_tokens_per_text_id: float = 2.0
    max_tokens_per_text_id: float = 20.0
    euler_steps: int = 10
    # None: the yaml's. 0: no guidance, which halves the flow's work and memory.
    cfg_rate: float | None = None
    # None: the yaml's.
    sampling: SamplingConfig | None = None
    # Tokens of an utterance's first hop, for which the flow's prompt is cut.
    first_hop_tokens: int = 12
    # Whether the talker gets a voice's prompt also while text still comes (mode sft). It then speaks more like the
    # prompt but begins later; see cosyvoice.talker.layout.text_ids_before_audio.
    streaming_talker_prompt: bool = False
    hop_tokens: int = 25
    # Longest sequence.
    max_sequence_s: float = 20.0
    # A text is cut when it is predicted to last longer than this. None: max_sequence_s.
    sequence_s: float | None = None
    # Mean, to predict how long a text will last.
    tokens_per_text_id: float = 6.0
    # How long after the aligner's place a phoneme begins to sound (bench.model.word_times).
    aligner_shift_s: float = 0.04
    modes: tuple[str, ...] = ("sft", "zero_shot", "cross_lingual", "instruct", "vc")
    default_voice: str = "中文女"
    # The styles that instructions can ask for. Empty: the talker reads the instruction itself.
    styles: tuple[StyleConfig, ...] = ()

    @classmethod
    def load(cls, directory: Path) -> ServingConfig:
        path = directory / SERVING_FILE
        if not path.exists():
            return cls()
        try:
            raw = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
            raise CheckpointError(f"{path}: expected a JSON object, found {error}") from error
        if not isinstance(raw, dict):
            raise CheckpointError(f"{path}: expected a JSON object, found {type(raw).__name__}")
        known = {f.name: f for f in fields(cls)}
        unknown = sorted(set(raw) - set(known))
        if unknown:
            raise CheckpointError(f"{path}: unknown keys {unknown}; expected some of {sorted(known)}")
        values: dict[str, Any] = dict(raw)
        if values.get("sampling") is not None:
            try:
                values["sampling"] = SamplingConfig(**values["sampling"])
            except TypeError as error:
                raise CheckpointError(f"{path}: sampling: {error}") from error
        if values.get("cfg_rate") is not None:
            try:
                values["cfg_rate"] = _cfg_rate(values["cfg_rate"], "cfg_rate")
            except ValueError as error:
                raise CheckpointError(f"{path}: {error}") from error
        for key in ("silent_ids", "modes"):
            if key in values:
                values[key] = tuple(values[key])
        if "styles" in values:
            values["styles"] = _styles(values["styles"], path)
        return cls(**values)


def _styles(raw: Any, path: Path) -> tuple[StyleConfig, ...]:
    """`{"fast": {"tag": "<|fast|>", "opposite": "slow", "en": ["fast", "quickly"], "zh": ["快"]}, ...}`"""
    if not isinstance(raw, dict):
        raise CheckpointError(f"{path}: styles: expected a JSON object, found {type(raw).__name__}")
    styles = []
    for name, entry in raw.items():
        phrases: dict[str, Any] = dict(entry) if isinstance(entry, dict) else {}
        tag, opposite = phrases.pop("tag", None), phrases.pop("opposite", "")
        texts: list[Any] = [text for some in phrases.values() for text in (some if isinstance(some, list) else [None])]
        if not texts or not all(isinstance(text, str) and text.strip() for text in (tag, *texts)):
            raise CheckpointError(
                f"{path}: styles: {name}: expected a tag and lists of phrases by language, found {entry!r:.200}"
            )
        if opposite and opposite not in raw:
            raise CheckpointError(
                f"{path}: styles: {name}: expected one of {list(raw)} as opposite, found {opposite!r:.40}"
            )
        styles.append(StyleConfig(name, str(tag), tuple(texts), opposite))
    return tuple(styles)


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
            return cls(
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
        cfg_rate = _cfg_rate(content["inference_cfg_rate"], "flow: inference_cfg_rate")
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
    )


def _cfg_rate(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name}: expected a number of at least 0 (0: no guidance), found {value!r}")
    return float(value)


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
