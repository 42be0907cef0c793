"""The talker process: takes messages and runs vLLM. `python -m rtserver.engine.talker.process`.

One thread reads the messages; the main thread steps the model.
"""

from __future__ import annotations

import os
from pathlib import Path

import torch

from cosyvoice.config import ModelConfig
from cosyvoice.graphs import cuda_capture
from cosyvoice.talker.talker import MIB, Talker, TalkerOptions
from rtserver.engine.talker.loop import TalkerLoop
from rtserver.ipc.options import TalkerProcessOptions
from rtserver.ipc.talker import TalkerReady
from rtserver.processes.inbox import Inbox
from rtserver.processes.port import Port
from rtserver.processes.run_child import Tell, run_child


def load(options: TalkerProcessOptions, tell: Tell) -> Talker:
    """Starts vLLM."""
    talker_options = TalkerOptions(
        dtype=options.dtype,
        max_streams=options.max_streams,
        kv_cache_bytes=options.kv_cache_mib * MIB,
        enforce_eager=not options.graphs,
        memory_share=options.memory_share,
        step_ids=options.step_ids,
    )
    cache_dir = None if options.cache_dir is None else Path(options.cache_dir)
    capture = cuda_capture() if options.graphs and torch.cuda.is_available() else None
    return Talker(ModelConfig.load(Path(options.model)), talker_options, cache_dir, tell, capture)


def ready(talker: Talker, load_s: float) -> TalkerReady:
    """The message that the talker is loaded."""
    return TalkerReady(talker.max_ids, load_s)


def serve(talker: Talker, port: Port, inbox: Inbox) -> None:
    """Serves until told to stop, or until the parent is gone."""
    TalkerLoop(talker, port, inbox).run()


if __name__ == "__main__":
    status = run_child("talker", TalkerProcessOptions, load, serve, ready)
    # vLLM takes seconds to free what the operating system frees at once.
    os._exit(status)
