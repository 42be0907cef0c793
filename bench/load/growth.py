"""Does the memory of the acoustic process grow while utterances come and go?

    OMP_NUM_THREADS=1 python -m bench.load.growth --utterances 2000 --json growth.json

The acoustic process's own loop runs here, with the embedded voice and a talker that answers at once with random tokens.
So an hour of a busy server takes minutes. Utterances have random voices, languages, lengths and speeds, and some are
cancelled at a random sound. It prints the memory of this process, and what of it is free inside the allocator, as
utterances end; and the slope of the second half for each thousand utterances.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import json
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.load.calls.memory import slope
from bench.machine import describe_machine
from cosyvoice.models import NANO
from cosyvoice.talker.layout import LayoutStage
from rtserver.engine.acoustic.loop import AcousticLoop
from rtserver.engine.acoustic.process import Loaded, load
from rtserver.ipc.engine import Audio, Cancel, Done, End, Failed, Feed, Open
from rtserver.ipc.message import Message
from rtserver.ipc.options import AcousticProcessOptions
from rtserver.ipc.process import Shutdown
from rtserver.ipc.reading import Segment
from rtserver.ipc.talker import SampleQuantum, Tokens
from rtserver.processes.inbox import Inbox
from rtserver.schedule.scheduler import Scheduler

_MIB = 2**20
# Speech tokens for each text id, about what the embedded voice's talker makes.
_TOKENS_PER_ID = 2.0
_CANCELLED = 0.3


class Mallinfo(ctypes.Structure):
    """What glibc tells of its memory (mallinfo2)."""

    _fields_ = [
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    ]


@dataclass
class Curve:
    """Memory as utterances end. MiB."""

    utterances: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    # Of this process, in RAM.
    resident: list[float] = field(default_factory=list)
    # Of the allocator's heap: what is used, and what is free inside it.
    used: list[float] = field(default_factory=list)
    free: list[float] = field(default_factory=list)
    # Blocks that the allocator took from the system one by one.
    mapped: list[float] = field(default_factory=list)
    # Objects that Python's garbage collector knows.
    objects: list[int] = field(default_factory=list)

    def note(self, utterances: int, seconds: float) -> None:
        """Measures now."""
        gc.collect()
        info = _mallinfo()
        self.utterances.append(utterances)
        self.seconds.append(round(seconds, 1))
        self.resident.append(_resident_mib())
        self.used.append(round(info.uordblks / _MIB, 1))
        self.free.append(round(info.fordblks / _MIB, 1))
        self.mapped.append(round(info.hblkhd / _MIB, 1))
        self.objects.append(len(gc.get_objects()))
        print({name: values[-1] for name, values in vars(self).items()}, flush=True)

    def slope_per_thousand(self) -> float:
        """MiB in RAM for each thousand utterances of the second half."""
        half = len(self.utterances) // 2
        return round(1000 * slope(self.utterances[half:], self.resident[half:]), 2)


class Client:
    """The front and the talker, as the acoustic process sees them. It keeps so many utterances open."""

    def __init__(self, inbox: Inbox, chance: random.Random, total: int, every: int, speech_tokens: int) -> None:
        self.curve = Curve()
        self._inbox = inbox
        self._chance = chance
        self._total = total
        self._every = every
        self._speech_tokens = speech_tokens
        self._begun = self._over = 0
        self._start_s = time.monotonic()
        # Sounds after which an open utterance is cancelled.
        self._cancel_after: dict[str, int] = {}

    def begin(self) -> None:
        """One utterance more, with all its text."""
        if self._begun == self._total:
            return
        self._begun += 1
        name, chance = f"u{self._begun}", self._chance
        language = chance.choice(["en", "zh"])
        self._cancel_after[name] = chance.randint(1, 3) if chance.random() < _CANCELLED else self._total
        speed = chance.choice([1.0, 1.0, 1.0, 0.8, 1.3])
        self._inbox.put(Open(name, chance.choice(["female", "male"]), language=language, seed=self._begun, speed=speed))
        for _ in range(chance.choice([1, 1, 1, 2])):
            ids = [chance.randint(20, 200) for _ in range(chance.randint(4, 30))]
            self._inbox.put(Feed(name, [Segment(ids, 0, ends_sentence=True)]))
        self._inbox.put(End(name))

    def send(self, message: Message) -> None:
        """A message of the acoustic process."""
        match message:
            case SampleQuantum():
                self._inbox.put(self._tokens(message))
            case Audio(name) if name in self._cancel_after:
                self._cancel_after[name] -= 1
                if self._cancel_after[name] == 0:
                    self._inbox.put(Cancel(name))
                    self._ended(name)
            case Failed(name, code, text):
                raise RuntimeError(f"expected speech, found {code}: {text}")
            case Done(name) if name in self._cancel_after:
                self._ended(name)
            case _:
                pass

    def _tokens(self, sample: SampleQuantum) -> Tokens:
        count = min(sample.max_tokens, max(sample.min_tokens, round(_TOKENS_PER_ID * len(sample.ids))))
        ids = [self._chance.randrange(self._speech_tokens) for _ in range(count)]
        if count < sample.max_tokens:
            ids.append(self._speech_tokens + (3 if sample.stage == LayoutStage.MID.value else 1))
        return Tokens(sample.utterance, sample.quantum, ids, 0.1)

    def _ended(self, name: str) -> None:
        del self._cancel_after[name]
        self._over += 1
        if self._over % self._every == 0:
            self.curve.note(self._over, time.monotonic() - self._start_s)
        if self._over == self._total:
            self._inbox.put(Shutdown())
        else:
            self.begin()


def churn(loaded: Loaded, utterances: int, side_by_side: int, every: int, seed: int) -> Curve:
    """Speaks so many utterances."""
    inbox = Inbox()
    client = Client(inbox, random.Random(seed), utterances, every, loaded.models.config.talker.speech_tokens)
    loop = AcousticLoop(loaded.models, client, inbox, Scheduler(loaded.places, loaded.costs))
    for _ in range(side_by_side):
        client.begin()
    loop.run()
    return client.curve


def _mallinfo() -> Any:
    function = ctypes.CDLL(None).mallinfo2
    function.restype = Mallinfo
    return function()


def _resident_mib() -> float:
    fields = Path("/proc/self/statm").read_text().split()
    return round(int(fields[1]) * 4096 / _MIB, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--utterances", type=int, default=2000)
    parser.add_argument("--side-by-side", type=int, default=4, metavar="N", help="utterances at once")
    parser.add_argument("--every", type=int, default=50, metavar="N", help="utterances between two measurements")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the results here")
    args = parser.parse_args(arguments)
    loaded = load(AcousticProcessOptions(str(NANO)), lambda text: print(text, flush=True))
    curve = churn(loaded, args.utterances, args.side_by_side, args.every, args.seed)
    print(f"{curve.slope_per_thousand()} MiB for each thousand utterances of the second half")
    if args.json:
        result = {"machine": describe_machine(), "slope_mib_per_1000": curve.slope_per_thousand(), **vars(curve)}
        args.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
