"""One codec for every message of the server: frozen dataclasses to maps, to JSON or msgpack, and back, checked.

A map's `type` names the class; the other keys are its fields. A field named after a Python keyword carries an
underscore that the map has not (`class_`). Fields that are None are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Generic, TypeVar

import msgpack
import msgspec

M = TypeVar("M")


class MessageError(ValueError):
    """Bytes that are no message. `code` is one of the wire's: bad_message, unknown_type, unknown_field. `raw` is what
    could be read of it."""

    def __init__(self, code: str, message: str, raw: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.raw: Mapping[str, Any] = raw or {}


class Codec(Generic[M]):
    """Knows a set of message classes by name."""

    def __init__(self, classes: Iterable[type[M]], name: Callable[[type[M]], str] = lambda cls: cls.__name__) -> None:
        self._classes = {name(cls): cls for cls in classes}
        self._names = {cls: type_name for type_name, cls in self._classes.items()}
        self._fields: dict[type[M], dict[str, str]] = {
            cls: {f.name.rstrip("_"): f.name for f in fields(cls)}  # type: ignore[arg-type]
            for cls in self._names
        }

    # -- out --------------------------------------------------------------------------------------------------------

    def to_map(self, message: M) -> dict[str, Any]:
        """The message as plain values; bytes stay bytes, lists are not copied."""
        cls = type(message)
        pairs = ((key, getattr(message, name)) for key, name in self._fields[cls].items())
        return {"type": self._names[cls]} | {key: value for key, value in pairs if value is not None}

    def to_json(self, message: M) -> str:
        """Bytes become base64."""
        return msgspec.json.encode(self.to_map(message)).decode()

    def to_msgpack(self, message: M) -> bytes:
        packed: bytes = msgpack.packb(self.to_map(message), use_bin_type=True, default=_plain)
        return packed

    # -- in ---------------------------------------------------------------------------------------------------------

    def from_json(self, text: str | bytes) -> M:
        """MessageError for what is no JSON, nested too deep, or no message."""
        try:
            raw = msgspec.json.decode(text)
        except (ValueError, RecursionError) as error:
            raise MessageError("bad_message", f"expected a JSON object, found {_excerpt(text)}: {error}") from error
        return self.from_map(raw)

    def from_msgpack(self, body: bytes) -> M:
        """MessageError for what is no msgpack map, nested too deep, or no message."""
        try:
            raw = msgpack.unpackb(body, raw=False)
        except (ValueError, RecursionError, msgpack.exceptions.UnpackException) as error:
            what = f"{type(error).__name__} {error}".strip()
            raise MessageError("bad_message", f"expected a msgpack map, found {_excerpt(body)}: {what}") from error
        return self.from_map(raw)

    def from_map(self, raw: object) -> M:
        """MessageError for an unknown type or field, a missing field or a value of another type."""
        if not isinstance(raw, dict):
            raise MessageError("bad_message", f"expected a map with a type, found {type(raw).__name__}")
        kind = raw.get("type")
        if not isinstance(kind, str):
            raise MessageError("bad_message", f"type: expected a string, found {kind!r:.40}", raw)
        cls = self._classes.get(kind)
        if cls is None:
            known = ", ".join(sorted(self._classes))
            raise MessageError("unknown_type", f"type: expected one of {known}, found {kind!r:.40}", raw)
        names = self._fields[cls]
        values: dict[str, Any] = {}
        for key, value in raw.items():
            if key == "type":
                continue
            if key not in names:
                raise MessageError(
                    "unknown_field",
                    f"{kind}: expected some of {', '.join(names) or 'no fields'}, found {key!r:.40}",
                    raw,
                )
            values[names[key]] = value
        try:
            return msgspec.convert(values, cls)
        except (ValueError, RecursionError) as error:
            raise MessageError("bad_message", f"{kind}: {str(error)[:200]}", raw) from error


def _plain(value: object) -> dict[str, Any]:
    """A dataclass inside a message."""
    return {f.name: getattr(value, f.name) for f in fields(value)}  # type: ignore[arg-type]


def _excerpt(data: str | bytes) -> str:
    return repr(data[:40]) + ("..." if len(data) > 40 else "")
