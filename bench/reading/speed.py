"""How fast is text read, and how long does one text hold the reader process?

    python -m bench.reading.speed --json reading_speed.json
    python -m bench.reading.speed --only turns --texts digits counting --model nano

Clauses: the cases of the tests, by kind, and the sentences of bench/texts, each as one text; milliseconds of processor
time a clause, and characters a second. Turns: hostile texts (`hostile.py`), given at once, and word by word; the
longest time until another text can have its turn. Both for the embedded voice (phonemes) and for a released checkpoint
(words; with a tokenizer of bytes, since none is shipped).
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from tokenizers.pre_tokenizers import ByteLevel

from bench.load.turn import percentile, texts
from bench.machine import describe_machine
from bench.reading.hostile import REPEATED, hostile_texts
from cosyvoice.config import ModelConfig
from cosyvoice.frontend.bpe import BpeEncoder
from cosyvoice.frontend.mandarin import cut_words, load_words
from cosyvoice.frontend.reader import Reader
from cosyvoice.frontend.special_tokens import MARKUP, SPECIAL_TOKENS
from cosyvoice.frontend.text_stream import Piece, Reading, TextStream
from cosyvoice.frontend.tokenizer import Tokenizer
from cosyvoice.models import NANO
from rtserver.ipc.reading import Boundary, OpenText, Write
from rtserver.reader.text_front import WARM_UP_TEXTS
from rtserver.reader.text_queue import TextQueue

CASES = Path("tests/cosyvoice/frontend/cases")
PROSE = ("english", "english_replies", "mandarin", "mandarin_replies")
GOAL_MS = 20.0
_ROUNDS = 3


@dataclass(frozen=True)
class Clauses:
    """Processor time to read the clauses of some texts."""

    kind: str
    clauses: int
    characters: int
    median_ms: float
    p99_ms: float
    worst_ms: float
    characters_per_s: float


@dataclass(frozen=True)
class Turns:
    """Processor time of the turns of one text."""

    name: str
    by_word: bool
    turns: int
    median_ms: float
    worst_ms: float
    characters_per_s: float


def readers(names: Iterable[str]) -> Iterator[tuple[str, Reader, float]]:
    """Each reader, and the seconds to load it."""
    for name in names:
        start_s = time.perf_counter()
        if name == "nano":
            config = ModelConfig.load(NANO)
            reader = Reader.for_model(config, Tokenizer.load(config))
        else:
            letters = {letter: i for i, letter in enumerate(sorted(ByteLevel.alphabet()))}
            specials = {token: len(letters) + i for i, token in enumerate(["<|endoftext|>", *SPECIAL_TOKENS])}
            reader = Reader(Tokenizer(BpeEncoder(letters, []), specials, len(letters) + len(specials), MARKUP))
        for language in WARM_UP_TEXTS:
            reader.load(language)
            reader(Piece(WARM_UP_TEXTS[language]))
        load_words()
        yield name, reader, time.perf_counter() - start_s


def measured_clauses(reader: Reader) -> list[Clauses]:
    """By kind of the cases, then for prose, then for all."""
    kinds: dict[str, list[str]] = {}
    for table in sorted(CASES.glob("*.jsonl")):
        for line in table.read_text("utf-8").splitlines():
            case = json.loads(line)
            kinds.setdefault(f"{case['kind']}, {case['language']}", []).append(case["text"])
    for name in PROSE:
        kinds[f"prose, {name}"] = texts(name)
    every: list[tuple[float, int]] = []
    results = []
    for kind, some in sorted(kinds.items()):
        times = [one for text in some for one in _clause_times(reader, text)]
        every += times
        results.append(_clauses(kind, times))
    return [*results, _clauses("all", every)]


def _clause_times(reader: Reader, text: str) -> list[tuple[float, int]]:
    """Milliseconds and characters of each clause."""
    times: list[tuple[float, int]] = []

    def read(piece: Piece) -> Reading:
        start_s = time.thread_time()
        reading = reader(piece)
        times.append(((time.thread_time() - start_s) * 1000, len(piece.text)))
        return reading

    stream = TextStream(read, cut_words=cut_words)
    stream.feed(text)
    stream.end()
    return times


def _clauses(kind: str, times: list[tuple[float, int]]) -> Clauses:
    ms, characters = [one for one, _ in times], sum(count for _, count in times)
    spent_s = sum(ms) / 1000
    return Clauses(
        kind,
        len(ms),
        characters,
        round(percentile(ms, 50), 2),
        round(percentile(ms, 99), 2),
        round(max(ms, default=0.0), 2),
        round(characters / spent_s) if spent_s else 0.0,
    )


def measured_turns(reader: Reader, name: str, text: str, by_word: bool) -> Turns:
    """The turns of one text in the reader process."""

    def open_stream(request: OpenText) -> TextStream:
        return TextStream(reader, cut_words=cut_words, words=request.words)

    def turns_ms() -> Iterator[float]:
        queue = TextQueue(open_stream)
        queue.take(OpenText("text", words=by_word))
        pieces = [text[at : at + 6] for at in range(0, len(text), 6)] if by_word else [text]
        messages: list[Write | Boundary] = [Write("text", piece) for piece in pieces]
        for message in (*messages, Boundary("text", "end")):
            queue.take(message)
            while queue.busy:
                start_s = time.thread_time()
                queue.work()
                yield (time.thread_time() - start_s) * 1000

    # The turns are always the same. The shorter time of each is that with less disturbance by other processes.
    ms = [min(times) for times in zip(*(turns_ms() for _ in range(_ROUNDS)), strict=True)]
    spent_s = sum(ms) / 1000
    return Turns(name, by_word, len(ms), round(percentile(ms, 50), 3), round(max(ms), 2), round(len(text) / spent_s))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", nargs="+", choices=["nano", "released"], default=["nano", "released"])
    parser.add_argument("--only", choices=["clauses", "turns"], help="measure only these")
    parser.add_argument("--characters", type=int, default=20_000, help="of each hostile text (default: 20000)")
    parser.add_argument("--texts", nargs="+", choices=list(REPEATED), metavar="NAME", help="only these hostile texts")
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args()
    results: dict[str, object] = {"machine": describe_machine(), "characters": args.characters}
    for model, reader, load_s in readers(args.model):
        memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"{model}: loaded in {load_s:.1f} s, {memory_mb:.0f} MB in all")
        found: dict[str, object] = {"load_s": round(load_s, 2), "memory_mb": round(memory_mb)}
        if args.only != "turns":
            clauses = measured_clauses(reader)
            for one in clauses:
                print(f"  {one.kind}: {one.median_ms} ms, p99 {one.p99_ms}, {one.characters_per_s} characters a second")
            found["clauses"] = [asdict(one) for one in clauses]
        if args.only != "clauses":
            found["turns"] = [asdict(turn) for turn in _all_turns(reader, args.texts, args.characters)]
        results[model] = found
    if args.json:
        args.json.write_text(json.dumps(results, indent=1, ensure_ascii=False), encoding="utf-8")


def _all_turns(reader: Reader, names: list[str] | None, characters: int) -> list[Turns]:
    gc.collect()
    turns = []
    for name, text in hostile_texts(characters).items():
        if names and name not in names:
            continue
        for by_word in (False, True):
            turns.append(one := measured_turns(reader, name, text, by_word))
            late = " LATE" if one.worst_ms > GOAL_MS else ""
            way = "by word" if by_word else "at once"
            speed = f"{one.characters_per_s} characters a second"
            print(f"  {name}, {way}: worst {one.worst_ms} ms, median {one.median_ms}, {speed}{late}", flush=True)
    print(f"  worst of all: {max(turn.worst_ms for turn in turns)} ms")
    return turns


if __name__ == "__main__":
    main()
