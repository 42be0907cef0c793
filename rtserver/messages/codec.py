"""The codec for every message of the server: frozen dataclasses to JSON or msgpack maps and back, with checks.

The key `type` of a map names the class; the other keys are its fields. A field whose name is a Python keyword ends in
an underscore, which the map does not have (`class_`). Fields that are None are left out.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Generic, Protocol, TypeVar, get_type_hints

import msgpack
import msgspec

M = TypeVar("M")

# Many small values take long to decode, see `values.py`. No message has more keys, and no list of one more bytes.
_MOST_KEYS = 64
_MOST_LIST_BYTES = 64 << 10
# The first byte of a msgpack map with its size in the next two bytes, or in the next four.
_MAP_16, _MAP_32 = 0xDE, 0xDF


class MessageError(ValueError):
    """The bytes are not a message.

    `code` is an error code of the wire: bad_message, unknown_type, unknown_field. `raw` holds the message's `type` and
    `context` if it has them; a value is None if it is not a string.
    """

    def __init__(self, code: str, message: str, raw: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.raw: Mapping[str, Any] = raw or {}


class Codec(Generic[M]):
    """Encodes and decodes a set of message classes. `name` gives the `type` of each. `from_strangers`: whether what is
    decoded may be made to take long; then lists and maps are bounded."""

    def __init__(
        self,
        classes: Iterable[type[M]],
        name: Callable[[type[M]], str] = lambda cls: cls.__name__,
        *,
        from_strangers: bool = False,
    ) -> None:
        self._from_strangers = from_strangers
        self._classes = {name(cls): cls for cls in classes}
        self._names = {cls: type_name for type_name, cls in self._classes.items()}
        self._fields: dict[type[M], dict[str, str]] = {
            cls: {f.name.rstrip("_"): f.name for f in fields(cls)}  # type: ignore[arg-type]
            for cls in self._names
        }
        types = {cls: get_type_hints(cls) for cls in self._names}
        self._lists = {
            (self._names[cls], key)
            for cls, names in self._fields.items()
            for key, name in names.items()
            if from_strangers and "list[" in str(types[cls][name])
        }
        self._json = _Decoders(self._fields, types, msgspec.json.Decoder)
        self._msgpack = _Decoders(self._fields, types, msgspec.msgpack.Decoder)

    # -- out --------------------------------------------------------------------------------------------------------

    def to_map(self, message: M) -> dict[str, Any]:
        """The message as plain values. Bytes stay bytes, and lists are not copied."""
        cls = type(message)
        pairs = ((key, getattr(message, name)) for key, name in self._fields[cls].items())
        return {"type": self._names[cls]} | {key: value for key, value in pairs if value is not None}

    def to_json(self, message: M) -> str:
        """The message as JSON. Bytes become base64."""
        return msgspec.json.encode(self.to_map(message)).decode()

    def to_msgpack(self, message: M) -> bytes:
        packed: bytes = msgpack.packb(self.to_map(message), use_bin_type=True, default=_plain)
        return packed

    # -- in ---------------------------------------------------------------------------------------------------------

    def from_json(self, text: str | bytes) -> M:
        """Raises MessageError if it is not a JSON object, nested too deep, or not a message."""
        try:
            raw = _JSON_MAP.decode(text)
        except (ValueError, RecursionError) as error:
            raise MessageError("bad_message", f"expected a JSON object, found {_excerpt(text)}: {error}") from error
        return self._message(raw, self._json)

    def from_msgpack(self, body: bytes) -> M:
        """Raises MessageError if it is not a msgpack map, nested too deep, or not a message."""
        if self._from_strangers and (keys := _keys_of_map(body)) > _MOST_KEYS:
            raise MessageError("bad_message", f"expected a map of at most {_MOST_KEYS} keys, found {keys}")
        try:
            raw = _MSGPACK_MAP.decode(body)
        except (ValueError, RecursionError) as error:
            raise MessageError("bad_message", f"expected a msgpack map, found {_excerpt(body)}: {error}") from error
        return self._message(raw, self._msgpack)

    def _message(self, raw: dict[str, msgspec.Raw], decoders: _Decoders[M]) -> M:
        """Decodes each value to the type of its field. A value without a field is only skipped, so it costs little."""
        try:
            kind = decoders.text.decode(raw["type"])
        except (KeyError, ValueError, RecursionError) as error:
            what = _shown(raw["type"]) if "type" in raw else "none"
            text = f"type: expected a string, found {what}"
            raise MessageError("bad_message", text, _known_strings(raw, decoders.text)) from error
        cls = self._classes.get(kind)
        if cls is None:
            known = ", ".join(sorted(self._classes))
            text = f"type: expected one of {known}, found {kind[:40]!r:.40}"
            raise MessageError("unknown_type", text, _known_strings(raw, decoders.text))
        names, values = self._fields[cls], {}
        for key, value in raw.items():
            if key == "type":
                continue
            if key not in names:
                known = ", ".join(names) or "no fields"
                what = f"{kind}: expected some of {known}, found {key[:40]!r:.40}"
                raise MessageError("unknown_field", what, _known_strings(raw, decoders.text))
            if (kind, key) in self._lists and (size := len(memoryview(value))) > _MOST_LIST_BYTES:
                what = f"{kind}: {key}: expected at most {_MOST_LIST_BYTES} bytes, found {size}"
                raise MessageError("bad_message", what, _known_strings(raw, decoders.text))
            try:
                values[names[key]] = decoders.fields[cls][key].decode(value)
            except (ValueError, RecursionError) as error:
                text = f"{kind}: {key}: {str(error)[:200]}"
                raise MessageError("bad_message", text, _known_strings(raw, decoders.text)) from error
        try:
            return cls(**values)
        except TypeError as error:
            missing = [key for key in names if key not in raw]
            text = f"{kind}: expected also some of {missing}"
            raise MessageError("bad_message", text, _known_strings(raw, decoders.text)) from error


_JSON_MAP = msgspec.json.Decoder(dict[str, msgspec.Raw])
_MSGPACK_MAP = msgspec.msgpack.Decoder(dict[str, msgspec.Raw])


class _Decoder(Protocol):
    def decode(self, buf: Any, /) -> Any: ...


class _Decoders(Generic[M]):
    """One decoder for each field of each class, and one for strings."""

    def __init__(
        self,
        classes: Mapping[type[M], Mapping[str, str]],
        types: Mapping[type[M], Mapping[str, Any]],
        decoder: Callable[[Any], _Decoder],
    ) -> None:
        self.text = decoder(str)
        self.fields: dict[type[M], dict[str, _Decoder]] = {}
        for cls, names in classes.items():
            self.fields[cls] = {key: decoder(types[cls][name]) for key, name in names.items()}


def _known_strings(raw: Mapping[str, msgspec.Raw], text: _Decoder) -> dict[str, str | None]:
    """The `type` and `context` of a message, if it has them. A value that is not a string becomes None."""
    known: dict[str, str | None] = {}
    for key in ("type", "context"):
        if key in raw:
            known[key] = None
            with contextlib.suppress(ValueError, RecursionError):
                known[key] = text.decode(raw[key])
    return known


def _keys_of_map(body: bytes) -> int:
    """How many keys a large msgpack map says that it has; 0 for a small one, and for what is none."""
    size = {_MAP_16: 2, _MAP_32: 4}.get(body[0], 0) if body else 0
    return int.from_bytes(body[1 : 1 + size], "big")


def _plain(value: object) -> dict[str, Any]:
    """A dataclass inside a message, as a map."""
    return {f.name: getattr(value, f.name) for f in fields(value)}  # type: ignore[arg-type]


def _excerpt(data: str | bytes) -> str:
    return repr(data[:40]) + ("..." if len(data) > 40 else "")


def _shown(raw: msgspec.Raw) -> str:
    """The first bytes of a value, for an error."""
    return _excerpt(bytes(memoryview(raw)[:40]))
