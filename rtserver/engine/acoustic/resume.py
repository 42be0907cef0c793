"""The resume record: what another acoustic process needs to go on after the samples of an Audio.

It holds the speech tokens, and what the streams carry from hop to hop. The text comes again from the front, and the
keys and values of the flow are computed again from the tokens. A record has some 15 KB, of which 4 bytes a token.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, cast

import msgpack
import numpy as np
import torch
from torch import Tensor

from cosyvoice.errors import StreamError
from rtserver.engine.acoustic.text_plan import History
from rtserver.schedule.playback import Playback

_VERSION = 3
_TENSOR = 1  # msgpack ext type
_IDS = "<u4"
# What bytes that are no record raise. NumPy reads the name of a type as an expression.
_NONSENSE = (ValueError, TypeError, KeyError, AttributeError, SyntaxError, msgpack.UnpackException)


@dataclass(frozen=True)
class ResumeRecord:
    """The state of an utterance after one of its sounds."""

    # What the talker has said.
    history: History
    # The sequence that flow and vocoder are at.
    sequence: int
    # Its tokens whose sound is out; 0 where it begins.
    hop_tokens_done: int
    # Samples that were put out so far, in all and of this sequence.
    samples: int
    sequence_samples: int
    # What vocoder and speed carry from hop to hop; None where a sequence begins.
    vocoder: dict[str, Any] | None
    speed: dict[str, Any] | None
    # By the system's monotonic clock, which all processes share.
    playback: Playback
    # The utterance's Timings.
    seconds: dict[str, float | bool | None]
    # How many tokens the flow sees before a hop; None: all of the sequence.
    window_tokens: int | None
    # Text ids whose beginning has been told.
    told_ids: int

    def pack(self) -> bytes:
        """As bytes, for a message."""
        fields = {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}
        fields |= {
            "version": _VERSION,
            "history": {
                "closings": self.history.closings,
                "sampled": [np.asarray(ids, _IDS).tobytes() for ids in self.history.sampled],
            },
            "playback": dataclasses.asdict(self.playback),
        }
        return cast(bytes, msgpack.packb(fields, default=_pack_tensor))

    @classmethod
    def unpack(cls, data: bytes) -> ResumeRecord:
        """StreamError for bytes that are no record of this version."""
        try:
            fields = msgpack.unpackb(data, ext_hook=_unpack_tensor)
            if fields.pop("version") != _VERSION:
                raise ValueError("another version")
            history = fields["history"]
            sampled = [np.frombuffer(ids, _IDS).tolist() for ids in history["sampled"]]
            fields["history"] = History(history["closings"], sampled)
            fields["playback"] = Playback(**fields["playback"])
            return cls(**fields)
        except _NONSENSE as error:
            raise StreamError(
                f"expected a resume record of version {_VERSION}, found {len(data)} bytes: {error}"
            ) from error


def _pack_tensor(value: object) -> msgpack.ExtType:
    if not isinstance(value, Tensor):
        raise TypeError(f"{type(value).__name__} in a resume record")
    array = value.numpy()
    parts = [array.dtype.str, list(array.shape), array.tobytes()]
    return msgpack.ExtType(_TENSOR, msgpack.packb(parts))


def _unpack_tensor(code: int, data: bytes) -> Tensor:
    if code != _TENSOR:
        raise ValueError(f"ext type {code}")
    dtype, shape, raw = msgpack.unpackb(data)
    return torch.from_numpy(np.frombuffer(raw, dtype).reshape(shape).copy())
