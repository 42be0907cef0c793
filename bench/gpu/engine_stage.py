"""Stage `engine`: everything between the text ids and the samples, for 1, 4, 16... listeners who begin together.

The parent is the front: it passes quanta from the acoustic process to the talker, and listens. There is no reader, no
network and no codec of messages.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import multiprocessing
import statistics
import tempfile
import time
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Self

from bench.gpu.bench import Bench, Row, Rows
from bench.gpu.engine_processes import VOICE, EngineFiles, acoustic_process, talker_process
from bench.model.random_checkpoint import write_acoustic_checkpoint, write_stored_voice, write_talker
from rtserver.ipc.engine import Audio, Done, End, Failed, Feed, Open, Ready
from rtserver.ipc.message import Message
from rtserver.ipc.process import Shutdown
from rtserver.ipc.reading import Segment
from rtserver.ipc.talker import Refused, SampleQuantum, StopQuantum, TalkerReady, Tokens

# Samples of 16 bits.
_SAMPLE_BYTES = 2
# A listener hears no gap that is shorter.
_LEAST_GAP_S = 0.005


def engine(bench: Bench) -> Rows:
    """Listeners side by side: first sound, sound a second, and how many heard it without a gap. The first row is the
    start of both processes."""
    with tempfile.TemporaryDirectory() as folder:
        files = EngineFiles(Path(folder) / "model", Path(folder) / "cache")
        start_s = time.perf_counter()
        config = write_acoustic_checkpoint(files.model, bench.sizes.checkpoint)
        write_stored_voice(config, VOICE)
        if bench.vllm:
            write_talker(config)
        with _Engine(bench, files) as running:
            talker = "vllm" if bench.vllm else "stand-in"
            yield {"talker": talker, "what": "start", "wall_s": round(time.perf_counter() - start_s, 2)}
            running.speak(1)  # kernels for the shapes of a whole utterance
            for streams in bench.sizes.engine_streams:
                yield {"talker": talker, "what": "speech", "streams": streams, **running.speak(streams)}


class _Listener:
    """What one listener gets."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self.first_s = 0.0
        self.audio_s = 0.0
        # How long the listener heard nothing between two sounds.
        self.gap_s = 0.0
        self._dry_at_s = 0.0

    def hear(self, pcm: bytes, now_s: float) -> None:
        sound_s = len(pcm) / _SAMPLE_BYTES / self._rate_hz
        if not self.audio_s:
            self.first_s = self._dry_at_s = now_s
        self.gap_s += max(0.0, now_s - self._dry_at_s)
        self._dry_at_s = max(now_s, self._dry_at_s) + sound_s
        self.audio_s += sound_s


class _Engine:
    """Both processes, while it is entered."""

    def __init__(self, bench: Bench, files: EngineFiles) -> None:
        context = multiprocessing.get_context("spawn")
        self._text_ids = bench.sizes.text_ids
        self._rate_hz = 0
        self._numbers = itertools.count()
        self._acoustic, acoustic_end = context.Pipe()
        self._talker, talker_end = context.Pipe()
        self._processes = [
            context.Process(target=target, args=(bench, files, end), daemon=True)
            for target, end in ((acoustic_process, acoustic_end), (talker_process, talker_end))
        ]
        self._ends = acoustic_end, talker_end

    def __enter__(self) -> Self:
        for process, end in zip(self._processes, self._ends, strict=True):
            process.start()
            end.close()  # so that the death of the process is seen
        try:
            waiting = {self._acoustic, self._talker}
            while waiting:
                for connection, message in self._receive():
                    if isinstance(message, Ready):
                        self._rate_hz = message.sample_rate
                    if isinstance(message, Ready | TalkerReady):
                        waiting.discard(connection)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        for connection in (self._acoustic, self._talker):
            if not connection.closed:
                with contextlib.suppress(OSError):  # it may be dead
                    connection.send(Shutdown())
        for process in self._processes:
            process.join(timeout=5.0)
            if process.is_alive():
                process.kill()
                process.join()

    def speak(self, streams: int) -> Row:
        """So many listeners begin at once, each with the whole text. Raises RuntimeError when an utterance fails."""
        start_s = time.monotonic()
        listeners: dict[str, _Listener] = {}
        for _ in range(streams):
            number = next(self._numbers)
            name = f"u{number}"
            listeners[name] = _Listener(self._rate_hz)
            self._acoustic.send(Open(name, VOICE, seed=number))
            # Each listener's text is another one: else the talker would have it in its cache.
            ids = [20 + (31 * number + 7 * place) % 200 for place in range(self._text_ids)]
            self._acoustic.send(Feed(name, [Segment(ids, 0, ends_sentence=True)]))
            self._acoustic.send(End(name))
        left = set(listeners)
        while left:
            for _, message in self._receive():
                now_s = time.monotonic()
                if isinstance(message, Audio):
                    listeners[message.utterance].hear(message.pcm, now_s)
                elif isinstance(message, Done):
                    left.discard(message.utterance)
                elif isinstance(message, Failed):
                    raise RuntimeError(f"expected speech, found {message.code}: {message.message}")
        wall_s = time.monotonic() - start_s
        firsts_ms = sorted(1000 * (listener.first_s - start_s) for listener in listeners.values())
        audio_s = sum(listener.audio_s for listener in listeners.values())
        return {
            "ttfa_p50_ms": round(statistics.median(firsts_ms), 1),
            "ttfa_p95_ms": round(firsts_ms[math.ceil(0.95 * streams) - 1], 1),
            "audio_s": round(audio_s, 2),
            "audio_s_per_s": round(audio_s / wall_s, 2),
            "clean": sum(listener.gap_s < _LEAST_GAP_S for listener in listeners.values()),
            "gap_s": round(sum(listener.gap_s for listener in listeners.values()), 3),
        }

    def _receive(self) -> list[tuple[Connection, Message]]:
        """What has come. Quanta and their answers are passed on. Raises RuntimeError when a process is dead."""
        received: list[tuple[Connection, Message]] = []
        for connection in wait([self._acoustic, self._talker]):
            assert isinstance(connection, Connection)
            try:
                message: Message = connection.recv()
            except EOFError:
                who = "acoustic" if connection is self._acoustic else "talker"
                raise RuntimeError(f"the {who} process of the bench died") from None
            if isinstance(message, SampleQuantum | StopQuantum):
                self._talker.send(message)
            elif isinstance(message, Tokens | Refused):
                self._acoustic.send(message)
            received.append((connection, message))
        return received
