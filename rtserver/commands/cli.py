"""The command line: `rtserver COMMAND`. Each command has its own file."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
from collections.abc import Coroutine, Sequence
from typing import Any

import uvloop

from cosyvoice.config import MAX_SPEED, MIN_SPEED
from rtserver.audio.formats import FORMATS
from rtserver.commands.checked_numbers import seed, speed
from rtserver.commands.dub_arguments import add_dub, dub_options
from rtserver.commands.key_warnings import ON_COMMAND_LINE, key_warnings
from rtserver.commands.logs import set_up_logging
from rtserver.commands.serve_arguments import NO_SETTINGS, DryRunOptions, add_serve
from rtserver.commands.server_choice import add_speech_server
from rtserver.config import DEFAULT_PORT, ServerConfig

_LOG = logging.getLogger(__name__)

_SAY_HELP = """\
Speaks a text into a file. It uses the server on this machine if one runs with the same model; else it starts a server
for this one text. The first run on a machine prepares the model, which takes longer, and keeps it in the cache.

examples:
  rtserver say "Hello, nice to meet you." -o hello.wav
  rtserver say "你好，很高兴认识你。" --voice 中文女 -o hello.wav
  some-llm | rtserver say - -o answer.wav            speaks while the text is still being written
  rtserver say "Faster." --speed 1.3 --seed 7 -o - | aplay
  rtserver say "For the web." -o speech.mp3          or .flac, .ogg (Opus), .ulaw, .alaw, .pcm, .f32
  RTSERVER_API_KEY=... rtserver say "Hello." --server https://tts.example.com -o hello.wav
  rtserver say "Hello." --model ~/models/Fun-CosyVoice3-0.5B -o hello.wav

The same text, voice and seed give the same speech. Progress goes to standard error.
"""


_READ_HELP = """\
Shows how a text is read, clause by clause: where the clause begins in the text, its language, what is written, and what
is said. A model that gets phonemes shows phonemes. Characters that the model cannot speak are listed as left out.
Nothing is spoken, and no server is needed.

examples:
  rtserver read "Your code is 4821, due 3/14."
  llm ... | rtserver read -                     as text comes: a clause is printed as soon as it is certain
  rtserver read --model DIR --language de "Das kostet 5,50 €."
  rtserver read --json "Hello 🙂" | jq .ids      one JSON object a line: clauses (offset, end, text, language, spoken,
                                                ids, ends_sentence), and what is left out (unspoken, offset)
"""


_LEXICON_HELP = """\
Checks the file of a pronunciation dictionary (docs/lexicon.md): says which lines are wrong, and how the model speaks
each entry: in words, or in phonemes if it gets phonemes. The exit status is 1 if a line is wrong.

examples:
  rtserver lexicon check words.jsonl
  rtserver lexicon check words.jsonl --model ~/models/Fun-CosyVoice3-0.5B
"""


_TRACE_HELP = """\
Draws an utterance as a timeline: what each stage did at which time, and when the listener heard nothing. The server
keeps only the last utterances: those of some minutes, or of some seconds while a thousand clients talk.

examples:
  rtserver trace u_f3kq7c2mzb4a
  RTSERVER_API_KEY=... rtserver trace u_f3kq7c2mzb4a --server https://tts.example.com
  rtserver trace u_f3kq7c2mzb4a --json > trace.json      for bench.load.replay, or for your own program
"""


def build_parser() -> argparse.ArgumentParser:
    """All commands and their options."""
    parser = argparse.ArgumentParser(prog="rtserver", description="Realtime text-to-speech for CosyVoice3.")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    add_serve(commands)
    _add_say(commands)
    add_dub(commands)
    _add_read(commands)
    _add_lexicon(commands)
    _add_trace(commands)
    return parser


def _user_errors() -> tuple[type[BaseException], ...]:
    """Errors that are printed in one line, without a traceback."""
    from aiohttp import ClientError as HttpError

    from cosyvoice.errors import CosyVoiceError
    from rtclient import ClientError
    from rtserver.audio.formats import FormatError
    from rtserver.config import ConfigError
    from rtserver.dubbing.cues import DubbingError
    from rtserver.engine.api import EngineError
    from rtserver.processes.child import ChildError

    own = CosyVoiceError, ConfigError, ChildError, EngineError, FormatError, DubbingError, ClientError
    return *own, HttpError, OSError


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit status. Errors of the user or the model are printed in one line."""
    args = build_parser().parse_args(arguments)
    set_up_logging("text")
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_run(args))
    except KeyboardInterrupt:
        print("rtserver: interrupted", file=sys.stderr)
        return 130
    except _user_errors() as error:
        print(f"rtserver: {error}", file=sys.stderr)
        return 1


def _run(args: argparse.Namespace) -> Coroutine[Any, Any, int]:
    """Imports the command and makes its coroutine. No command waits for the imports of the others."""
    match args.command:
        case "serve":
            return _serve(args)
        case "say":
            from rtserver.commands.say import SayOptions, say

            return say(SayOptions(**_options(args)))
        case "dub":
            from rtserver.commands.dub import dub

            return dub(dub_options(_options(args)))
        case "read":
            from rtserver.commands.read import ReadOptions, read

            return read(
                ReadOptions(
                    args.text, args.model, args.language, args.json, args.lexicon, args.voice, not args.no_markup
                )
            )
        case "lexicon":
            from rtserver.commands.lexicon import LexiconOptions, check_lexicon

            return check_lexicon(LexiconOptions(args.file, args.model))
        case _:
            from rtserver.commands.trace import TraceOptions, trace

            return trace(TraceOptions(**_options(args)))


def _options(args: argparse.Namespace) -> dict[str, Any]:
    """The arguments of a client's command. Its key comes from the environment if it is no argument."""
    options = {name: value for name, value in vars(args).items() if name != "command"}
    if options["api_key"] is not None:
        _LOG.warning(ON_COMMAND_LINE)
    else:
        options["api_key"] = os.environ.get("RTSERVER_API_KEY")
    return options


# -- serve ----------------------------------------------------------------------------------------------------------


def _serve(args: argparse.Namespace) -> Coroutine[Any, Any, int]:
    config = _server_config(args)
    set_up_logging(config.log_format)
    for warning in key_warnings(config, on_command_line="api_keys" in args, settings_file=args.config):
        _LOG.warning(warning)
    dry = DryRunOptions.of(args)
    if dry is None:
        from rtserver.commands.serve import serve

        return serve(config)
    from rtserver.commands.dry_run import dry_run

    return dry_run(config, dry)


def _server_config(args: argparse.Namespace) -> ServerConfig:
    overrides: dict[str, Any] = {k: v for k, v in vars(args).items() if k not in NO_SETTINGS}
    # Taken out of the environment: no process that the server starts needs it.
    key = os.environ.pop("RTSERVER_API_KEY", None)
    if key and "api_key_file" not in overrides:
        overrides.setdefault("api_keys", [key])
    return ServerConfig.load(args.config, overrides)


# -- say ------------------------------------------------------------------------------------------------------------


def _add_say(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "say",
        help="speak a text into a file",
        description=_SAY_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("text", help="text to speak; - reads it from standard input while it comes")
    command.add_argument(
        "-o", "--output", default="speech.wav", metavar="FILE",
        help="file to write, or - for standard output; its ending gives the format (default: %(default)s)",
    )  # fmt: skip
    command.add_argument(
        "--format", metavar="NAME", help=f"{', '.join(FORMATS)} (default: by the ending of the file, else wav)"
    )
    command.add_argument("--sample-rate", type=int, metavar="HZ", help="8000 to 48000 (default: the model's)")
    command.add_argument(
        "--voice", default="default", help="name or alias of a voice (default: by the language of the text)"
    )
    command.add_argument(
        "--seed", type=seed, default=0, help="another seed speaks the text differently (default: %(default)s)"
    )
    command.add_argument("--speed", type=speed, default=1.0, help=f"{MIN_SPEED} to {MAX_SPEED} (default: %(default)s)")
    add_speech_server(command)


# -- read -----------------------------------------------------------------------------------------------------------


def _add_read(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "read",
        help="show how a text is read: languages, words or phonemes, what is left out",
        description=_READ_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("text", metavar="TEXT", help="what to read; - for standard input")
    command.add_argument(
        "--model", default="nano", metavar="DIR|nano", help="model directory (default: the embedded voice)"
    )
    command.add_argument("--language", default="auto", help="of the text (default: found clause by clause)")
    command.add_argument("--json", action="store_true", help="print JSON, with the text ids")
    command.add_argument("--lexicon", metavar="FILE", help="pronunciation dictionary (default: none)")
    command.add_argument("--voice", default="default", help="for entries of one voice (default: %(default)s)")
    command.add_argument("--no-markup", action="store_true", help="tags and brackets are plain text")


# -- lexicon --------------------------------------------------------------------------------------------------------


def _add_lexicon(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    lexicon = commands.add_parser("lexicon", help="check a pronunciation dictionary")
    actions = lexicon.add_subparsers(dest="action", metavar="ACTION", required=True)
    command = actions.add_parser(
        "check",
        help="show the errors of a file, and how each entry is spoken",
        description=_LEXICON_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("file", metavar="FILE", help="one JSON object a line")
    command.add_argument(
        "--model", default="nano", metavar="DIR|nano", help="model directory (default: the embedded voice)"
    )


# -- trace ----------------------------------------------------------------------------------------------------------


def _add_trace(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "trace",
        help="show how an utterance was made, and why its listener ran dry",
        description=_TRACE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("utterance", metavar="ID", help="the utterance's id, as in `started`, X-Utterance-Id and logs")
    command.add_argument(
        "--server", metavar="URL", help=f"(default: your own server at http://127.0.0.1:{DEFAULT_PORT})"
    )
    command.add_argument(
        "--api-key", metavar="KEY", help="for that server (default, and safer: RTSERVER_API_KEY of the environment)"
    )
    command.add_argument("--json", action="store_true", help="print all that is known as JSON")
