"""Speaks the cases as the engine does, and keeps each as a file, so that a run that was stopped goes on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from bench.model.sound.cases import Case
from bench.model.speaker import Speaker, Take
from rtserver.ipc.engine import Open


@dataclass(frozen=True)
class Sound:
    """A case as it sounds."""

    case: Case
    rate_hz: int
    # Samples, -1 to 1.
    wave: NDArray[np.float32]
    # Where the sound of each hop ends, and that of each sequence, in samples.
    hop_ends: list[int]
    sequence_ends: list[int]
    # Where each sentence but the first begins.
    sentence_starts: list[int]
    # The flow's tokens of each sequence.
    flow_tokens: list[list[int]]


def take_of(speaker: Speaker, case: Case) -> Take:
    """Speaks a case."""
    models = speaker.models
    voice = models.voice(case.voice, case.mode, case.instruction, case.language)
    pieces, segments = None, speaker.segments(case.text, words=case.words)
    if case.mode == "vc":
        said = take_of(speaker, Case("source", f"{case.name}-source", case.voice, case.language, case.text))
        wave = samples_of(said)
        pieces, segments = list(models.voices.store.encoder.source_pieces(wave, models.config.sample_rate)), []
    request = Open(
        case.name,
        case.voice,
        case.mode,
        case.language,
        seed=case.seed,
        speed=case.speed,
        streaming=case.words,
        source_pieces=pieces,
    )
    with torch.inference_mode():
        return speaker.streamed(voice, segments, request)


def speak(load: Callable[[], Speaker], wanted: Iterable[Case], folder: Path) -> Iterator[Sound]:
    """The sound of each case, from its file if it has been spoken before. load: gives the models, when needed."""
    folder.mkdir(parents=True, exist_ok=True)
    for case in wanted:
        path = folder / f"{case.name}.npz"
        if not path.exists():
            speaker = load()
            write(sound_of(case, take_of(speaker, case), speaker.models.config.sample_rate), path)
        yield read(path)


def samples_of(take: Take) -> NDArray[np.float32]:
    """What listeners hear, -1 to 1."""
    return (np.frombuffer(take.pcm, "<i2") / 32768).astype(np.float32)


def sound_of(case: Case, take: Take, rate_hz: int) -> Sound:
    """A take with its case."""
    wave = samples_of(take)
    return Sound(case, rate_hz, wave, take.hop_ends, take.sequence_ends, take.sentence_starts, take.flow_tokens)


def write(sound: Sound, path: Path) -> None:
    """Writes a file of a sound. The file is whole or not there."""
    about = {
        "case": asdict(sound.case),
        "rate_hz": sound.rate_hz,
        "hop_ends": sound.hop_ends,
        "sequence_ends": sound.sequence_ends,
        "sentence_starts": sound.sentence_starts,
        "flow_tokens": sound.flow_tokens,
    }
    part = path.with_suffix(".part.npz")
    np.savez_compressed(part, pcm=np.round(sound.wave * 32768).astype(np.int16), about=np.array(json.dumps(about)))
    part.replace(path)


def read(path: Path) -> Sound:
    """The sound of a file."""
    with np.load(path) as file:
        about = json.loads(str(file["about"]))
        wave = file["pcm"].astype(np.float32) / 32768
    return Sound(
        Case(**about["case"]),
        about["rate_hz"],
        wave,
        about["hop_ends"],
        about["sequence_ends"],
        about["sentence_starts"],
        about["flow_tokens"],
    )
