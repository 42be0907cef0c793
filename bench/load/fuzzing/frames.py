"""Frames for bench/load/fuzz.py: client messages in both forms, correct and wrong in many ways, drawn at random."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from random import Random
from typing import get_args

import msgpack

from rtserver.messages import wire

Frame = str | bytes
FIELDS = {cls.__name__.lower(): [f.name.rstrip("_") for f in fields(cls)] for cls in get_args(wire.ClientMessage)}
NAMES = ("main", "a", "b", "turn-1", "回合", "x" * 128)
_TEXTS = ("one two ", "Ten past four, and the la", "三点一刻。", "😀", "", " ", "x" * 90, "é" * 70)


@dataclass(frozen=True)
class Odd:
    """A value that Python objects cannot hold, as each form writes it."""

    text: str
    packed: bytes


@dataclass(frozen=True)
class Pairs:
    """A map whose keys may have any type and may occur twice."""

    items: Sequence[tuple[object, object]]


def as_json(value: object, ascii_only: bool = False) -> str:
    """Like json.dumps, but also for the values above."""
    match value:
        case Odd():
            return value.text
        case Pairs():
            return "{" + ",".join(f"{as_json(k, ascii_only)}:{as_json(v, ascii_only)}" for k, v in value.items) + "}"
        case list():
            return "[" + ",".join(as_json(v, ascii_only) for v in value) + "]"
        case bytes():
            return f'"{base64.b64encode(value).decode()}"'
        case _:
            return json.dumps(value, ensure_ascii=ascii_only)


def as_msgpack(value: object) -> bytes:
    """Like msgpack.packb, but also for the values above."""
    packer = msgpack.Packer(unicode_errors="surrogatepass")
    packed: bytes
    match value:
        case Odd():
            return value.packed
        case Pairs():
            packed = packer.pack_map_header(len(value.items))
            return packed + b"".join(as_msgpack(k) + as_msgpack(v) for k, v in value.items)
        case list():
            packed = packer.pack_array_header(len(value))
            return packed + b"".join(as_msgpack(v) for v in value)
        case _:
            packed = packer.pack(value)
            return packed


_ODD = (
    *(Odd(text, msgpack.packb(float(text))) for text in ("NaN", "Infinity", "-Infinity", "-0.0", "1e400", "-1e-400")),
    *(Odd(str(n), msgpack.packb(n)) for n in (2**53 + 1, 2**63, 2**64 - 1, -(2**63), 2**32, -1)),
    *(Odd(digits, msgpack.packb(2**64 - 1)) for digits in ("-0", "00", "1" + "0" * 400, "1" + "0" * 5000)),
    Odd("1." + "0" * 5000 + "1", msgpack.packb(5e-324)),
    Odd("1" * 5000 + "e-4990", msgpack.packb(1.5)),
    Odd("1e" + "9" * 5000, b"\xca\x7f\x80\x00\x00"),
    # halves of surrogate pairs: escaped, then raw
    *(Odd(f'"{half}"', b"\xa3\xed\xa0\x80") for half in ("\\ud800", "\\udc00", "\\ud800\\ud800", "\\ud83d\\ude00 ")),
    Odd('"\ud800"', b"\xa3\xed\xbf\xbf"),
    Odd('"\\u0000"', b"\xa1\x00"),
    Odd('"a\x00b"', b"\xa3a\x00b"),
    Odd('"\xff\xfe"', b"\xa2\xff\xfe"),
    Odd('"main"', b"\xc4\x04main"),
    Odd("tru", b"\xc1"),
    Odd('"\\x"', b"\xd9"),
    # msgpack's extension types: of an application, a timestamp, timestamps that are none; lengths that are not there
    Odd("[]", b"\xd4\x05\x00"),
    Odd("{}", b"\xd6\xff\x00\x00\x00\x00"),
    Odd("[[]]", b"\xc7\x03\xff\x00\x00\x00"),
    Odd('{"type":"end"}', b"\xd7\xff" + b"\xff" * 8),
    Odd('[{"context":"main"}]', b"\xc7\x0c\xff" + b"\x00" * 4 + b"\x80" + b"\x00" * 7),
    Odd("[1,]", b"\xdd\xff\xff\xff\xff"),
    Odd("{,}", b"\xdf\xff\xff\xff\xff"),
    Odd('"', b"\xdb\xff\xff\xff\xff"),
)
_PLAIN: tuple[object, ...] = (
    *(None, True, False, 0, 1, -1, 7, 0.5, 24_000, -1e308),
    *("", "main", "text", "1", b"", b"\x00\xff", [], ["text"], Pairs([])),
)


def good_value(rng: Random, name: str) -> object:
    """A value that the field `name` can have. Nearly always it is accepted."""
    match name:
        case "context":
            return rng.choice(NAMES[:2] if rng.random() < 0.8 else NAMES)
        case "text" | "instruct_text" | "prompt_text":
            return rng.choice(_TEXTS) * rng.choice((1, 1, 1, 3))
        case "voice" | "language" | "mode":
            return rng.choice({"voice": ("default", "英文女"), "language": ("auto", "en", "zh")}.get(name, ("sft",)))
        case "format" | "class":
            return "pcm_s16le" if name == "format" else rng.choice(("realtime", "batch"))
        case "id":
            return rng.choice(("", "f1", "问"))
        case "end" | "marks":
            return rng.random() < 0.5
        case "ms" | "speed" | "max_lead_s":
            return rng.uniform(0, 5000) if name == "ms" else rng.uniform(0.5, 2.05)
        case "seed" | "sample_rate":
            return 24_000
        case _:  # recordings
            return None if rng.random() < 0.9 else rng.randbytes(30)


def odd_value(rng: Random) -> object:
    """A value of any type. Most often the field cannot have it."""
    match rng.randrange(8):
        case 0 | 1 | 2:
            return rng.choice(_ODD)
        case 3:
            digits = str(rng.getrandbits(rng.randrange(1, 10_000)))
            return Odd(rng.choice(("", "-")) + digits, msgpack.packb(rng.getrandbits(64)))
        case 4:
            return good_value(rng, rng.choice(FIELDS["start"]))
        case _:
            return rng.choice(_PLAIN)


def good_message(rng: Random) -> Pairs:
    """A message of the wire with some of its fields. Most often it opens a context or adds text."""
    kind = rng.choice(("start", "start", "start", "text", "text", "text", *FIELDS))
    items: list[tuple[object, object]] = [("type", kind)]
    for name in FIELDS[kind]:
        likely = 1.0 if name in ("ms", "text") and kind != "start" else 0.6 if name == "context" else 0.15
        if rng.random() < likely:
            items.append((name, good_value(rng, name)))
    return Pairs(items)


def changed_message(rng: Random) -> object:
    """A message whose values, keys or shape were changed."""
    shape = changed_items(rng, list(good_message(rng).items), FIELDS["start"])
    return shape if rng.random() < 0.95 else rng.choice(([shape], Pairs([("type", shape)]), odd_value(rng)))


def changed_items(rng: Random, items: list[tuple[object, object]], names: Sequence[str]) -> Pairs:
    """The items of a message with other values or keys, and with items left out or added. `names`: of known fields."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = rng.randrange(len(items) + 1)
        key, value = rng.choice(items) if items else ("type", "end")
        match rng.randrange(7):
            case 0 | 1:
                items[at : at + 1] = [(key, odd_value(rng))]
            case 2:
                items.insert(at, (key, odd_value(rng)))
            case 3:
                items.insert(at, (rng.choice(("nothing", "Type", "class_", *names)), odd_value(rng)))
            case 4:
                del items[at : at + 1]
            case 5:
                items.insert(at, (odd_value(rng), value))
            case _:
                items.insert(at, (key, value))
    return Pairs(items)


def draw_good(rng: Random, form: str, limit: int) -> Frame:
    return written(rng, form, good_message(rng))


def draw_changed(rng: Random, form: str, limit: int) -> Frame:
    return written(rng, form, changed_message(rng))


def draw_damaged(rng: Random, form: str, limit: int) -> Frame:
    """A message with bytes that were flipped, cut off, cut out or added."""
    frame = written(rng, form, good_message(rng) if rng.random() < 0.7 else changed_message(rng))
    data = frame if isinstance(frame, bytes) else frame.encode("utf-8", "surrogatepass")
    return _of_bytes(form, damaged(rng, data))


def damaged(rng: Random, whole: bytes) -> bytes:
    """The bytes with some of them flipped, cut off, cut out or added."""
    data = bytearray(whole)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at, size = rng.randrange(len(data) + 1), rng.choice((1, 1, 2, 8, 40))
        match rng.randrange(5):
            case 0 | 1:
                data[at : at + 1] = bytes(byte ^ 1 << rng.randrange(8) for byte in data[at : at + 1])
            case 2:
                del data[at : at + size]
            case 3:
                data[at:at] = rng.randbytes(size) if rng.random() < 0.5 else data[-size:]
            case _:
                del data[at:]
    return bytes(data)


def draw_noise(rng: Random, form: str, limit: int) -> Frame:
    """Random bytes, or random pieces of a form's syntax."""
    if rng.random() < 0.5:
        return _of_bytes(form, rng.randbytes(rng.randrange(200)))
    if form == "json":
        return "".join(rng.choices((*'{}[],:"\\0e-.t', '"type"', '"text"', "null", "\\u", "\0"), k=rng.randrange(60)))
    return bytes(rng.choices((*range(0x80, 0x95), *range(0xA0, 0xA5), *range(0xC0, 0xE0), 0), k=rng.randrange(60)))


def draw_nested(rng: Random, form: str, limit: int) -> Frame:
    """Deeply nested arrays or maps, as a value or as the frame, complete or cut off."""
    depth = rng.choice((2, 60, 400, 900, 990, 1023, 1024, 1025, 3000, limit // 8))
    ended = rng.random() < 0.7
    if form == "json":
        opening, closing = rng.choice((("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"), ("[[],", "]")))
        tower = Odd(opening * depth + "0" + closing * depth * ended, b"")
    else:
        claimed = (limit - 1).to_bytes(4, "big")  # more than is left, but no more than the frame is long
        opening_bytes = rng.choice((b"\x91", b"\x81\xa1a", b"\xdc\x00\x01", b"\xdd\x00\x00\x00\x01", b"\xdd" + claimed))
        tower = Odd("", (opening_bytes * depth + b"\xc0" * ended)[:limit])
        if opening_bytes.endswith(claimed):
            return as_msgpack(tower)[:limit].ljust(limit, b"\xc0")
    key = rng.choice(("type", "context", "text", "nothing", None))
    if key is None:
        return written(rng, form, tower)
    return written(rng, form, Pairs([("type", rng.choice(list(FIELDS))), (key, tower)]))


def draw_crowd(rng: Random, form: str, limit: int) -> Frame:
    """As many small values, or keys, as a frame may hold."""
    text, packed = rng.choice((("[]", b"\x90"), ("{}", b"\x80"), ("0", b"\x01"), ('""', b"\xa0"), ("keys", b"")))
    if text == "keys":
        crowd: object = Pairs([(f"{n:x}", 0) for n in range(limit // 10)])
        return written(rng, form, crowd)
    count = limit // (len(text) + 1) - 20 if form == "json" else limit - 40
    crowd = Odd("[" + ",".join([text] * count) + "]", b"\xdd" + count.to_bytes(4, "big") + packed * count)
    return written(rng, form, Pairs([("type", rng.choice(("text", crowd))), ("text", crowd)][: rng.choice((1, 2))]))


def draw_edge(rng: Random, form: str, limit: int) -> Frame:
    """An empty frame, or one about as long as the limit with one long string in it."""
    if rng.random() < 0.2:
        return "" if form == "json" else b""
    filler = rng.choice(("x", "\x7f", "a b ", "三"))
    key = rng.choice(("text", "text", "context", "type", "voice", "id"))
    items: list[tuple[object, object]] = [("type", rng.choice(("text", "start", "ping"))), (key, "")]
    room = limit - len(written(rng, form, Pairs(items))) + rng.choice((-9, -1, 0, 1))
    size = len(filler) if form == "json" else len(filler.encode())
    return written(rng, form, Pairs([items[0], (key, filler * (room // size))]))


_SOURCES: dict[str, tuple[float, Callable[[Random, str, int], Frame]]] = {
    "good": (35, draw_good),
    "changed": (30, draw_changed),
    "damaged": (20, draw_damaged),
    "noise": (8, draw_noise),
    "nested": (5, draw_nested),
    "crowd": (0.5, draw_crowd),
    "edge": (1.5, draw_edge),
}
_WEIGHTS = [weight for weight, _ in _SOURCES.values()]


def draw_frame(rng: Random, limit: int, form: str | None = None) -> tuple[str, Frame]:
    """A frame and the name of its source. `limit`: the largest size of a frame. form: json or msgpack; by chance where
    it is None."""
    (name,) = rng.choices(list(_SOURCES), _WEIGHTS)
    return name, _SOURCES[name][1](rng, form or rng.choice(("json", "msgpack")), limit)


def written(rng: Random, form: str, value: object) -> Frame:
    """The value in one form of the wire."""
    return as_msgpack(value) if form == "msgpack" else as_json(value, rng.random() < 0.5)


def _of_bytes(form: str, data: bytes) -> Frame:
    return data if form == "msgpack" else data.decode("utf-8", "surrogateescape")
