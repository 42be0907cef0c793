"""Is `<prosody rate>` heard? The embedded voice speaks sentences at each rate.

    python -m bench.reading.rates --json rates.json

Printed for each rate: how much shorter the speech is than without the tag (it should be the rate), and the error rate
by Whisper base.
"""

from __future__ import annotations

import argparse
import json
import statistics
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.load.turn import texts
from bench.machine import describe_machine
from bench.model.quality import DEFAULT_VOICES
from bench.model.speaker import Speaker
from cosyvoice.models import resolve_model
from cosyvoice.nano.score.listener import Listener, error_rate
from cosyvoice.voice.features import resample
from rtserver.ipc.engine import Open

RATES = ("50%", "0.8", "slow", "100%", "1.25", "+50%", "2")
FACTORS = {"slow": 0.8, "+50%": 1.5, "50%": 0.5, "100%": 1.0}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=6, help="sentences of each language")
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    listener, rows = Listener(), []
    with torch.inference_mode():
        speaker = Speaker(resolve_model("nano"))
        for language, name in (("en", "english"), ("zh", "mandarin")):
            sentences = texts(name)[: args.count]
            plain = [_spoken(speaker, language, sentence, seed) for seed, sentence in enumerate(sentences)]
            for rate in RATES:
                tagged = [f'<prosody rate="{rate}">{sentence}</prosody>' for sentence in sentences]
                waves = [_spoken(speaker, language, text, seed) for seed, text in enumerate(tagged)]
                ratios = [len(one) / len(other) for one, other in zip(plain, waves, strict=True)]
                scores = [listener.score(_heard(wave), text) for wave, text in zip(waves, sentences, strict=True)]
                asked, error = FACTORS.get(rate) or float(rate), error_rate(scores)[0]
                row = {"language": language, "rate": rate, "asked": asked, "error_rate": round(error, 3)}
                row |= {"median": statistics.median(ratios), "least": min(ratios), "most": max(ratios)}
                rows.append(row)
                print(
                    f"{language} rate {rate} ({asked:g}): {row['median']:.3f} times as fast "
                    f"({row['least']:.3f} to {row['most']:.3f}), error rate {error:.3f}",
                    flush=True,
                )
        speaker.talker.close()
    if args.json:
        args.json.write_text(json.dumps({"machine": describe_machine(), "rates": rows}, indent=1), encoding="utf-8")


def _spoken(speaker: Speaker, language: str, text: str, seed: int) -> NDArray[np.float32]:
    voice = speaker.models.voice(DEFAULT_VOICES[language], "sft", "", language)
    request = Open(f"{seed}", voice.name, seed=seed, streaming=False)
    take = speaker.streamed(voice, speaker.segments(text, words=False), request)
    return np.frombuffer(take.pcm, np.int16).astype(np.float32) / np.float32(32768)


def _heard(wave: np.ndarray[tuple[int], np.dtype[np.float32]]) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """At the rate of samples that the listener wants."""
    return resample(torch.from_numpy(wave), 24000, 16000).numpy()


if __name__ == "__main__":
    main()
