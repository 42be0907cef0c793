"""The acoustic process under a policy of the bench. baseline_server.py makes the server start it. It takes the options
of rtserver.engine.acoustic.process and some more."""

from __future__ import annotations

import argparse
import sys

from bench.load.baselines.original import OriginalLoop
from bench.load.baselines.policies import POLICIES, FirstCome
from rtserver.engine.acoustic.loop import AcousticLoop
from rtserver.engine.acoustic.process import Loaded, Loop, MakeLoop, deadline_loop, main
from rtserver.processes.inbox import Inbox
from rtserver.processes.port import Port


def first_come_loop(loaded: Loaded, port: Port, inbox: Inbox) -> Loop:
    """The server's loop, with another schedule."""
    scheduler = FirstCome(loaded.places, loaded.costs)
    return AcousticLoop(
        loaded.models, port, inbox, scheduler, rest_after_s=loaded.rest_after_s, stopwatch=loaded.stopwatch
    )


def original_loop(euler_steps: int | None) -> MakeLoop:
    """The loop of the original's runtime."""

    def make(loaded: Loaded, port: Port, inbox: Inbox) -> Loop:
        return OriginalLoop(loaded.models, port, inbox, euler_steps)

    return make


def make_loop(policy: str, euler_steps: int | None) -> MakeLoop:
    """The loop for one of POLICIES."""
    loops: dict[str, MakeLoop] = {
        "ours": deadline_loop,
        "first_come": first_come_loop,
        "original": original_loop(euler_steps),
    }
    return loops[policy]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False, add_help=False)
    parser.add_argument("--policy", choices=POLICIES, required=True)
    parser.add_argument("--euler-steps", type=int)
    args, sys.argv[1:] = parser.parse_known_args()
    sys.exit(main(make_loop(args.policy, args.euler_steps)))
