"""Turns utterances that a server spoke (`rtserver trace ID --json`) into a load for the simulator. Pure, except for
`read_load`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from bench.simulator.cost_table import TOKEN_S
from bench.simulator.load import Recorded, Reply
from rtserver.metrics.utterance_trace import UtteranceTrace


def read_load(paths: Sequence[Path]) -> Recorded:
    """The load in these files. Each file is a recorded load, or the trace of one utterance. Raises ValueError for other
    content."""
    replies: list[Reply] = []
    traces: list[UtteranceTrace] = []
    for path in paths:
        text = path.read_bytes()
        if "replies" in msgspec.json.decode(text, type=dict[str, msgspec.Raw]):
            replies += Recorded.load(path).replies
        else:
            traces.append(msgspec.json.decode(text, type=UtteranceTrace))
    first_s = min((trace.begins_s for trace in traces), default=0.0)
    return Recorded([*replies, *(reply_of(trace, first_s) for trace in traces)])


def reply_of(trace: UtteranceTrace, first_s: float) -> Reply:
    """The utterance as the client asked for it. The load begins at `first_s` of the server's clock. Text is counted in
    speech tokens, in proportion to its characters. Raises ValueError for an utterance without text or sound."""
    texts = [(span.start_s, span.reached) for span in trace.spans if span.stage == "text"]
    audio_s = max((span.reached for span in trace.spans if span.stage == "sound"), default=0.0)
    characters = max((reached for _, reached in texts), default=0.0)
    if not characters or not audio_s:
        raise ValueError(f"{trace.utterance}: expected an utterance with text and sound, found none of one of them")
    tokens = round(audio_s / TOKEN_S)
    at_s = texts[0][0]
    allowed = [(start_s - at_s, max(1, round(tokens * reached / characters))) for start_s, reached in texts]
    text = [(after_s, now) for (after_s, now), before in zip(allowed, [(0.0, 0), *allowed]) if now > before[1]]
    return Reply(trace.utterance, trace.begins_s + at_s - first_s, tokens, tuple(text))
