"""The server under a policy that ours is compared with: the same weights, processes, talker and front.

    OMP_NUM_THREADS=1 python -m bench.load.baseline_server --policy original --port 8791
    OMP_NUM_THREADS=1 python -m bench.load.baseline_server --policy first_come --port 0 --model nano --max-streams 64

ours        the server's own schedule
first_come  hops in the order in which their utterances came, in batches of whole chunks; the same caches and lead
original    the original's runtime: one utterance at a time; every hop computes the prompt and all tokens again; hops
            of 25, 50, 100 tokens; it checks for tokens every 100 ms. With --euler-steps 10 it is as slow as the
            original; the default is the checkpoint's own number, which makes it faster

The baselines refuse an utterance only when --max-streams are open. All other options are those of `rtserver serve`.
Like it, this prints its address, and SIGTERM ends it.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import uvloop

from bench.load.baselines.policies import POLICIES
from rtserver.commands.cli import build_parser
from rtserver.commands.fitting import local_options
from rtserver.commands.narrator import Narrator
from rtserver.commands.server import Server
from rtserver.config import ServerConfig
from rtserver.engine.card.memory_plan import MemoryPlan
from rtserver.engine.host.local import LocalOptions

_ACOUSTIC = "-m", "bench.load.baseline_acoustic"


def engine_options(
    config: ServerConfig, model: Path, plan: MemoryPlan | None, policy: str, euler_steps: int | None
) -> LocalOptions:
    """The server's own options, with another acoustic process."""
    steps = () if euler_steps is None else ("--euler-steps", str(euler_steps))
    return replace(local_options(config, model, plan), acoustic_program=(*_ACOUSTIC, "--policy", policy, *steps))


def server_config(policy: str, arguments: list[str]) -> ServerConfig:
    """The settings from arguments of `rtserver serve`."""
    settings = vars(build_parser().parse_args(["serve", *arguments]))
    file = settings.pop("config")
    settings.pop("command")
    return ServerConfig.load(file, settings if policy == "ours" else settings | {"admission": False})


async def serve(config: ServerConfig, policy: str, euler_steps: int | None) -> int:
    """Serves until SIGTERM or Ctrl-C. Returns the exit status."""
    stop, narrator, loop = asyncio.Event(), Narrator(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    options = partial(engine_options, policy=policy, euler_steps=euler_steps)
    async with Server.running(config, narrator.progress, options) as server:
        print(f"listening on {server.url}", flush=True)
        await stop.wait()
        await server.drain(asyncio.Event())
    return 0


def main() -> int:
    """Returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--policy", choices=POLICIES, required=True)
    parser.add_argument(
        "--euler-steps",
        type=int,
        metavar="N",
        help="with original: Euler steps of the flow (default: the checkpoint's)",
    )
    args, rest = parser.parse_known_args()
    if args.euler_steps is not None and (args.policy != "original" or args.euler_steps < 1):
        parser.error("--euler-steps: expected 1 or more, with --policy original")
    config = server_config(args.policy, rest)
    return uvloop.run(serve(config, args.policy, args.euler_steps))


if __name__ == "__main__":
    sys.exit(main())
