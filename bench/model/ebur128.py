"""Loudness and true peak of a wave, measured by ffmpeg's filter ebur128."""

from __future__ import annotations

import math
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Loudness:
    """Of a piece of sound."""

    integrated_lufs: float
    true_peak_dbfs: float


def loudness(wave: NDArray[np.float32], rate_hz: int) -> Loudness:
    """Of a mono wave, by ebur128. Raises ValueError for one of less than 0.4 s."""
    graph = av.filter.Graph()
    form = {"sample_rate": str(rate_hz), "sample_fmt": "flt", "channel_layout": "mono", "time_base": f"1/{rate_hz}"}
    source, sink = graph.add("abuffer", **form), graph.add("abuffersink")
    meter = graph.add("ebur128", "peak=true:metadata=1:framelog=quiet")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(wave[None], np.float32), format="flt", layout="mono")
    frame.sample_rate, frame.pts = rate_hz, 0
    source.push(frame)
    source.push(None)
    last: dict[str, str] = {}  # a frame of less than 0.1 s at the end has no values
    while True:
        try:
            last |= sink.pull().metadata
        except (av.BlockingIOError, av.EOFError):
            break
    if not last:
        raise ValueError(f"expected 0.4 s of sound or more, found {len(wave) / rate_hz:.2f} s")
    return Loudness(float(last["lavfi.r128.I"]), 20 * math.log10(float(last["lavfi.r128.true_peak"]) + 1e-7))
