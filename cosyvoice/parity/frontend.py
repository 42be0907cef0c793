"""The front end's golden cases: features of a recording, and how text is split and special tokens numbered."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cosyvoice.frontend.chinese import clean_chinese
from cosyvoice.frontend.english_numbers import spell_digits
from cosyvoice.frontend.special_tokens import SPECIAL_TOKENS
from cosyvoice.parity.features import feature_cases
from cosyvoice.parity.golden import Case, Golden, deviation
from cosyvoice.parity.split import split_paragraph
from cosyvoice.voice.features import resample


def frontend_cases(golden: Golden) -> Iterator[Case]:
    """Deviations for features, counts of differences for text."""
    g, _ = golden.tensors("frontend")
    wave_16k = g["wav16k_resampled"][0]
    yield from feature_cases(golden)
    yield Case("resample 24 to 16 kHz", deviation(resample(g["wav24k"][0], 24000, 16000), wave_16k), 1e-6)
    resampled = resample(g["wav44k"][0], 44100, 16000)
    yield Case("resample 44.1 to 16 kHz", deviation(resampled, g["wav44k_to_16k"][0]), 1e-6)

    wrong = 0
    cases = [case for case in golden.json("text_split")["cases"] if "lang" in case]
    for case in cases:
        if case["lang"] == "en":
            wrong += spell_digits(case["in"].strip()) != case["spelled"]
            pieces = split_paragraph(case["spelled"], "en", lambda s: len(re.findall(r"\w+|[^\w\s]", s)))
        else:
            wrong += clean_chinese(case["in"].strip()) != case["clean"]
            pieces = split_paragraph(case["clean"], "zh", len)
        wrong += pieces != case["split"]
    yield Case(f"text splitting, {len(cases)} texts (count of differences)", wrong, 0.0)
    recorded = golden.json("special_tokens_v3")
    ours = {name: i for i, name in enumerate(SPECIAL_TOKENS, start=recorded["first_id"])}
    different = len(ours.items() ^ recorded["ids"].items())
    yield Case("special token ids (count of differences)", different, 0.0)
