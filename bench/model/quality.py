"""How well is the voice understood, offline and streamed, and does streaming change anything?

    python -m bench.model.quality --language en --voice 英文女 --json en.json
    python -m bench.model.quality --language en --text words

Every sentence is spoken in three ways with the same seed: offline as the original does it (one request, full
attention), offline with the block mask, and streamed in quanta and hops. It prints error rates by Whisper base, whether
the speech tokens are the same, and the largest mel deviation between streamed and offline with the block mask. With
--out it keeps the waves. With --naturalness DistillMOS also says how natural the streamed ones sound.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import soundfile
import torch

from bench.load.overlay import overlaid
from bench.machine import describe_machine
from bench.model.speaker import Speaker
from cosyvoice.models import resolve_model
from cosyvoice.nano.score.listener import Listener, Score, error_rate
from cosyvoice.nano.score.quality import Naturalness
from cosyvoice.voice.features import resample
from rtserver.ipc.engine import Open

TEXTS = {"en": "english.txt", "zh": "mandarin.txt"}
DEFAULT_VOICES = {"en": "英文女", "zh": "中文女"}


@dataclass
class Results:
    """Scores for each way of speaking, and what streaming changed."""

    scores: dict[str, list[Score]] = field(default_factory=lambda: {"offline": [], "block": [], "streamed": []})
    # DistillMOS of the streamed waves, from 1 to 5.
    naturalness: list[float] = field(default_factory=list)
    other_tokens: int = 0
    mel_deviation: float = 0.0
    audio_s: float = 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", help="model directory, or nano (default)")
    parser.add_argument("--language", choices=sorted(TEXTS), default="en")
    parser.add_argument("--voice", help="name of a voice (default: the female voice of the language)")
    parser.add_argument("--texts", type=Path, help="file with one sentence a line (default: the shipped ones)")
    parser.add_argument("--count", type=int, default=1000, help="only the first sentences, this many")
    parser.add_argument("--together", type=int, default=1, metavar="N", help="sentences that are joined to one text")
    parser.add_argument("--sequence-s", type=float, help="length of a talker sequence (default: of serving.json)")
    parser.add_argument("--seed", type=int, default=0, help="sentence i is spoken with seed + i")
    parser.add_argument(
        "--text",
        choices=["whole", "words"],
        default="whole",
        help="give the text whole, or word by word",
    )
    parser.add_argument("--talker-prompt", action="store_true", help="with words: set serving.streaming_talker_prompt")
    dtypes = ["float32", "bfloat16"]
    parser.add_argument("--flow-dtype", choices=dtypes, default="float32", help="what the flow calculates in")
    parser.add_argument("--talker-dtype", choices=dtypes, default="float32", help="what the talker calculates in")
    parser.add_argument("--naturalness", action="store_true", help="have DistillMOS listen too (the group `nano`)")
    parser.add_argument("--only-streamed", action="store_true", help="do not speak offline")
    parser.add_argument("--out", type=Path, help="keep the waves in this directory")
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    path = args.texts or Path(__file__).parents[1] / "texts" / TEXTS[args.language]
    sentences = path.read_text(encoding="utf-8").splitlines()[: args.count]
    space = "" if args.language == "zh" else " "
    texts = [space.join(sentences[i : i + args.together]) for i in range(0, len(sentences), args.together)]
    serving: dict[str, Any] = {"streaming_talker_prompt": True} if args.talker_prompt else {}
    if args.sequence_s is not None:
        serving["sequence_s"] = args.sequence_s
    listener, results = Listener(), Results()
    naturalness = Naturalness() if args.naturalness else None
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, torch.inference_mode():
        model = overlaid(resolve_model(args.model), serving, Path(directory))
        speaker = Speaker(model, flow_dtype=args.flow_dtype, talker_dtype=args.talker_dtype)
        voice = speaker.models.voice(args.voice or DEFAULT_VOICES[args.language], "sft", "", args.language)
        for i, text in enumerate(texts):
            words = args.text == "words"
            segments = speaker.segments(text, words=words)
            request = Open(f"{i}", voice.name, seed=args.seed + i, streaming=words)
            takes = {} if args.only_streamed else speaker.offline(voice, segments, request)
            takes["streamed"] = speaker.streamed(voice, segments, request)
            results.other_tokens += "block" in takes and takes["streamed"].tokens != takes["block"].tokens
            if "block" in takes and takes["streamed"].mel.shape == takes["block"].mel.shape:
                deviation = float((takes["streamed"].mel - takes["block"].mel).abs().max())
                results.mel_deviation = max(results.mel_deviation, deviation)
            results.audio_s += len(takes["streamed"].wave) / 24000
            if naturalness is not None:
                results.naturalness.append(naturalness(takes["streamed"].wave, 24000))
            for way, take in takes.items():
                heard = resample(torch.from_numpy(take.wave), 24000, 16000).numpy()
                results.scores[way].append(listener.score(heard, text))
                if args.out:
                    soundfile.write(args.out / f"{i:02d}-{way}.wav", take.wave, 24000)
            print(f"{i + 1}/{len(texts)} {results.scores['streamed'][-1]}", flush=True)
        speaker.talker.close()
    summary = {way: error_rate(scores) for way, scores in results.scores.items() if scores}
    kind = "CER" if args.language == "zh" else "WER"
    for way, (rate, deviation) in summary.items():
        print(f"{voice.name} {way:9s} {kind} {rate:.3f} (standard error {deviation:.3f}, {len(texts)} texts)")
    if not args.only_streamed:
        print(f"texts with other tokens when streamed: {results.other_tokens}", end="; ")
        print(f"mel deviation {results.mel_deviation:.1e}")
    if results.naturalness:
        print(f"{voice.name} streamed  DistillMOS {statistics.fmean(results.naturalness):.2f}")
    if args.json:
        content: dict[str, Any] = {"machine": describe_machine(), "arguments": vars(args), "voice": voice.name}
        content["rates"] = summary
        content["streamed"] = {"other_tokens": results.other_tokens, "mel_deviation": results.mel_deviation}
        content["naturalness"] = results.naturalness
        content["sentences"] = {way: [asdict(s) for s in scores] for way, scores in results.scores.items()}
        args.json.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str), encoding="utf-8")


if __name__ == "__main__":
    main()
