"""Is what is written heard? Texts with markup and numbers, spoken by the embedded voice and heard by Whisper base.

    python -m bench.reading.heard --json heard.json

Each text of bench/texts/heard.jsonl is spoken twice with the same seed: as it is written, and the words that it should
become. Scores are word (English) or character (Mandarin) error rates against these words. What is heard is put into
words first, because Whisper writes digits; of the readings of its digits (a number, a year, digit by digit) the one
nearest to the expected words counts. Where the written text is heard worse than its words, the reading is at fault;
where both are heard badly, the voice or the listener is.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

import msgspec
import numpy as np
import torch

from bench.machine import describe_machine
from bench.model.quality import DEFAULT_VOICES
from bench.model.speaker import Speaker
from cosyvoice.frontend import chinese_numbers, english_numbers
from cosyvoice.frontend.chinese import normalize_chinese
from cosyvoice.frontend.english import normalize_english
from cosyvoice.models import resolve_model
from cosyvoice.nano.score.listener import Listener, Score, compare, error_rate
from cosyvoice.voice.features import resample
from rtserver.ipc.engine import Open

TEXTS = Path(__file__).parents[1] / "texts" / "heard.jsonl"
HEARD_RIGHT = 0.1  # the error rate up to which a text counts as heard


class Case(msgspec.Struct):
    """A text, and the words that must be heard."""

    language: str
    kind: str
    text: str
    spoken: str


@dataclass(frozen=True)
class Result:
    """How a case was heard."""

    case: Case
    written: Score
    words: Score

    @property
    def rates(self) -> tuple[float, float]:
        """Of the text as it is written, and of its words."""
        return self.written.edits / self.written.units, self.words.edits / self.words.units

    @property
    def fault(self) -> str:
        """Whose fault it is that the text is not heard; empty if it is."""
        written, words = self.rates
        if written <= HEARD_RIGHT:
            return ""
        return "reading" if written > words + HEARD_RIGHT else "voice or listener"


def heard_score(expected: str, heard: str, language: str) -> Score:
    """The best score over the ways to say the digits that the listener wrote."""
    scores = [compare(expected, said, language) for said in _readings(heard, language)]
    return min(scores, key=lambda score: score.edits)


def _readings(heard: str, language: str) -> list[str]:
    """What was heard with all of its digits in words, in each way."""
    read = normalize_chinese if language == "zh" else normalize_english
    joined = re.sub(r"(?<=\d)[ -](?=\d)", "", heard)  # 4 8 2 1
    spelled = chinese_numbers.by_digit if language == "zh" else english_numbers.by_digit
    ways = {heard, read(heard), read(joined), re.sub(r"\d+", lambda run: f" {spelled(run[0])} ", heard)}
    long = re.sub(r"\d{3,}", lambda run: f" {spelled(run[0])} ", joined)  # codes by digit, the rest as numbers
    ways |= {read(long), read(long.replace(":", " "))}
    return [_even(way) if language == "en" else way.replace("幺", "一") for way in ways]


def _even(text: str) -> str:
    """Spellings that sound alike are one."""
    text = re.sub(r"\b([ap])\.?\s?m\b\.?", r"\1 m", text.lower())
    return re.sub(r"\bmetre", "meter", re.sub(r"\bkilometre", "kilometer", text.replace("-", " ")))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0, help="case i is spoken with seed + i")
    parser.add_argument("--count", type=int, default=1000, help="only the first cases of each language, this many")
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    every = [msgspec.json.decode(line, type=Case) for line in TEXTS.read_bytes().splitlines()]
    cases = list(
        itertools.chain.from_iterable([c for c in every if c.language == one][: args.count] for one in ("en", "zh"))
    )
    listener, results = Listener(), []
    with torch.inference_mode():
        speaker = Speaker(resolve_model("nano"))
        for number, case in enumerate(cases):
            written = _heard(speaker, listener, case, case.text, args.seed + number)
            words = _heard(speaker, listener, case, case.spoken, args.seed + number)
            results.append(result := Result(case, written, words))
            rates = " ".join(f"{rate:.2f}" for rate in result.rates)
            print(f"{case.language} {case.kind}: {rates} {result.fault} {written.heard}", flush=True)
        speaker.talker.close()
    for language in ("en", "zh"):
        of = [result for result in results if result.case.language == language]
        right = sum(not result.fault for result in of)
        errors = [error_rate([getattr(result, way) for result in of]) for way in ("written", "words")]
        print(
            f"{language}: heard {right} of {len(of)}; error rate as written {errors[0][0]:.3f} (se {errors[0][1]:.3f})",
            end="",
        )
        print(f", of the words {errors[1][0]:.3f} (se {errors[1][1]:.3f})")
    if args.json:
        told = [
            msgspec.to_builtins(result.case)
            | {"written": asdict(result.written), "words": asdict(result.words), "fault": result.fault}
            for result in results
        ]
        content = {"machine": describe_machine(), "cases": told}
        args.json.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")


def _heard(speaker: Speaker, listener: Listener, case: Case, text: str, seed: int) -> Score:
    """Speaks a text as a listener gets it, and listens."""
    voice = speaker.models.voice(DEFAULT_VOICES[case.language], "sft", "", case.language)
    request = Open(f"{seed}", voice.name, seed=seed, streaming=False)
    take = speaker.streamed(voice, speaker.segments(text, words=False), request)
    pcm = np.frombuffer(take.pcm, np.int16).astype(np.float32) / 32768
    wave = resample(torch.from_numpy(pcm), speaker.models.config.sample_rate, 16000).numpy()
    return heard_score(case.spoken, listener.transcribe(wave, case.language), case.language)


if __name__ == "__main__":
    main()
