"""How precisely does the server know when each word begins? Its marks, compared with the times of the teacher Kokoro.

    python -m bench.model.word_times --model DIR --packages WORK/packages --json word_times.json

DIR is a model directory with aligner.safetensors. WORK/packages is the folder in which `python -m cosyvoice.nano
corpus` unpacked its packages. Kokoro speaks sentences that are in no training set, and gives the length of each phoneme
(a tensor inside its network). Its sound becomes speech codes, which go hop by hop through the aligner and the marks of
the server.

It prints for each voice: the mean absolute error of word starts in ms (a Han character is a word), compared with the
teacher and with CTC's best path over the whole sentence; the mean error, which should be subtracted from
`aligner_shift_s` in serving.json; the same for the estimate that is used without an aligner; and the CPU time for a
second of sound.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray

from bench.machine import describe_machine
from cosyvoice.config import ModelConfig
from cosyvoice.frontend.language import Language
from cosyvoice.frontend.phoneme_ids import PHONEME
from cosyvoice.frontend.text_stream import ReadSegment
from cosyvoice.frontend.words import words_of
from cosyvoice.nano.corpus.packages import KOKORO_VOICES, Packages
from cosyvoice.nano.corpus.reserved import reserved_sentences
from cosyvoice.nano.corpus.stage import speech_bounds
from cosyvoice.nano.corpus.teachers import SAMPLE_RATE, Kokoro, symbol_places
from cosyvoice.nano.data.codes import TOKENIZER_FILE
from cosyvoice.nano.data.features import features_of, whole_codes
from cosyvoice.talker.aligner import AlignerStream, best_path
from cosyvoice.voice.onnx_network import OnnxNetwork
from rtserver.engine.acoustic.text_times import Place, TextTimes
from rtserver.engine.acoustic.word_aligner import WordAligner
from rtserver.reader.text_front import TextFront, engine_segments
from rtserver.session.marks import Marks

VOICES: tuple[tuple[str, Language], ...] = (("am_michael", "en"), ("zf_xiaoxiao", "zh"), ("zm_yunxi", "zh"))
_SENTENCES: dict[Language, str] = {"en": "english", "zh": "mandarin"}
_DURATION_S = 0.025  # Kokoro's unit of time
_FIRST_HOP_TOKENS, _HOP_TOKENS, _LOOKAHEAD_TOKENS = 13, 25, 3


@dataclass
class Errors:
    """Errors in ms of the words of one voice."""

    # Compared with the teacher's times.
    teacher: list[float] = field(default_factory=list)
    # Compared with CTC's best path.
    ctc: list[float] = field(default_factory=list)
    # Of the estimate without an aligner.
    estimate: list[float] = field(default_factory=list)
    # Length of the sound.
    audio_s: float = 0.0
    # CPU time of the aligner and the marks for it.
    cpu_s: float = 0.0

    def told(self) -> dict[str, float]:
        """The summary. Names end in their unit."""
        teacher = np.abs(self.teacher)
        return {
            "words": len(self.teacher),
            "against_teacher_ms": round(float(teacher.mean()), 1),
            "standard_error_ms": round(float(teacher.std() / len(teacher) ** 0.5), 1),
            "p95_ms": round(float(np.quantile(teacher, 0.95)), 1),
            "mean_error_ms": round(float(np.mean(self.teacher)), 1),
            "against_ctc_ms": round(float(np.abs(self.ctc).mean()), 1),
            "estimate_against_teacher_ms": round(float(np.abs(self.estimate).mean()), 1),
            "cpu_ms_per_audio_s": round(1000 * self.cpu_s / self.audio_s, 2),
        }


class TimedTeacher:
    """Kokoro, with the lengths of its phonemes."""

    def __init__(self, packages: Packages, folder: Path) -> None:
        model = onnx.load(str(packages.kokoro_model()))
        rounded = {name for node in model.graph.node if node.op_type == "Round" for name in node.output}
        (clipped,) = [n for n in model.graph.node if n.op_type == "Clip" and n.input[0] in rounded]
        output = onnx.helper.make_tensor_value_info(clipped.output[0], onnx.TensorProto.FLOAT, None)
        model.graph.output.append(output)
        path = folder / "timed.onnx"
        onnx.save(model, str(path))
        self._kokoro = Kokoro(path, packages.npm(KOKORO_VOICES) / "voices")

    def speak(self, phonemes: str, voice: str) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """The speech [samples] at 24 kHz, and when each character of the phonemes begins in it [characters], in
        seconds. A character that Kokoro does not know begins with the next one."""
        wave, lengths = (output.ravel() for output in self._kokoro.outputs(phonemes, voice))
        start, end = speech_bounds(wave)
        begins_s: NDArray[np.float64] = np.cumsum(lengths, dtype=np.float64)[:-1] * _DURATION_S - start / SAMPLE_RATE
        places = [*symbol_places(phonemes), len(phonemes)]
        return whole_codes(wave[start:end]), begins_s[np.searchsorted(places, np.arange(len(phonemes)))]


def hops(tokens: int) -> list[int]:
    """How many tokens have been spoken after each hop."""
    return [*range(_FIRST_HOP_TOKENS, tokens - _LOOKAHEAD_TOKENS, _HOP_TOKENS), tokens]


def marked(
    segments: Sequence[ReadSegment], codes: list[int], aligner: WordAligner, token_s: float, errors: Errors
) -> list[float]:
    """When the words begin in ms, by the server's marks, hop by hop."""
    times, stream, marks = (
        TextTimes(aligner.sounding, slot_s=aligner.slot_s, shift_s=aligner.shift_s),
        AlignerStream(aligner.network),
        Marks(),
    )
    messages = engine_segments(segments)
    marks.add(messages)
    starts_ms: list[float] = []
    begun_s, done = time.process_time(), 0
    times.feed([i for message in messages for i in message.ids])
    ids = sum(len(message.ids) for message in messages)
    for end in hops(len(codes)):
        final = end == len(codes)
        log_probs = stream.feed(codes, end, final=final)
        first = times.told
        starts_s = times.hear(ids, log_probs, Place(0.0, done * token_s, end * token_s, 1.0, final))
        words = marks.timed(first, [1000 * s for s in starts_s], 1000 * end * token_s)
        starts_ms += [word.start_ms for word in words]
        done = end
    errors.cpu_s += time.process_time() - begun_s
    errors.audio_s += len(codes) * token_s
    return starts_ms + [word.start_ms for word in marks.finish()]


def estimated(segments: Sequence[ReadSegment], tokens: int, config: ModelConfig) -> list[float]:
    """The same without an aligner. The length of the speech is predicted until its last hop."""
    marks = Marks()
    messages = engine_segments(segments)
    marks.add(messages)
    ids = sum(len(message.ids) for message in messages)
    starts_ms: list[float] = []
    for end in hops(tokens):
        expected = tokens if end == tokens else max(end, ids * config.serving.tokens_per_text_id)
        words = marks.audio(1000 * end / config.token_rate_hz, ids * end / expected)
        starts_ms += [word.start_ms for word in words]
    return starts_ms + [word.start_ms for word in marks.finish()]


def by_ctc(ids: Sequence[int], codes: list[int], aligner: WordAligner) -> NDArray[np.float64] | None:
    """When each id begins in ms, by the best path through the whole sentence. An id without sound has the time of the
    next one. None when the ids do not fit."""
    sounding = [place for place, i in enumerate(ids) if i in aligner.sounding]
    log_probs = AlignerStream(aligner.network).feed(codes, len(codes), final=True)
    slots = best_path(log_probs, [ids[place] for place in sounding])
    if slots is None:
        return None
    begins_ms = 1000 * ((np.append(slots, slots[-1]) + 0.5) * aligner.slot_s + aligner.shift_s)
    found: NDArray[np.float64] = begins_ms[np.searchsorted(sounding, np.arange(len(ids) + 1))]
    return found


def measure(args: argparse.Namespace, folder: Path) -> dict[str, Errors]:
    """The errors of all voices."""
    config = ModelConfig.load(args.model)
    front = TextFront(config)
    aligner = WordAligner.load(config, front.tokenizer)
    if aligner is None:
        raise SystemExit(f"{args.model}: expected aligner.safetensors, found none: see cosyvoice/nano/README.md")
    teacher, tokenizer = TimedTeacher(Packages(args.packages), folder), OnnxNetwork(config.directory / TOKENIZER_FILE)
    results: dict[str, Errors] = {}
    for voice, language in VOICES:
        errors = results[voice] = Errors()
        for text in reserved_sentences(_SENTENCES[language])[: args.sentences]:
            stream = front.stream(language)
            segments = [*stream.feed(text), *stream.end()]
            phonemes = "".join(segment.reading.text for segment in segments)
            wave, begins_s = teacher.speak(phonemes, voice)
            mel = features_of(wave)["whisper"].T[None]
            found = tokenizer.run(np.ascontiguousarray(mel), np.array([mel.shape[2]], np.int32))
            codes = [int(code) for code in found[0]]
            ids = [i for segment in segments for i in segment.ids]
            ctc_ms = by_ctc(ids, codes, aligner)
            true_ms = [1000 * begins_s[place] for place in places_of(phonemes, front)]
            if ctc_ms is None or len(true_ms) != len(ids):
                continue
            starts_ms = marked(segments, codes, aligner, 1 / config.token_rate_hz, errors)
            rough_ms = estimated(segments, len(codes), config)
            for start, rough, first in zip(starts_ms, rough_ms, first_ids(segments)):
                if first is not None:
                    errors.teacher.append(start - true_ms[first])
                    errors.ctc.append(start - float(ctc_ms[first]))
                    errors.estimate.append(rough - true_ms[first])
        print(voice, json.dumps(errors.told()), flush=True)
    return results


def places_of(phonemes: str, front: TextFront) -> list[int]:
    """The position in the phoneme string at which each text id begins."""
    found = PHONEME.finditer(phonemes)
    return [one.start() for one in found for _ in front.tokenizer.encode(one.group())]


def first_ids(segments: Sequence[ReadSegment]) -> list[int | None]:
    """The first text id of each word. None for a word that is not spoken."""
    found: list[int | None] = []
    before = 0
    for segment in segments:
        assert len(segment.reading.words) == len(list(words_of(segment.text)))
        found += [before + first if end > first else None for first, end in segment.reading.words]
        before += len(segment.ids)
    return found


def main(args: argparse.Namespace) -> int:
    """Returns the exit status."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        results = measure(args, Path(folder))
    told: dict[str, Any] = {voice: errors.told() for voice, errors in results.items()}
    if args.json:
        args.json.write_text(json.dumps({"machine": describe_machine(), "voices": told}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--model", type=Path, required=True, metavar="DIR", help="model directory with aligner.safetensors"
    )
    parser.add_argument("--packages", type=Path, required=True, metavar="DIR", help="folder with the unpacked packages")
    parser.add_argument("--sentences", type=int, default=30, help="sentences for each voice (default: %(default)s)")
    parser.add_argument("--json", type=Path, help="write the results here")
    sys.exit(main(parser.parse_args()))
