"""`rtserver dub`: speaks a subtitle file into one track, each cue at its time."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import sys
from collections.abc import Sequence
from urllib.parse import urlsplit

import aiohttp
import msgspec
import numpy as np

from cosyvoice.config import ModelConfig
from cosyvoice.models import resolve_model
from cosyvoice.voice.catalogue import GENDERS
from rtclient import Session, connect
from rtserver.audio.sound_file import SoundFile, format_of
from rtserver.commands.cue_progress import CueProgress
from rtserver.commands.cue_speaker import CueSpeaker, OrderFailed, Said
from rtserver.commands.dub_arguments import DubOptions
from rtserver.commands.finished_cues import FinishedCues
from rtserver.commands.narrator import Narrator
from rtserver.commands.speech_server import speech_server
from rtserver.dubbing.cast import Cast
from rtserver.dubbing.cues import Cue, DubbingError, Part
from rtserver.dubbing.order import Order
from rtserver.dubbing.placement import place
from rtserver.dubbing.report import Dubbed, rows, told
from rtserver.dubbing.subtitles import decoded, read_cues
from rtserver.dubbing.track import track
from rtserver.dubbing.word_times import vtt_with_words
from rtserver.reader.text_front import language_of


async def dub(options: DubOptions) -> int:
    """Runs the command and returns its exit status. Raises DubbingError and the errors of server and client."""
    narrator = Narrator()
    model = ModelConfig.load(resolve_model(options.server.model))
    format_of(str(options.output), options.format, options.sample_rate, model.sample_rate)  # refused before all else
    for path in (options.output, options.vtt, options.report):
        if path is not None and not path.parent.is_dir():
            raise FileNotFoundError(f"{path}: expected an existing directory for the output")
    cues, cast = await asyncio.to_thread(_read, options)
    narrator.say(f"{options.file}: {len(cues)} cues")
    languages = {language_of(text.text) for cue in cues for text in cue.texts}
    async with contextlib.AsyncExitStack() as stack:
        choice = dataclasses.replace(options.server, languages=[one for one in ("en", "zh") if one in languages])
        url = await stack.enter_async_context(speech_server(choice, narrator))
        parts = cast.parts(cues, await _voice_names(url, options.api_key))
        session = await stack.enter_async_context(connect(url, api_key=options.api_key))
        said = await _speak(session, parts, options, narrator)
        rate = session.info.sample_rate
    placed = place((part, len(one.speech.pcm) / 2 / rate) for part, one in zip(parts, said))
    dubbed = [Dubbed(where, one.speech, one.kept) for where, one in zip(placed, said)]
    film_s = max(cue.end_s for cue in cues)
    await asyncio.to_thread(_write, options, dubbed, rate, film_s, narrator.elapsed_s)
    for line in told(dubbed, options.file.name):
        print(line, file=sys.stderr)
    narrator.say(_summary(dubbed, options))
    return 0


def _read(options: DubOptions) -> tuple[list[Cue], Cast]:
    name = options.file.name
    cues = read_cues(decoded(options.file.read_bytes(), name, options.encoding), name)
    if options.map_file is None:
        return cues, Cast(options.voice)
    map_name = options.map_file.name
    return cues, Cast.read(decoded(options.map_file.read_bytes(), map_name), map_name, options.voice)


async def _voice_names(url: str, api_key: str | None) -> list[str]:
    """The names by which the server knows its voices."""
    parts = urlsplit(url if "://" in url else f"ws://{url}")
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    headers = {} if api_key is None else {"Authorization": f"Bearer {api_key}"}
    async with (
        aiohttp.ClientSession(headers=headers, raise_for_status=True) as http,
        http.get(f"{scheme}://{parts.netloc}/v1/voices") as response,
    ):
        voices = (await response.json())["voices"]
    return [*GENDERS, *(name for voice in voices for name in (voice["name"], *voice["aliases"]))]


async def _speak(session: Session, parts: Sequence[Part], options: DubOptions, narrator: Narrator) -> list[Said]:
    fit = options.fit
    orders = [
        Order(
            model=session.info.model,
            sample_rate=session.info.sample_rate,
            voice=part.voice,
            language=options.language,
            text=part.text,
            target_s=fit.target_s(part.slot_s),
            seed=options.seed,
            slowest=fit.slowest,
            fastest=fit.fastest,
        )
        for part in parts
    ]
    folder = options.folder or options.output.with_name(f"{options.output.name}.cues")
    speaker = CueSpeaker(session, FinishedCues(folder), options.parallel)
    try:
        return await speaker.speak(orders, CueProgress(narrator, len(orders)).on_said)
    except OrderFailed as failed:
        raise DubbingError(f"{options.file.name}:{parts[failed.number].file_line}: {failed}") from failed


def _write(options: DubOptions, dubbed: Sequence[Dubbed], rate: int, film_s: float, wall_s: float) -> None:
    """The track and what else was asked for. The track is at least as long as the last cue lasts."""
    sound = format_of(str(options.output), options.format, options.sample_rate, rate)
    sounds = (
        (round(one.placed.begin_s * rate), np.frombuffer(one.speech.pcm, "<i2"))
        for one in sorted(dubbed, key=lambda one: one.placed.begin_s)
    )
    with SoundFile(str(options.output), sound, rate) as file:
        for piece in track(sounds, round(film_s * rate)):
            file.write(piece.tobytes())
    if options.vtt is not None:
        text = vtt_with_words((one.placed, one.speech.voice, one.speech.words) for one in dubbed)
        options.vtt.write_text(text, "utf-8")
    if options.report is not None:
        report = {"file": str(options.file), "track_s": round(file.seconds, 3), "wall_s": round(wall_s, 1)}
        options.report.write_bytes(msgspec.json.format(msgspec.json.encode({**report, "parts": rows(dubbed)})) + b"\n")


def _summary(dubbed: Sequence[Dubbed], options: DubOptions) -> str:
    kept = sum(one.kept for one in dubbed)
    over = sum(one.placed.overflows for one in dubbed)
    return (
        f"wrote {options.output}: {len(dubbed)} pieces of speech, {len(dubbed) - kept} made, {kept} kept from before, "
        f"{over} past the end of their slots"
    )
