"""The options of `rtserver serve`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rtserver.commands.pairs import Pairs
from rtserver.config import DEFAULT_PORT, ConfigError

# Arguments that are no settings of the server.
NO_SETTINGS = frozenset({"command", "config", "dry_run", "card", "memory_gb"})

_SERVE_HELP = f"""\
Serves speech: a page to try it at /, WebSockets at /v1/speech/realtime, HTTP at /v1/tts, health at /v1/health. It
prints what it loads, then one line with its address. SIGTERM or Ctrl-C stops it after open utterances have finished; a
second one stops it at once.

examples:
  rtserver serve                                         the embedded voice on 127.0.0.1:{DEFAULT_PORT}
  rtserver serve --model ~/models/Fun-CosyVoice3-0.5B    a released checkpoint
  rtserver serve --host 0.0.0.0 --api-key-file keys.txt  for other machines; clients send a key of the file
  rtserver serve --config server.toml --port 9000        settings from a file, and another port
  rtserver serve --engine fake                           tones instead of speech, to try a client without a model
  rtserver serve --dry-run --model Fun-CosyVoice3-0.5B --card "rtx 4090"
                                                         what would be taken of that GPU's memory

A settings file is TOML, for example:  port = 9000
docs/settings.md lists all settings, their names in a file and their options.
"""


@dataclass(frozen=True)
class DryRunOptions:
    """The arguments that are no settings."""

    form: Literal["table", "json"]
    # Name of a known card. None for the one of this machine.
    card: str | None
    # Of the card, or of an unknown one.
    memory_gb: float | None

    @classmethod
    def of(cls, args: argparse.Namespace) -> DryRunOptions | None:
        """None when the server is to run."""
        given = vars(args)
        if "dry_run" in given:
            return cls(given["dry_run"], given.get("card"), given.get("memory_gb"))
        if unused := [name for name in ("card", "memory_gb") if name in given]:
            raise ConfigError(f"--{unused[0].replace('_', '-')}: expected --dry-run with it, found none")
        return None


def add_serve(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the command."""
    command = commands.add_parser(
        "serve",
        help="run the server",
        description=_SERVE_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        argument_default=argparse.SUPPRESS,  # an option that is not given must not override the file
    )
    command.add_argument("--config", type=Path, default=None, metavar="FILE", help="TOML file with settings")
    command.add_argument("--host", help="address to listen on (default: 127.0.0.1, only this machine)")
    command.add_argument("--port", type=int, help=f"port, 0 for a free one (default: {DEFAULT_PORT})")
    command.add_argument("--model", metavar="DIR|nano", help="model directory (default: nano, the embedded voice)")
    command.add_argument(
        "--cache-dir", metavar="DIR", help="directory for prepared models and voices (default: in ~/.cache)"
    )
    command.add_argument(
        "--engine", choices=["local", "fake"], help="speak with the model, or make tones (default: local)"
    )
    command.add_argument(
        "--language", dest="languages", action="append", choices=["en", "zh"],
        help="load this language before the server is ready; may be given several times (default: both)",
    )  # fmt: skip
    command.add_argument(
        "--lexicon", metavar="FILE", help="pronunciation dictionary, one JSON object a line (default: none)"
    )
    command.add_argument(
        "--warm-voice", dest="warm_voices", action="append", metavar="NAME",
        help="prepare this voice before the server is ready; may be given several times (default: default)",
    )  # fmt: skip
    command.add_argument(
        "--voice-alias", dest="voice_aliases", action=Pairs, metavar="NAME=VOICE",
        help="clients that ask for NAME hear VOICE; NAME may have a *; may be given several times (default: voices of "
        "other services have an alias)",
    )  # fmt: skip
    command.add_argument(
        "--api-key", dest="api_keys", action="append", metavar="KEY",
        help="a key that clients must send; may be given several times (default: RTSERVER_API_KEY of the environment). "
        "Every user of this machine can read it: --api-key-file is safer",
    )  # fmt: skip
    command.add_argument(
        "--api-key-file", metavar="FILE", help="file of such keys, one a line; - reads them from standard input"
    )
    command.add_argument(
        "--allow-anonymous", action="store_true", help="let clients of other machines in although there are no keys"
    )
    command.add_argument(
        "--allowed-hosts", action="append", metavar="HOST",
        help="a name by which clients may call a server that needs no key; may be given several times (default: none; "
        "this machine's own names are always good)",
    )  # fmt: skip
    command.add_argument(
        "--allowed-origins", action="append", metavar="ORIGIN",
        help="web pages of this origin (https://example.com) may use the server, or * for all; may be given several "
        "times (default: none; pages of the same host always may)",
    )  # fmt: skip
    command.add_argument(
        "--trusted-proxies", action="append", metavar="NETWORK",
        help="a proxy's address or network, whose X-Forwarded-For is believed; may be given several times "
        "(default: none)",
    )  # fmt: skip
    command.add_argument("--tls-cert", metavar="FILE", help="certificate chain (PEM), to listen with TLS")
    command.add_argument("--tls-key", metavar="FILE", help="private key of the certificate (PEM)")
    command.add_argument(
        "--max-streams", type=int, metavar="N",
        help="realtime utterances that may be open at once (default: what a GPU has room for, or 32)",
    )  # fmt: skip
    command.add_argument(
        "--max-batch", type=int, metavar="N", help="utterances of class batch that may be open at once (default: 32)"
    )
    command.add_argument(
        "--no-admission", dest="admission", action="store_false",
        help="accept utterances even if all may stutter (default: refuse those that the machine cannot keep up with)",
    )  # fmt: skip
    command.add_argument(
        "--ttfa-s", type=float, metavar="S",
        help="refuse an utterance whose first sound is predicted to come after more seconds (default: 3)",
    )  # fmt: skip
    command.add_argument(
        "--kv-mib", type=int, metavar="MIB",
        help="memory for the flow's keys and values (default: a share of the machine's memory, or what a GPU has left)",
    )  # fmt: skip
    _add_device(command)
    command.add_argument(
        "--first-hop-tokens", type=int, metavar="N",
        help="speech tokens before the first sound (default: by the speed of the machine)",
    )  # fmt: skip
    command.add_argument("--max-sockets", type=int, metavar="N", help="sockets and requests at once (default: 1000)")
    command.add_argument(
        "--audio-folder", dest="audio_folders", action="append", metavar="DIR",
        help="requests may name recordings in it (prompt_wav_path); may be given several times (default: none)",
    )  # fmt: skip
    command.add_argument(
        "--drain-s", type=float, metavar="S", help="seconds that utterances have to finish after SIGTERM (default: 30)"
    )
    command.add_argument(
        "--log-format", choices=["text", "json"], help="format of the lines on standard error (default: text)"
    )
    command.add_argument("-v", "--verbose", action="store_true", help="show what the engine processes print")


def _add_device(command: argparse.ArgumentParser) -> None:
    dtypes = ["auto", "float32", "bfloat16", "float16"]
    command.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        help="where the networks run (default: a GPU if there is one)",
    )
    command.add_argument(
        "--gpu-memory-share", type=float, metavar="SHARE", help="share of a GPU's memory to use (default: 0.95)"
    )
    command.add_argument(
        "--talker-dtype",
        choices=dtypes,
        help="what the talker calculates in (default: bfloat16 on a GPU that can)",
    )
    command.add_argument(
        "--flow-dtype",
        choices=dtypes,
        help="what the flow calculates in (default: bfloat16 on a GPU that can, and on a CPU that is faster with it)",
    )
    command.add_argument(
        "--flow-form", choices=["auto", "blocks", "pages"],
        help="how the flow keeps its memory (default: pages on a GPU, blocks on a CPU)",
    )  # fmt: skip
    command.add_argument(
        "--talker-kv-mib", type=int, metavar="MIB",
        help="memory for the talker's keys and values (default: 256, or what the streams of a GPU need)",
    )  # fmt: skip
    command.add_argument(
        "--no-talker-graphs", dest="talker_graphs", action="store_false",
        help="run vLLM without CUDA graphs: less memory, slower steps",
    )  # fmt: skip
    command.add_argument(
        "--tf32", action="store_true", help="let a GPU round float32 products to TF32: faster, and samples differ"
    )
    command.add_argument(
        "--step-ms", type=float, metavar="MS",
        help="how long an Euler step of several streams may take (default: 10 on a GPU, no limit on a CPU)",
    )  # fmt: skip
    command.add_argument(
        "--dry-run", nargs="?", choices=["table", "json"], const="table",
        help="print what would be taken of a GPU's memory, and load nothing",
    )  # fmt: skip
    command.add_argument(
        "--card", metavar="NAME", help='with --dry-run: a GPU that is not here, as "h100" or "rtx 4090"'
    )
    command.add_argument("--memory-gb", type=float, metavar="GB", help="with --dry-run: its memory, in 10^9 bytes")
