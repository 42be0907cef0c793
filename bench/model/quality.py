"""How well is the voice understood, offline and streamed, and does streaming change anything?

    python -m bench.model.quality --language en --voice 英文女 --json en.json
    python -m bench.model.quality --language en --text words

Every sentence is spoken in three ways with the same seed: offline as the original does it (one request, full
attention), offline with the block mask, and streamed in quanta and hops. It prints error rates by Whisper base, whether
the speech tokens are the same, and the largest mel deviation between streamed and offline with the block mask. With
--out it keeps the waves.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.load.overlay import overlaid
from bench.machine import describe_machine
from cosyvoice.models import resolve_model
from cosyvoice.nano.score.listener import Listener, Score, error_rate
from cosyvoice.talker.layout import LayoutStage, Quantum
from cosyvoice.talker.talker import Talker
from cosyvoice.voice.features import resample
from rtserver.engine.acoustic.models import AcousticModels, SpeakingVoice
from rtserver.engine.acoustic.text_plan import TextPlan, TextPolicy
from rtserver.engine.acoustic.utterance import AcousticUtterance
from rtserver.ipc.engine import Open
from rtserver.ipc.reading import Segment
from rtserver.metrics.trace import Ring
from rtserver.reader.text_front import TextFront, engine_segments
from rtserver.schedule.costs import Costs

TEXTS = {"en": "english.txt", "zh": "mandarin.txt"}
DEFAULT_VOICES = {"en": "英文女", "zh": "中文女"}


@dataclass
class Take:
    """One text spoken in one way."""

    tokens: list[int]
    mel: Tensor
    wave: NDArray[np.float32]


@dataclass
class Results:
    """Scores for each way of speaking, and what streaming changed."""

    scores: dict[str, list[Score]] = field(default_factory=lambda: {"offline": [], "block": [], "streamed": []})
    other_tokens: int = 0
    mel_deviation: float = 0.0
    audio_s: float = 0.0


class Speaker:
    """All models in one process."""

    def __init__(self, model: Path) -> None:
        self.models = AcousticModels(model, kv_bytes=4 << 30)
        self.talker = Talker(self.models.config)
        self.text = TextFront(self.models.config)

    def segments(self, text: str, *, words: bool) -> list[Segment]:
        """A text as the reader gives it out."""
        stream = self.text.stream(words=words)
        return engine_segments([*stream.feed(text), *stream.end()])

    def sample(self, utterance: TextPlan, quantum_tokens: int) -> bool:
        """Samples one quantum. False when nothing is left."""
        quantum = utterance.next_quantum(quantum_tokens)
        if quantum is None:
            return False
        self.talker.add(f"{time.monotonic_ns()}", quantum, utterance.quantum_seed)
        while self.talker.busy:
            for sampled in self.talker.step():
                utterance.accept(sampled.ids)
        return True

    def offline(self, voice: SpeakingVoice, segments: list[Segment], request: Open) -> dict[str, Take]:
        """One request for each sequence; then flow and vocoder over everything, with full attention and with the
        mask."""
        policy = TextPolicy.of(self.models.config, streaming=request.streaming)
        prompt = voice.talker_prompt(streaming=request.streaming)
        utterance = TextPlan(self.models.config.talker, prompt, policy, request.seed)
        utterance.feed(segments)
        utterance.end()
        while self.sample(utterance, 10_000):
            pass
        takes = {}
        for way, block_mask in (("offline", False), ("block", True)):
            mels, waves = [], []
            for spoken in utterance.spoken:
                c = voice.conditioning
                flow_prompt = (c.flow_tokens, c.flow_mel, c.speaker)
                mel = self.models.flow.full(spoken.flow_tokens, *flow_prompt, block_mask=block_mask, finalize=True)[0]
                mels.append(mel)
                waves += self.models.vocoder.decode([(self.models.vocoder.open(), mel, True)])
            takes[way] = Take(utterance.speech_tokens, torch.cat(mels, 1), torch.cat(waves).numpy())
        return takes

    def streamed(self, voice: SpeakingVoice, segments: list[Segment], request: Open) -> Take:
        """As the engine does it: in quanta and hops, as soon as each can run."""
        utterance = AcousticUtterance(request, self.models, voice, 0.0, Ring(1))
        utterance.take_memory()
        utterance.feed(segments, 0.0)
        utterance.end(0.0)
        mels, waves, costs = [], [], Costs()
        while not utterance.stream.complete:
            utterance.release(0.0)
            sample = utterance.send_quantum(0.0, costs)
            if sample is not None:
                quantum = Quantum(
                    sample.ids, sample.max_tokens, sample.min_tokens, LayoutStage(sample.stage), sample.history
                )
                self.talker.add(str(sample.quantum), quantum, sample.seed)
                while self.talker.busy:
                    for sampled in self.talker.step():
                        utterance.accept(sample.quantum, sampled.ids, 0.0, 0.0)
            job = utterance.next_job(0.0)
            if job is not None:
                mels.append(self.models.flow.run(job))
                work = utterance.finished_mel()
                assert work is not None
                wave = self.models.vocoder.decode([work])[0]
                utterance.take_wave(wave, 0.0)
                waves.append(wave)
        utterance.close()
        return Take(utterance.speech.speech_tokens, torch.cat(mels, 1), torch.cat(waves).numpy())


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
    if args.out:
        args.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as directory, torch.inference_mode():
        speaker = Speaker(overlaid(resolve_model(args.model), serving, Path(directory)))
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
    if args.json:
        content = {"machine": describe_machine(), "arguments": vars(args), "voice": voice.name, "rates": summary}
        content["streamed"] = {"other_tokens": results.other_tokens, "mel_deviation": results.mel_deviation}
        content["sentences"] = {way: [asdict(s) for s in scores] for way, scores in results.scores.items()}
        args.json.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str), encoding="utf-8")


if __name__ == "__main__":
    main()
