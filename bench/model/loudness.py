"""How loud the stored voices of a checkpoint are, and how loud a sequence begins and ends.

    python -m bench.model.loudness --json loudness.json

Each voice says shipped sentences of its language, as many as --sentences. Talker, flow and vocoder run in this process,
with the vocoder's lead from serving.json and without. Printed for each voice: loudness without gain, in LUFS, which is
for `voice_loudness_lufs` in serving.json; loudness and true peak with its gain; the median and the largest level of the
first 20, 40 and 100 ms and of the last 60 ms of a sequence. ffmpeg's filter ebur128 measures loudness and true peak.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.machine import describe_machine
from bench.model.ebur128 import Loudness, loudness
from cosyvoice.flow.stream import FlowStream
from cosyvoice.models import resolve_model
from cosyvoice.talker.talker import Talker
from cosyvoice.vocoder.vocoder import Vocoder
from cosyvoice.voice.loudness import amplify
from rtserver.engine.acoustic.models import AcousticModels, SpeakingVoice
from rtserver.engine.acoustic.text_plan import TextPlan, TextPolicy
from rtserver.reader.text_front import TextFront, engine_segments

TEXTS = Path(__file__).parents[1] / "texts"
STARTS_MS = (20, 40, 100)
END_MS = 60
KV_BYTES = 1 << 30


@dataclass(frozen=True)
class Row:
    """The result of one voice."""

    voice: str
    lead_frames: int
    sequences: int
    seconds: float
    no_gain: Loudness
    gain_db: float | None
    with_gain: Loudness
    # Milliseconds from the start to (median, largest).
    start_dbfs: dict[int, tuple[float, float]]
    end_dbfs: tuple[float, float]


def level_dbfs(wave: NDArray[np.float32]) -> float:
    return float(20 * np.log10(np.sqrt(np.mean(np.square(wave))) + 1e-7))


def spoken(models: AcousticModels, talker: Talker, voice: SpeakingVoice, text: str) -> list[list[int]]:
    """The flow's tokens of each sequence of a text."""
    policy = TextPolicy.of(models.config, streaming=False)
    plan = TextPlan(models.config.talker, voice.talker_prompt(streaming=False), policy, seed=0)
    stream = TextFront(models.config).stream(words=False)
    plan.feed(engine_segments([*stream.feed(text), *stream.end()]))
    plan.end()
    while (quantum := plan.next_quantum(10_000)) is not None:
        talker.add(text, quantum, plan.quantum_seed)
        while talker.busy:
            for sampled in talker.step():
                plan.accept(sampled.ids)
    return [sequence.flow_tokens for sequence in plan.spoken if sequence.flow_tokens]


def mel_of(models: AcousticModels, voice: SpeakingVoice, tokens: list[int]) -> Tensor:
    stream = FlowStream(models.flow, voice.flow)
    try:
        return models.flow.run(stream.hop(tokens, final=True))
    finally:
        stream.close()


def measure(
    models: AcousticModels, vocoder: Vocoder, voice: SpeakingVoice, mels: list[Tensor], lead_frames: int
) -> Row:
    rate_hz = models.config.sample_rate
    waves = [vocoder.decode([(vocoder.open(), mel, True)])[0] for mel in mels]
    plain = [wave.numpy() for wave in waves]
    heard = [amplify(wave, voice.gain_db).numpy() for wave in waves]
    starts = {ms: [level_dbfs(wave[: ms * rate_hz // 1000]) for wave in heard] for ms in STARTS_MS}
    ends = [level_dbfs(wave[-END_MS * rate_hz // 1000 :]) for wave in heard]
    return Row(
        voice=voice.name,
        lead_frames=lead_frames,
        sequences=len(mels),
        seconds=sum(map(len, plain)) / rate_hz,
        no_gain=loudness(np.concatenate(plain), rate_hz),
        gain_db=voice.gain_db,
        with_gain=loudness(np.concatenate(heard), rate_hz),
        start_dbfs={ms: (float(np.median(levels)), max(levels)) for ms, levels in starts.items()},
        end_dbfs=(float(np.median(ends)), max(ends)),
    )


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano", help="model directory, or nano (default)")
    parser.add_argument("--sentences", type=int, default=20, help="a voice (default: 20)")
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    models = AcousticModels(resolve_model(args.model), kv_bytes=KV_BYTES)
    vocoders = {models.config.serving.vocoder_lead_frames: models.vocoder}
    vocoders.setdefault(0, Vocoder(models.vocoder.hift, held_frames=models.vocoder.held_frames))
    talker = Talker(models.config)
    rows: list[Row] = []
    for info in models.voices.infos():
        voice = models.voice(info.name, "sft", "", None)
        texts = (TEXTS / ("mandarin.txt" if info.language == "zh" else "english.txt")).read_text(encoding="utf-8")
        sentences = [line for line in texts.splitlines() if line.strip()][: args.sentences]
        with torch.inference_mode():
            mels = [
                mel_of(models, voice, tokens) for text in sentences for tokens in spoken(models, talker, voice, text)
            ]
            rows += [measure(models, vocoder, voice, mels, lead) for lead, vocoder in vocoders.items()]
        for row in rows[-len(vocoders) :]:
            starts = ", ".join(f"{ms} ms {a:.0f} and {b:.0f}" for ms, (a, b) in row.start_dbfs.items())
            print(
                f"{row.voice}, lead {row.lead_frames}: {row.no_gain.integrated_lufs:.1f} LUFS without gain, "
                f"{row.with_gain.integrated_lufs:.1f} LUFS and {row.with_gain.true_peak_dbfs:.1f} dBTP with it; start: "
                f"{starts} dBFS; end: {END_MS} ms {row.end_dbfs[0]:.0f} and {row.end_dbfs[1]:.0f} dBFS",
                flush=True,
            )
    talker.close()
    if args.json:
        result = {"machine": describe_machine(), "kind": "measured", "rows": [asdict(row) for row in rows]}
        args.json.write_text(json.dumps(result, indent=1, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
