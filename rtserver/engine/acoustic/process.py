"""The acoustic process: voices, flow and vocoder, and what to do next. `python -m rtserver.engine.acoustic.process`.

It takes utterances from the front, has their quanta sampled by the talker, through the front, and sends audio back.
One thread reads the port; this one works.
"""

from __future__ import annotations

import argparse
import os
import queue
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch

from cosyvoice.errors import CosyVoiceError
from rtserver.engine.acoustic.calibration import calibrated
from rtserver.engine.acoustic.loop import AcousticLoop
from rtserver.engine.acoustic.models import AcousticModels
from rtserver.ipc.engine import Ready
from rtserver.ipc.process import Fatal, Progress
from rtserver.processes.port import Inbox, Port, inherited_socket
from rtserver.schedule.costs import Costs
from rtserver.schedule.scheduler import Places, Scheduler

_GPU_SHARE, _CPU_SHARE = 0.6, 0.25


class Loop(Protocol):
    """What serves once everything is loaded."""

    def run(self) -> str:
        """Returns why it stopped."""


MakeLoop = Callable[[AcousticModels, Port, Inbox, Places, Costs], Loop]


def deadline_loop(models: AcousticModels, port: Port, inbox: Inbox, places: Places, costs: Costs) -> AcousticLoop:
    """The one that the server runs. The bench has others, to compare it with."""
    return AcousticLoop(models, port, inbox, Scheduler(places, costs))


def main(make_loop: MakeLoop = deadline_loop) -> int:
    """Opens the port and serves; the process's exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--fd", type=int, required=True, help="connected socket to the parent")
    parser.add_argument("--model", type=Path, required=True, help="model directory")
    parser.add_argument("--cache-dir", type=Path, default=None)
    default_device = "cuda" if torch.cuda.is_available() else "cpu"
    parser.add_argument("--device", default=default_device, help="for flow and vocoder (default: %(default)s)")
    parser.add_argument("--kv-mib", type=int, default=0, help="for the flow's keys and values (default: by the memory)")
    parser.add_argument("--first-hop-tokens", type=int, help="0: what suits the machine (default: the checkpoint's)")
    parser.add_argument(
        "--warm-voice",
        action="append",
        default=[],
        metavar="NAME[:LANGUAGE]",
        help="voice to compute before being ready; the language picks between voices of one name",
    )
    args = parser.parse_args()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the front's business: it asks us to stop
    inbox: Inbox = queue.SimpleQueue()
    port = Port(inherited_socket(args.fd), inbox)
    start_s = time.perf_counter()
    port.send(Progress("acoustic", "loading flow and vocoder"))
    try:
        kv_bytes = (args.kv_mib << 20) or memory_share_bytes(args.device)
        models = AcousticModels(args.model, kv_bytes=kv_bytes, cache_dir=args.cache_dir, device=args.device)
        places = Places.of(args.device)
        costs = calibrated(models, places, args.first_hop_tokens, port.send)
        warm_up(models, args.warm_voice, port)
    except (CosyVoiceError, OSError, RuntimeError, ValueError) as error:
        port.send(Fatal("acoustic", f"{type(error).__name__}: {error}"))
        port.close()
        return 1
    load_s = {"acoustic": time.perf_counter() - start_s}
    voices, store = models.voices, models.voices.store
    port.send(
        Ready(
            models.config.serving.name,
            models.config.sample_rate,
            store.names(),
            load_s,
            modes=list(store.modes),
            clones=store.encoder.can_clone,
            gpu=torch.cuda.get_device_name(args.device) if args.device.startswith("cuda") else None,
            voice_details=voices.infos(),
            first_hop_tokens=voices.first_hop_tokens,
        )
    )
    make_loop(models, port, inbox, places, costs).run()
    port.close()
    return 0


def memory_share_bytes(device: str) -> int:
    """Memory for keys and values where nobody said how much: most of what a GPU has free beside the talker, a quarter
    of a CPU's (it is taken as it is filled)."""
    if device.startswith("cuda"):
        free_bytes, _ = torch.cuda.mem_get_info(device)
        return int(_GPU_SHARE * free_bytes)
    return int(_CPU_SHARE * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))


def warm_up(models: AcousticModels, voices: list[str], port: Port) -> None:
    """Computes the voices' shared prompt chunks. Raises VoiceError."""
    encoder = models.voices.store.encoder
    if encoder.can_clone:
        encoder.fingerprint()  # of a gigabyte of networks: nobody's sound shall wait for it later
    warmed = set()
    for argument in voices:
        name, _, language = argument.partition(":")
        voice = models.voice(name, "sft", "", language or None)
        if voice.name not in warmed:
            warmed.add(voice.name)
            port.send(Progress("acoustic", f"preparing voice {voice.name}"))
            models.warm(voice)


if __name__ == "__main__":
    sys.exit(main())
