"""Who speaks: four named voices with hours each, and many more for short, mixed from the style vectors of Kokoro."""

from __future__ import annotations

import random
from dataclasses import dataclass

from cosyvoice.frontend.language import Language

HIBARI = "hibari"  # a teacher of one voice, English
BRIEF_PREFIX = "mix"
_KOKORO: dict[Language, tuple[str, ...]] = {
    "zh": ("zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunjian", "zm_yunxi", "zm_yunxia", "zm_yunyang"),
    "en": (
        "af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river",
        "af_sarah", "af_sky", "am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_michael", "am_onyx",
        "am_puck", "bf_alice", "bf_emma", "bf_isabella", "bf_lily", "bm_daniel", "bm_fable", "bm_george",
        "bm_lewis",
    ),
}  # fmt: skip


@dataclass(frozen=True)
class NamedVoice:
    """A voice of the checkpoint. name: as the seed's speakers are called; rows: how many utterances it speaks."""

    teacher: str
    name: str
    language: Language
    rows: int


NAMED = (
    NamedVoice("zf_xiaoxiao", "中文女", "zh", 6000),
    NamedVoice("zm_yunxi", "中文男", "zh", 6000),
    NamedVoice("am_michael", "英文男", "en", 3000),
    NamedVoice(HIBARI, "英文女", "en", 10000),
)
BRIEF_VOICES: dict[Language, int] = {"zh": 60, "en": 60}
BRIEF_ROWS = 24  # utterances of each brief voice


def brief_voices(language: Language) -> list[str]:
    """The names of the brief voices: `mix-zh-000`, ..."""
    return [f"{BRIEF_PREFIX}-{language}-{index:03d}" for index in range(BRIEF_VOICES[language])]


def style_mixture(voice: str) -> dict[str, float]:
    """Weights of Kokoro's style vectors that make a voice: itself, or for a brief voice two or three of its language.

    The first brief voices are Kokoro's own, unmixed.
    """
    if not voice.startswith(f"{BRIEF_PREFIX}-"):
        return {voice: 1.0}
    _, language, number = voice.split("-")
    names = _KOKORO["zh" if language == "zh" else "en"]
    if int(number) < len(names):
        return {names[int(number)]: 1.0}
    generator = random.Random(voice)
    chosen = generator.sample(names, generator.choice((2, 2, 3)))
    weights = [generator.uniform(0.25, 1.0) for _ in chosen]
    return {name: weight / sum(weights) for name, weight in zip(chosen, weights)}
