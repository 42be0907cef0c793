"""Who speaks: four named voices with hours each, and many more for short, mixed from the style vectors of Kokoro.

Others speak in no training: they give the prompts with which cloning is measured.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from cosyvoice.frontend.language import Language

HIBARI = "hibari"  # a teacher of one voice, English
BRIEF_PREFIX = "mix"
UNSEEN_PREFIX = "unseen"
_KOKORO: dict[Language, tuple[str, ...]] = {
    "zh": ("zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zf_xiaoyi", "zm_yunjian", "zm_yunxi", "zm_yunxia", "zm_yunyang"),
    "en": (
        "af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole", "af_nova", "af_river",
        "af_sarah", "af_sky", "am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_michael", "am_onyx",
        "am_puck", "bf_alice", "bf_emma", "bf_isabella", "bf_lily", "bm_daniel", "bm_fable", "bm_george",
        "bm_lewis",
    ),
}  # fmt: skip
# Kokoro's voices for other languages, which no mixture of the corpus uses.
_APART = (
    "am_santa", "ef_dora", "em_alex", "if_sara", "im_nicola", "ff_siwis", "hf_alpha", "hm_omega", "jf_alpha", "jm_kumo",
)  # fmt: skip
_APART_SHARE: dict[str, float] = {"en": 1.0, "zh": 0.5}  # alone they do not speak Mandarin


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
UNSEEN_VOICES = 10  # of each language; half of them of voices apart, half of new mixtures


def brief_voices(language: Language) -> list[str]:
    """The names of the brief voices: `mix-zh-000`, ..."""
    return [f"{BRIEF_PREFIX}-{language}-{index:03d}" for index in range(BRIEF_VOICES[language])]


def unseen_voices(language: Language) -> list[str]:
    """The names of the voices that are in no corpus: `unseen-zh-000`, ..."""
    return [f"{UNSEEN_PREFIX}-{language}-{index:03d}" for index in range(UNSEEN_VOICES)]


def style_mixture(voice: str) -> dict[str, float]:
    """Weights of Kokoro's style vectors that make a voice: itself, or for a brief or unseen voice of several.

    The first brief voices are Kokoro's own, unmixed, of their language; the others are two or three of those. The first
    half of the unseen ones is of voices that no brief voice has a part of.
    """
    prefix, _, rest = voice.partition("-")
    if prefix not in (BRIEF_PREFIX, UNSEEN_PREFIX):
        return {voice: 1.0}
    language, number = rest.split("-")
    names, index = _KOKORO["zh" if language == "zh" else "en"], int(number)
    if prefix == BRIEF_PREFIX and index < len(names):
        return {names[index]: 1.0}
    generator = random.Random(voice)
    if prefix == UNSEEN_PREFIX and index < UNSEEN_VOICES // 2:
        apart = _APART[index + (0 if language == "en" else UNSEEN_VOICES // 2)]
        share = _APART_SHARE[language]
        return {apart: share} if share == 1.0 else {apart: share, generator.choice(names): 1 - share}
    chosen = generator.sample(names, generator.choice((2, 2, 3)))
    weights = [generator.uniform(0.25, 1.0) for _ in chosen]
    return {name: weight / sum(weights) for name, weight in zip(chosen, weights)}
