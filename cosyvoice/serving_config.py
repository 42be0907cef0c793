"""serving.json, which is next to a checkpoint's yaml: what the original hard-codes, and what differs from it.

A directory without it gets the values of the released 0.5B checkpoint.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from cosyvoice.errors import CheckpointError

SERVING_FILE = "serving.json"
# The released checkpoint's codes for silence and breath (the original drops long runs of them).
RELEASED_SILENT_IDS = (1, 2, 28, 29, 55, 248, 494, 2241, 2242, 2322, 2323)


LANGUAGES = ("zh", "en", "ja", "ko", "de", "es", "fr", "it", "ru")


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
class ServingConfig:
    """serving.json: what differs between checkpoints, and what the original hard-codes. The defaults are those of the
    released checkpoint."""

    name: str = "Fun-CosyVoice3-0.5B"
    # "bpe" (Qwen2 tokenizer) or "phonemes" (the embedded voice).
    text: str = "bpe"
    # What it speaks, of these nine. An embedded voice ("phonemes") speaks the first two.
    languages: tuple[str, ...] = LANGUAGES
    # None: look it up in the tokenizer.
    end_of_prompt_id: int | None = 151646
    # Text before every instruction.
    instruct_prefix: str = "You are a helpful assistant."
    # Speech tokens that are silent.
    silent_ids: tuple[int, ...] = RELEASED_SILENT_IDS
    # Longest run of silent tokens that goes to the flow.
    max_silent_run: int = 5
    # Silent speech tokens that the flow gets where speech ends: at the end of a text, at a flush, and where the talker
    # is cut at its greatest length. Speech that is cut fades in them. Empty: none, as in the original.
    closing_ids: tuple[int, ...] = ()
    # Tokens of the sequence before that the flow sees too where a text goes on in the next sequence; whole chunks.
    # Without them each sequence begins louder than the one before ended. 0: none, as in the original.
    flow_context_tokens: int = 0
    # Limits of a sequence's length, relative to its text ids.
    min_tokens_per_text_id: float = 2.0
    max_tokens_per_text_id: float = 20.0
    euler_steps: int = 10
    # None: the yaml's. 0: no guidance, which halves the flow's work and memory.
    cfg_rate: float | None = None
    # Mel frames of silence that the vocoder gets before a sequence's first frame. They are its left context, and have
    # no samples. A vocoder that was trained without a beginning makes a burst of noise there when it has no context.
    vocoder_lead_frames: int = 0
    # Their level, the natural logarithm of the magnitude. ln(1e-5), the mel's lowest value, is digital silence.
    vocoder_lead_log_mel: float = -11.5
    # Whether mel that is stretched to another speed keeps its energy. False: as in the original, see MelSpeed.
    speed_keeps_energy: bool = False
    # What the mel gains in level at speed 2, and loses at speed 0.5, because the vocoder makes fast mel softer.
    speed_gain_db_per_octave: float = 0.0
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
    # The loudness that the checkpoint's voices are brought to, in LUFS. None: samples stay as the vocoder makes them.
    loudness_lufs: float | None = None
    # The loudness of stored voices in their own language without gain (bench.model.loudness). That of other voices is
    # estimated from what the flow makes of the stored voices' prompts.
    voice_loudness_lufs: Mapping[str, float] = field(default_factory=dict)
    # How much louder texts are than the estimate.
    estimated_loudness_offset_lu: float = 0.0
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
        try:
            if values.get("cfg_rate") is not None:
                values["cfg_rate"] = guidance_rate(values["cfg_rate"], "cfg_rate")
            for key, check in _CHECKS.items():
                if key in values:
                    values[key] = check(values[key], key)
        except ValueError as error:
            raise CheckpointError(f"{path}: {error}") from error
        if values.get("text") == "phonemes":
            values.setdefault("languages", LANGUAGES[:2])
        for key in ("silent_ids", "modes", "languages"):
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


def guidance_rate(value: object, name: str) -> float:
    """Checks a rate of guidance. Raises ValueError, which begins with `name`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise ValueError(f"{name}: expected a number of at least 0 (0: no guidance), found {value!r}")
    return float(value)


def _count(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name}: expected an integer of at least 0, found {value!r}")
    return value


def _flag(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name}: expected true or false, found {value!r}")
    return value


def _languages(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not value or any(language not in LANGUAGES for language in value):
        raise ValueError(f"{name}: expected a list of some of {', '.join(LANGUAGES)}, found {value!r:.100}")
    return tuple(value)


def _number(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name}: expected a number, found {value!r}")
    return float(value)


def _numbers(value: object, name: str) -> dict[str, float]:
    if not isinstance(value, dict):
        raise ValueError(f"{name}: expected a JSON object, found {type(value).__name__}")
    return {key: _number(number, f"{name}: {key}") for key, number in value.items()}


def _ids(value: object, name: str) -> tuple[int, ...]:
    if not isinstance(value, list):
        raise ValueError(f"{name}: expected a list of ids, found {type(value).__name__}")
    return tuple(_count(i, f"{name}: {place}") for place, i in enumerate(value))


_CHECKS: dict[str, Callable[[object, str], Any]] = {
    "languages": _languages,
    "closing_ids": _ids,
    "flow_context_tokens": _count,
    "vocoder_lead_frames": _count,
    "vocoder_lead_log_mel": _number,
    "speed_keeps_energy": _flag,
    "speed_gain_db_per_octave": _number,
    "loudness_lufs": lambda value, name: None if value is None else _number(value, name),
    "voice_loudness_lufs": _numbers,
    "estimated_loudness_offset_lu": _number,
}
