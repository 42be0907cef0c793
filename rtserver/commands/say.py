"""`rtserver say`: speaks one text into a file, through a running server or a new one."""

from __future__ import annotations

import asyncio
import codecs
import contextlib
import os
import sys
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from cosyvoice.config import ModelConfig
from cosyvoice.models import resolve_model
from rtclient import Session, connect
from rtserver.audio.sound_file import SoundFile, format_of
from rtserver.commands.narrator import Narrator
from rtserver.commands.server_choice import ServerChoice
from rtserver.commands.speech_server import speech_server
from rtserver.reader.text_front import language_of

# This many characters show the language of a text, which gives the default voice.
_LANGUAGE_PEEK_CHARACTERS = 12


@dataclass(frozen=True)
class SayOptions:
    """The command's arguments; see `rtserver say --help`."""

    text: str
    output: str
    voice: str
    seed: int
    speed: float
    format: str | None
    sample_rate: int | None
    server: str | None
    api_key: str | None
    model: str
    cache_dir: Path | None
    verbose: bool


async def say(options: SayOptions) -> int:
    """Runs the command and returns its exit status. Raises the errors of server and client."""
    narrator = Narrator()
    if options.output != "-" and not Path(options.output).parent.is_dir():
        raise FileNotFoundError(f"{options.output}: expected an existing directory for the output")
    model = ModelConfig.load(resolve_model(options.model))
    format_of(options.output, options.format, options.sample_rate, model.sample_rate)  # refused before anything loads
    async with contextlib.AsyncExitStack() as stack:
        choice = ServerChoice(
            url=options.server,
            model=options.model,
            cache_dir=options.cache_dir,
            verbose=options.verbose,
            languages=["en", "zh"] if options.text == "-" else [language_of(options.text)],
            voices=[options.voice],
        )
        url = await stack.enter_async_context(speech_server(choice, narrator))
        session = await stack.enter_async_context(connect(url, api_key=options.api_key))
        await _speak(session, options, narrator)
    return 0


async def _speak(session: Session, options: SayOptions, narrator: Narrator) -> None:
    text: str | AsyncIterator[str] = options.text
    language = language_of(options.text)
    if options.text == "-":
        pieces = _standard_input()
        first = await anext(pieces, "")
        language, text = language_of(first), _with_first(first, pieces)
    narrator.say(f"ready; speaking {'as text comes' if options.text == '-' else repr(options.text[:60])}")
    start_s = time.perf_counter()
    speech = session.speak(text, voice=options.voice, language=language, seed=options.seed, speed=options.speed)
    rate = session.info.sample_rate
    with SoundFile(options.output, format_of(options.output, options.format, options.sample_rate, rate), rate) as file:
        async for audio in speech:
            if file.seconds == 0:
                narrator.say(f"first audio, {time.perf_counter() - start_s:.2f} s after the text")
            file.write(audio.pcm)
    audio_s, wall_s = file.seconds, time.perf_counter() - start_s
    timings = speech.done.timings if speech.done is not None else {}
    parts = ", ".join(f"{name} {timings.get(name, 0) / 1000:.2f}" for name in ("talker", "flow", "vocoder"))
    narrator.say(
        f"{audio_s:.2f} s of speech in {wall_s:.2f} s: realtime factor {wall_s / max(audio_s, 1e-9):.2f} ({parts} s)"
    )
    narrator.say("written to standard output" if options.output == "-" else f"wrote {options.output}")


async def _with_first(first: str, rest: AsyncIterator[str]) -> AsyncIterator[str]:
    if first:
        yield first
    async for piece in rest:
        yield piece


async def _standard_input() -> AsyncIterator[str]:
    """Standard input as text, in pieces as they come. Bytes that are not UTF-8 become U+FFFD. The first piece is held
    back until it is long enough to show the language."""
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
