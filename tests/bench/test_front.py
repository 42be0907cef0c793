"""The front's bench: what its client makes of bytes, and what is made of its figures."""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from bench.load.front import ratio
from bench.load.fronts.client import FRAME_BYTES, WIRE_BYTES, Line, first_frame, lateness_s, text_frame
from bench.load.fronts.plot import draw
from bench.load.fronts.servers import FRAME
from rtserver.messages import wire
from rtserver.wire.socket_frames import audio_frames


def whole(count: int) -> bytes:
    """So many frames of the size that is counted, as a server sends them."""
    return audio_frames([wire.Audio("a", seq, 0, bytes(FRAME_BYTES - 12), 1) for seq in range(count)])


def test_every_server_sends_frames_of_the_size_that_is_counted() -> None:
    """The wire's header, then 100 ms of 24 kHz PCM."""
    assert len(FRAME) == FRAME_BYTES == 12 + 4800
    assert len(whole(1)) == WIRE_BYTES


def test_the_first_whole_frame_is_found_behind_what_comes_before_it() -> None:
    """Control messages and shorter frames are stepped over; half a header tells nothing yet."""
    short = audio_frames([wire.Audio("a", 0, 0, bytes(1920), 1)])
    told = bytes([0x81, 5]) + b"ready" + bytes([0x81, 126, 0, 200]) + bytes(200)
    before = told + short
    assert first_frame(before + whole(1)) == len(before)
    assert first_frame(whole(1)) == 0
    assert first_frame(before) is None
    assert first_frame(before + whole(1)[:3]) is None


def test_a_line_counts_whole_frames() -> None:
    """From the first whole one on, however the bytes come."""
    ours, theirs = socket.socketpair()
    line = Line(ours, b"go")
    assert theirs.recv(100) == text_frame(b"go")
    buffer = bytearray(1 << 20)
    sent = b"\x81\x02hi" + whole(3)
    counted = []
    for start, end in ((0, 4), (4, 5000), (5000, 9635), (9635, 9636), (9636, len(sent))):
        theirs.sendall(sent[start:end])
        line.take(buffer)
        counted.append((line.talks, line.frames))
    assert counted == [(False, 0), (True, 1), (True, 1), (True, 2), (True, 3)]
    ours.close()
    theirs.close()


def test_lateness_is_counted_from_the_most_punctual_frame() -> None:
    """A start that was late by itself makes none of the others early."""
    assert lateness_s([5.03, 5.10, 5.20, 5.45]) == pytest.approx([0.03, 0.0, 0.0, 0.15])
    assert lateness_s([]) == []


def test_ratios_are_taken_within_a_round() -> None:
    """A machine that was slower in one round changes nothing."""
    rounds = {
        "ours": [{"frames_per_cpu_s": n} for n in (80.0, 40.0, 90.0)],
        "bare": [{"frames_per_cpu_s": n} for n in (100.0, 50.0, 100.0)],
    }
    assert ratio(rounds, "bare") == 0.8


def test_results_are_drawn(tmp_path: Path) -> None:
    """Of both measurements, or of one."""
    lag = {"p50": 0.3, "p99": 2.0, "max": 0.0}
    servers: dict[str, Any] = {"ours": {"server_cores": 0.5, "loop_lag_ms": lag}}
    rounds = {"ours": {"frames_per_cpu_s": 9.0, "rounds": [{"frames_per_cpu_s": 9.0}]}}
    paced = {"sessions": 10, "servers": servers}
    saturation = {"connections": 5, "servers": rounds, "ours_to": {}}
    for name, results in {"both": {"saturation": saturation, "paced": paced}, "one": {"paced": paced}}.items():
        draw(json.loads(json.dumps(results)), tmp_path / f"{name}.png")
        assert (tmp_path / f"{name}.png").read_bytes().startswith(b"\x89PNG")
