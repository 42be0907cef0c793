"""`rtserver say`: one text through an engine of its own into a WAV file."""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from cosyvoice.config import ModelConfig
from cosyvoice.models import resolve_model
from rtserver.audio.wav import WavWriter
from rtserver.engine.engine import EngineError, EngineUtterance
from rtserver.engine.local import LocalEngine, LocalOptions
from rtserver.messages import Audio, Done, Failed, Open, Progress
from rtserver.text import TextFront, engine_segments, language_of

# Enough of a stream to tell its language, and with it the default voice.
_LANGUAGE_PEEK_CHARACTERS = 12


@dataclass(frozen=True)
class SayOptions:
    """The command's arguments; see `rtserver say --help`."""

    text: str
    output: str
    voice: str
    seed: int
    speed: float
    model: str
    cache_dir: Path | None
    verbose: bool


class Narrator:
    """Tells on standard error what happens, with seconds since the command began."""

    def __init__(self) -> None:
        self._start_s = time.perf_counter()

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self._start_s

    def say(self, text: str) -> None:
        print(f"[{self.elapsed_s:5.1f} s] {text}", file=sys.stderr, flush=True)

    def progress(self, progress: Progress) -> None:
        self.say(f"{progress.part}: {progress.text}")


async def say(options: SayOptions) -> int:
    """Speaks; the command's exit status. EngineError or CosyVoiceError when it cannot."""
    narrator = Narrator()
    model = resolve_model(options.model)
    config = ModelConfig.load(model)
    narrator.say(f"loading {config.serving.name}")
    if not Path(options.output).parent.is_dir():
        raise FileNotFoundError(f"{options.output}: expected an existing directory for the output")
    source = _standard_input() if options.text == "-" else _whole(options.text)
    engine_options = LocalOptions(
        warm_voice=options.voice,
        warm_language=None if options.text == "-" else language_of(options.text),
        cache_dir=options.cache_dir,
        verbose=options.verbose,
    )
    starting = asyncio.create_task(LocalEngine.start(model, engine_options, narrator.progress))
    try:
        front = await asyncio.to_thread(TextFront, config)  # loads while the engine does
        first = await anext(source, "")
        language = language_of(first)
        await asyncio.to_thread(front.load, language)
        engine = await starting
    except BaseException:
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        raise
    narrator.say(f"ready; speaking {'as text comes' if options.text == '-' else repr(first[:60])}")
    try:
        streaming = options.text == "-"
        request = Open(
            "say", options.voice, language=language, seed=options.seed, speed=options.speed, streaming=streaming
        )
        utterance = await engine.open(request)
        feeding = asyncio.create_task(_feed(utterance, front, first, source))
        try:
            return await _receive(utterance, options.output, engine.ready.sample_rate, narrator)
        finally:
            feeding.cancel()
            await asyncio.gather(feeding, return_exceptions=True)
    finally:
        await engine.close()


async def _feed(utterance: EngineUtterance, front: TextFront, first: str, source: AsyncIterator[str]) -> None:
    """Text to segments to the engine; reading takes milliseconds a clause, so it runs in a thread."""
    stream = front.stream()
    text = first
    while text:
        await utterance.feed(engine_segments(await asyncio.to_thread(stream.feed, text)))
        text = await anext(source, "")
    await utterance.feed(engine_segments(await asyncio.to_thread(stream.end)))
    await utterance.end()
    if stream.unknown:
        unspoken = ", ".join(repr(c) for c, _ in stream.unknown.most_common(5))
        print(f"not spoken, because the voice has no sound for them: {unspoken}", file=sys.stderr)


async def _receive(utterance: EngineUtterance, output: str, sample_rate: int, narrator: Narrator) -> int:
    start_s = time.perf_counter()
    with WavWriter(output, sample_rate) as wav:
        async for event in utterance.events():
            match event:
                case Audio():
                    if wav.seconds == 0:
                        narrator.say(f"first audio, {time.perf_counter() - start_s:.2f} s after the text")
                    wav.write(event.pcm)
                case Failed(_, code, message):
                    raise EngineError(f"{code}: {message}")
                case Done():
                    _summarise(event, wav.seconds, output, narrator)
    return 0


def _summarise(done: Done, audio_s: float, output: str, narrator: Narrator) -> None:
    if done.truncated:
        narrator.say("warning: the talker did not end by itself and was stopped at its maximum length")
    if audio_s == 0:
        narrator.say(f"the text speaks to nothing; {output} is empty")
        return
    s = done.seconds
    wall_s = s["wall"]
    narrator.say(
        f"{audio_s:.2f} s of speech in {wall_s:.2f} s: realtime factor {wall_s / audio_s:.2f} "
        f"(first audio after {s['ttfa']:.2f} s; talker {s['talker']:.2f}, flow {s['flow']:.2f}, "
        f"vocoder {s['vocoder']:.2f} s)"
    )
    narrator.say("written to standard output" if output == "-" else f"wrote {output}")


async def _whole(text: str) -> AsyncIterator[str]:
    yield text


async def _standard_input() -> AsyncIterator[str]:
    """Standard input as text, piece by piece as it comes; bytes that are no UTF-8 become U+FFFD. The first piece is
    held back until it shows the language."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    held = ""
    peeking = True
    while data := await asyncio.to_thread(os.read, sys.stdin.fileno(), 4096):
        held += decoder.decode(data)
        if held and (not peeking or len(held.strip()) >= _LANGUAGE_PEEK_CHARACTERS):
            yield held
            held, peeking = "", False
    held += decoder.decode(b"", True)
    if held:
        yield held
