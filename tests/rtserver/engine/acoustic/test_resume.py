"""Resume records as bytes."""

from __future__ import annotations

import dataclasses

import msgpack
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cosyvoice.errors import StreamError
from rtserver.engine.acoustic.resume import ResumeRecord
from rtserver.engine.acoustic.text_plan import History
from rtserver.schedule.playback import Playback
from rtserver.schedule.timings import Timings


def playback() -> Playback:
    made = Playback()
    made.sent(1.5, 10.0)
    made.report(0.5, 11.0)
    return made


def record(**change: object) -> ResumeRecord:
    made = ResumeRecord(
        history=History([2, 5], [[1, 6561, 2**32 - 1], []]),
        sequence=1,
        hop_tokens_done=25,
        samples=36_000,
        sequence_samples=12_000,
        vocoder={"tail": torch.arange(6, dtype=torch.float32).reshape(2, 3), "frames": 7, "begun": True},
        speed={"phase": torch.tensor([0.25], dtype=torch.float64), "name": "1.25"},
        playback=playback(),
        seconds=Timings(opened=9.0).record(),
        window_tokens=None,
        told_ids=17,
    )
    return dataclasses.replace(made, **change)  # type: ignore[arg-type]


def fields_of(data: bytes) -> dict[str, object]:
    """A packed record's fields, tensors as they are packed."""
    fields = msgpack.unpackb(data)
    assert isinstance(fields, dict)
    return fields


def test_a_record_survives_the_way() -> None:
    """History, positions, playback and times come out as they went in."""
    found = ResumeRecord.unpack(record().pack())
    assert dataclasses.replace(found, vocoder=None, speed=None) == record(vocoder=None, speed=None)
    assert found.playback.lead_s(11.25) == 0.75 and found.playback.reported
    assert Timings.restore(found.seconds) == Timings(opened=9.0)


def test_tensors_keep_type_shape_and_values() -> None:
    """The streams' tensors are the same ones, and plain values beside them too."""
    found = ResumeRecord.unpack(record().pack())
    assert found.vocoder is not None and found.speed is not None
    assert found.vocoder["frames"] == 7 and found.vocoder["begun"] is True and found.speed["name"] == "1.25"
    torch.testing.assert_close(found.vocoder["tail"], torch.tensor([[0.0, 1, 2], [3, 4, 5]]), rtol=0, atol=0)
    torch.testing.assert_close(found.speed["phase"], torch.tensor([0.25], dtype=torch.float64), rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.int64, torch.int16, torch.bool])
@pytest.mark.parametrize("shape", [(), (0,), (3,), (2, 0, 3), (2, 3, 4)])
def test_any_tensor_survives(dtype: torch.dtype, shape: tuple[int, ...]) -> None:
    """Every type that the streams use, in every shape, an empty one too."""
    tensor = (torch.rand(shape) * 4).to(dtype)
    found = ResumeRecord.unpack(record(vocoder={"x": tensor}).pack()).vocoder
    assert found is not None
    torch.testing.assert_close(found["x"], tensor, rtol=0, atol=0)


def test_a_tensor_that_came_back_is_its_own() -> None:
    """What a stream writes into its restored state does not change what other states are made of."""
    data = record().pack()
    one, other = ResumeRecord.unpack(data).vocoder, ResumeRecord.unpack(data).vocoder
    assert one is not None and other is not None
    one["tail"].fill_(9.0)
    assert other["tail"][0, 0] == 0.0


def test_a_slice_is_packed_as_what_it_shows() -> None:
    """A tensor that is a view of a larger one in another order comes back with its own values."""
    view = torch.arange(12, dtype=torch.float32).reshape(3, 4).T[1:3]
    found = ResumeRecord.unpack(record(speed={"x": view}).pack()).speed
    assert found is not None
    torch.testing.assert_close(found["x"], torch.tensor([[1.0, 5, 9], [2, 6, 10]]), rtol=0, atol=0)


def test_where_a_sequence_begins_there_is_no_state() -> None:
    """Streams that have not begun are None on both sides."""
    found = ResumeRecord.unpack(record(vocoder=None, speed=None).pack())
    assert found.vocoder is None and found.speed is None


def test_a_token_takes_four_bytes() -> None:
    """The ids sampled are the bulk of a record and are packed as numbers of four bytes."""
    few, many = (len(record(history=History([], [[6560] * n])).pack()) for n in (1000, 2000))
    assert many - few == 4000


def test_what_cannot_be_packed_is_named() -> None:
    """A state of another kind is a fault of ours and says which type it was."""
    with pytest.raises(TypeError, match="complex in a resume record"):
        record(vocoder={"x": 1j}).pack()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no record",
        b"\xc1",
        msgpack.packb(None),
        msgpack.packb(7),
        msgpack.packb([]),
        msgpack.packb({}),
        msgpack.packb({"version": 3}),
        msgpack.packb({"version": 3, "history": {"closings": [], "sampled": [b"abc"]}}),
        msgpack.packb(msgpack.ExtType(2, b"")),
        msgpack.packb(msgpack.ExtType(1, b"\x93\xa3<f4\x91\x03\xc4\x01x")),
        msgpack.packb(msgpack.ExtType(1, b"\x93\xa2|O\x91\x01\xc4\x08xxxxxxxx")),
        msgpack.packb(msgpack.ExtType(1, b"\x93\xa404f4\x91\x02\xc4\x08xxxxxxxx")),
        msgpack.packb(msgpack.ExtType(1, b"\x05")),
    ],
)
def test_nonsense_is_refused(data: bytes) -> None:
    """Bytes that are no record are a StreamError that says how many there were."""
    with pytest.raises(StreamError, match=f"expected a resume record of version 3, found {len(data)} bytes"):
        ResumeRecord.unpack(data)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"extra": 1},
        {"history": {"closings": []}},
        {"history": {"closings": [], "sampled": 3}},
        {"playback": {"tempo": 1.0}},
        {"playback": None},
    ],
)
def test_a_record_of_another_make_is_refused(change: dict[str, object]) -> None:
    """Another version, unknown fields or missing parts are a StreamError."""
    fields = fields_of(record(vocoder=None, speed=None).pack())
    with pytest.raises(StreamError, match="expected a resume record"):
        ResumeRecord.unpack(msgpack.packb({**fields, **change}))


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(ResumeRecord)])
def test_a_record_without_a_field_is_refused(name: str) -> None:
    """Every field must be there."""
    fields = fields_of(record(vocoder=None, speed=None).pack())
    del fields[name]
    with pytest.raises(StreamError, match="expected a resume record"):
        ResumeRecord.unpack(msgpack.packb(fields))


@given(st.integers(0, 10_000))
def test_a_torn_record_is_refused(cut: int) -> None:
    """A record that ends early, wherever, is a StreamError."""
    data = record().pack()
    with pytest.raises(StreamError):
        ResumeRecord.unpack(data[: cut % len(data)])


@given(st.binary(min_size=1, max_size=3))
def test_a_record_with_more_behind_it_is_refused(tail: bytes) -> None:
    """Bytes after the end are a StreamError."""
    with pytest.raises(StreamError):
        ResumeRecord.unpack(record().pack() + tail)


@given(st.binary(max_size=200))
def test_any_other_bytes_are_refused(data: bytes) -> None:
    """No bytes make anything but a StreamError."""
    with pytest.raises(StreamError):
        ResumeRecord.unpack(data)
