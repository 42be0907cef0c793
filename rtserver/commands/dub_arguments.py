"""The arguments of `rtserver dub`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rtserver.audio.formats import FORMATS
from rtserver.commands.checked_numbers import count, seed, speed
from rtserver.commands.server_choice import ServerChoice, add_speech_server
from rtserver.dubbing.cues import DubbingError
from rtserver.dubbing.fit import Fit

_HELP = """\
Speaks a subtitle file (SubRip or WebVTT) into one track: each cue begins at its time, and is spoken so fast that it
fits its slot. Cues that do not fit are listed. Finished cues are kept in a folder beside the track, so a second run
makes only what is missing or has changed: stop it when you like, change some cues, run it again.

examples:
  rtserver dub film.srt -o track.wav
  rtserver dub film.srt -o track.wav --vtt words.vtt     also the time of each word, as WebVTT
  rtserver dub film.vtt -o track.flac --map voices.toml  several voices
  rtserver dub old.srt -o track.wav --encoding cp1252
  ffmpeg -i film.mp4 -i track.wav -map 0:v -map 1:a -c:v copy dubbed.mp4

Who speaks: a name before a colon ("Anna: Good morning.") or in a <v Anna> tag of WebVTT, if it is a voice of the server
or stands in the map file. Otherwise the name is read as text. A cue may have several voices. A map file:

  default = "female"        # speaks all else
  [speakers]
  Anna = "英文女"
  Tom = "英文男"
  [cues]
  7 = "中文男"              # cue 7 of the file
  8-12 = "中文女"           # cues 8 to 12

Not spoken: positions and tags, lines in brackets ("[door slams]") and between notes ("♪ music ♪"). Pauses and other
markup (docs/markup.md) work in cues. docs/dubbing.md has the rest.
"""


@dataclass(frozen=True)
class DubOptions:
    """The command's arguments; see `rtserver dub --help`."""

    file: Path
    output: Path
    server: ServerChoice
    api_key: str | None = None
    format: str | None = None
    sample_rate: int | None = None
    voice: str = "default"
    # A map file (TOML), if any.
    map_file: Path | None = None
    language: str = "auto"
    seed: int = 0
    fit: Fit = field(default_factory=Fit)
    # The subtitle file's. None: UTF-8, or UTF-16 with its mark.
    encoding: str | None = None
    # Where WebVTT with word times, and the report, are written to, if they are.
    vtt: Path | None = None
    report: Path | None = None
    # For finished cues. None: beside the output.
    folder: Path | None = None
    parallel: int = 6


def add_dub(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    command = commands.add_parser(
        "dub",
        help="speak a subtitle file into one track",
        description=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", type=Path, metavar="FILE", help="subtitles: .srt or .vtt")
    command.add_argument(
        "-o", "--output", type=Path, required=True, metavar="FILE",
        help="the track; its ending gives the format",
    )  # fmt: skip
    command.add_argument(
        "--format", metavar="NAME", help=f"{', '.join(FORMATS)} (default: by the ending of the file, else wav)"
    )
    command.add_argument("--sample-rate", type=int, metavar="HZ", help="8000 to 48000 (default: the model's)")
    command.add_argument("--vtt", type=Path, metavar="FILE", help="writes WebVTT in which each word has its time")
    command.add_argument("--report", type=Path, metavar="FILE", help="writes what is known of each cue as JSON")
    command.add_argument(
        "--voice", default="default", help="where no other is named (default: by the language of the cue)"
    )
    command.add_argument(
        "--map", dest="map_file", type=Path, metavar="FILE", help="who speaks with which voice (TOML, above)"
    )
    command.add_argument("--language", default="auto", help="of all cues (default: found for each)")
    command.add_argument(
        "--slowest", type=speed, default=Fit.slowest, metavar="SPEED",
        help="a short cue is spoken no slower; silence follows (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--fastest", type=speed, default=Fit.fastest, metavar="SPEED",
        help="a long cue is spoken no faster; it runs over its slot (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--seed", type=seed, default=0, help="another seed speaks the text differently (default: %(default)s)"
    )
    command.add_argument(
        "--encoding", metavar="NAME", help="of the subtitle file (default: UTF-8, or UTF-16 if it is marked)"
    )
    command.add_argument("--folder", type=Path, metavar="DIR", help="for finished cues (default: OUTPUT.cues)")
    command.add_argument(
        "--parallel", type=count, default=DubOptions.parallel, metavar="N",
        help="cues that are made at once (default: %(default)s)",
    )  # fmt: skip
    add_speech_server(command)


def dub_options(options: dict[str, Any]) -> DubOptions:
    """The options of the command from its arguments. Raises DubbingError."""
    choice = ServerChoice(
        url=options.pop("server"),
        model=options.pop("model"),
        cache_dir=options.pop("cache_dir"),
        verbose=options.pop("verbose"),
    )
    fit = Fit(options.pop("slowest"), options.pop("fastest"))
    if fit.slowest > fit.fastest:
        raise DubbingError(f"--slowest: expected at most --fastest ({fit.fastest:g}), found {fit.slowest:g}")
    return DubOptions(server=choice, fit=fit, **options)
